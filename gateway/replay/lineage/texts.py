"""What is read of a text once, because many arguments are looked for in it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gateway.intent.v1.values import Value, values_in
from gateway.intent.v1.values_words import folded

VALUES_READ: Final = 256


@lru_cache(maxsize=512)
def read_values(text: str) -> tuple[Value, ...]:
    """The hard values of a text, in order; of very many the first."""
    return values_in(text)[:VALUES_READ]


@lru_cache(maxsize=512)
def folded_text(text: str) -> str:
    """The text in lower case, without accents."""
    return folded(text)

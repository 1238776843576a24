"""How much of anything a body may hold."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Bounds on one JSON body. A node is a value: keys do not count, the root does."""

    body_bytes: int = 256 * 1024
    depth: int = 64
    nodes: int = 20_000
    exponents: int = 16
    key_chars: int = 512


LIMITS: Final = Limits()

# The shortest text of any double that reads back the same has 25 characters. Hundreds of them are
# slow to round, and nobody means the last ones.
NUMBER_CHARS: Final = 128

"""The words that values are written with, read once from `lexicons/values.json`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons", "values.json").read_bytes()
)
STOP = frozenset(LEXICON["stop"])
TRUE = frozenset(LEXICON["true"])
FALSE = frozenset(LEXICON["false"])
MONTHS: dict[str, int] = LEXICON["months"]
UNDECORATED = frozenset(LEXICON["honorifics"]) | frozenset(LEXICON["company"])

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2019": "'", "\u00a0": " ", "\u202f": " "})


def plain(text: str) -> str:
    """One spelling for what looks the same: width, invisible marks, dashes and spaces."""
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", text).translate(_SIGNS)
    return unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """Lower case without accents. Letters of other scripts stay what they are."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", plain(text).casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def words(text: str) -> list[str]:
    """The words of a text or of a name, with `camelCase` and `snake_case` taken apart."""
    return _WORD.findall(folded(_CAMEL.sub(" ", text)))


@lru_cache(maxsize=4096)
def key_words(key: str) -> frozenset[str]:
    """The words of an argument's name."""
    return frozenset(words(key[:128]))


def _synonyms() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for number, group in enumerate(LEXICON["same"]):
        for word in group:
            found[word] = (*found.get(word, ()), f"syn:{number}")
    return found


SYNONYMS = _synonyms()

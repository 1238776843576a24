"""Which way a call goes, and which way was asked for: verbs, boolean names, negation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from gateway.intent.v1.text import Text, stem, words

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons/direction.json").read_bytes()
)
NEGATIONS = frozenset(LEXICON["negations"].split())
WIDE = frozenset(LEXICON["wide"].split())
# How many words a negation reaches.
_REACH = 4
_SIDES = [
    tuple(frozenset(map(stem, side.split())) for side in pair) for pair in LEXICON["opposites"]
]


@lru_cache(maxsize=4096)
def opposites(said: str) -> frozenset[str]:
    """The stems that go the other way."""
    found: set[str] = set()
    for one, other in _SIDES:
        if said in one:
            found |= other
        if said in other:
            found |= one
    return frozenset(found - {said})


@lru_cache(maxsize=4096)
def kin(said: str) -> frozenset[str]:
    """The stems that go the same way, itself among them; not those that elsewhere go the other."""
    sides = (side for pair in _SIDES for side in pair if said in side)
    return frozenset({said}).union(*sides) - opposites(said)


def leanings(asked: Text) -> dict[str, int]:
    """Each stem of a text: 1 where it is said, -1 where every mention of it is negated."""
    found: dict[str, int] = {}
    since = _REACH + 1
    for token, stemmed in zip(asked.tokens, asked.stems, strict=True):
        since = 0 if token in NEGATIONS else since + 1
        lean = -1 if 0 < since <= _REACH else 1
        found[stemmed] = max(found.get(stemmed, -1), lean)
    return found


def against(said: Iterable[str], asked: dict[str, int]) -> tuple[float, float, str]:
    """How far words go against a text, how far with it, and the text's word that is against.

    A word that the text negates is against it, as is one whose opposite alone the text says.
    """
    contra, pro, word = 0.0, 0.0, ""
    for one in said:
        if asked.get(one, 0) < 0:
            contra, word = 1.0, one
        elif asked.get(one, 0) > 0:
            pro = 1.0
        elif (same := kin(one)) and any(asked.get(other, 0) > 0 for other in same):
            pro = max(pro, 0.7)
        elif other := next((o for o in sorted(opposites(one)) if asked.get(o, 0) > 0), ""):
            contra, word = max(contra, 0.8), other
    return contra, pro, word


def stems_of(name: str) -> tuple[str, ...]:
    """The stems of a tool's or a field's name."""
    return tuple(dict.fromkeys(map(stem, words(name[:256]))))

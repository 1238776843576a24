"""A number that keeps within what the request allows: `spend at most 100 USD` says 40 as well."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from gateway.intent.v1.consistency_view import LEXICON, Leaf, Said
from gateway.intent.v1.values import Value, is_minor, plain

_BEFORE: Final = 32
_AFTER: Final = 24
_MOST_VALUES: Final = 16
_HUGE: Final = 1e15


def _phrases(name: str) -> str:
    return "|".join(map(re.escape, LEXICON[name].split("|")))


def _before(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{_phrases(name)})(?: (?:of|is|a|the|total))*\W{{0,3}}\Z")


def _after(name: str) -> re.Pattern[str]:
    return re.compile(rf"\W{{0,2}}(?:\w{{1,12}} )?(?:{_phrases(name)})\b")


_MOST_BEFORE, _LEAST_BEFORE = _before("at_most_before"), _before("at_least_before")
_MOST_AFTER, _LEAST_AFTER = _after("at_most_after"), _after("at_least_after")


def kept(leaf: Leaf, request: Said) -> bool:
    """Whether the request bounds such a number, and this one is within all the bounds."""
    if leaf.kind != "number" or leaf.number is None or abs(leaf.number) > _HUGE:
        return False
    minor = is_minor(leaf.key, leaf.schema)
    text: str | None = None
    within = False
    for value in request.values[:_MOST_VALUES]:
        if value.number is None:
            continue
        text = plain(request.text.clean).lower() if text is None else text
        side = _side(text, value)
        if side is None or (minor and value.kind != "money"):
            continue
        mine = Decimal(leaf.number) / (100 if minor else 1)
        if mine < 0 or (mine > value.number if side == "most" else mine < value.number):
            return False
        within = True
    return within


def _side(text: str, value: Value) -> str | None:
    before = text[max(0, value.start - _BEFORE) : value.start]
    after = text[value.end : value.end + _AFTER]
    most, least = _MOST_BEFORE.search(before), _LEAST_BEFORE.search(before)
    if most and least:
        # The longer phrase counts: `no more than` ends in `more than`.
        return "most" if most.start() < least.start() else "least"
    if most or _MOST_AFTER.match(after):
        return "most"
    return "least" if least or _LEAST_AFTER.match(after) else None

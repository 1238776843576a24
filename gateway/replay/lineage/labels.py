"""A value under one label where another was asked for: the subtotal instead of the total."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.intent.v1.text import STOP, prepare, weight
from gateway.intent.v1.values import Value, forms, plain
from gateway.replay.lineage.texts import read_values

LABEL_CHARS: Final = 60
COMPARED_MAX: Final = 128
LABEL_TOKENS: Final = 5
_CLEARLY: Final = 0.25
_SEPARATORS: Final = "\n,;{}[]|"


def asked_instead(text: str, asked: str, value: object, key: str) -> Value | None:
    """The value of a text whose label the asker's words name, where `value` has another label.

    None when the text does not have the value, or its own label fits as well.
    """
    shown = plain(text)
    found = [each for each in read_values(text) if each.kind != "phone"][:COMPARED_MAX]
    spelled = forms(value, key)
    own = [each for each in found if each.forms & spelled - {"num:0", "num:1"}]
    if not own:
        return None
    wanted = frozenset(_telling(prepare(asked).stems)) | frozenset(_telling(prepare(key).stems))
    kinds = {each.kind for each in own}
    mine = 0.0
    best: tuple[float, Value | None] = (0.0, None)
    ended = 0
    for each in found:
        if each.kind in kinds:
            fit = _fit(_label(shown, each, ended), wanted)
            if each in own:
                mine = max(mine, fit)
            elif fit > best[0]:
                best = (fit, each)
        ended = each.end
    return best[1] if best[0] > mine + _CLEARLY else None


def _fit(label: Sequence[str], wanted: frozenset[str]) -> float:
    return sum(weight(each) for each in set(label) & wanted)


def _label(text: str, value: Value, ended: int) -> list[str]:
    """The words before a value, back to the value or the line before it."""
    first = max(ended, value.start - LABEL_CHARS)
    first = max(first, *(text.rfind(mark, first, value.start) + 1 for mark in _SEPARATORS))
    return _telling(prepare(text[first : value.start]).stems[-LABEL_TOKENS:])


def _telling(stems: Sequence[str]) -> list[str]:
    return [each for each in stems if each not in STOP and weight(each) > 0]

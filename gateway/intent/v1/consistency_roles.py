"""Values that stand in each other's place: from in to, start in end, length in width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.intent.assessment import Signal
from gateway.intent.v1.consistency_view import LEXICON, Leaf, Said, View, key_stems, signal
from gateway.intent.v1.text import stem, weight

FEATURES: dict[str, int] = {
    "swapped": 1,
    "role_against": 1,
    "role_for": -1,
    "twice": 1,
    "misplaced": 1,
}
_FROM = frozenset(map(stem, LEXICON["from"].split()))
_TO = frozenset(map(stem, LEXICON["to"].split()))
_SAY_FROM = frozenset(LEXICON["prepositions_from"].split())
_SAY_TO = frozenset(LEXICON["prepositions_to"].split())
_BETWEEN = frozenset(LEXICON["between_role"].split())
_PLACES = frozenset(map(stem, LEXICON["places"].split()))
_MOMENTS = frozenset(map(stem, LEXICON["moments"].split()))
_RELATIVE = frozenset(LEXICON["relative_days"].split())
_QUOTED = re.compile(r"['\"]([^'\"\s]{3,40})['\"]")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[a-z]+")
_REACH: Final = 6
_MOST: Final = 16


def role_checks(view: View) -> tuple[list[Signal], dict[str, float]]:
    """Pairs of values whose places in the request fit each other's names better than their own."""
    features = dict.fromkeys(FEATURES, 0.0)
    signals: list[Signal] = []
    placed = [
        (leaf, at)
        for leaf in view.leaves[:_MOST]
        if leaf.kind not in ("bool", "empty", "prose") and (at := _places(leaf, view.request))
    ]
    for leaf in view.leaves[:_MOST]:
        odd = _misplaced(leaf)
        features["misplaced"] = max(features["misplaced"], odd)
        if odd >= 0.3:
            signals.append(signal("misplaced", leaf.pointer, leaf.value, None, odd, "schema"))
    for number, (leaf, places) in enumerate(placed):
        mine = _role(leaf)
        said, sure = _said_role(view.request, places)
        if mine and said:
            if mine != said:
                features["role_against"] = max(features["role_against"], sure)
                other_value = _other(placed, number)
                signals.append(signal("role", leaf.pointer, leaf.value, other_value, 0.85 * sure))
            else:
                features["role_for"] = 1.0
        for other, others in placed[number + 1 :]:
            if other.key == leaf.key or other.phrase == leaf.phrase:
                features["twice"] = max(features["twice"], float(other.key != leaf.key))
                continue
            strength = _swapped(view.request, (leaf, places), (other, others))
            if strength > 0.15:
                features["swapped"] = max(features["swapped"], strength)
                for one, instead in ((leaf, other), (other, leaf)):
                    signals.append(
                        signal("swapped", one.pointer, one.value, instead.value, 0.8 * strength)
                    )
    return signals, features


def _other(placed: Sequence[tuple[Leaf, list[int]]], number: int) -> object:
    """The value of the opposite role, if there is one."""
    role = _role(placed[number][0])
    for at, (leaf, _) in enumerate(placed):
        if at != number and _role(leaf) == -role:
            return leaf.value
    return None


def _places(leaf: Leaf, said: Said) -> list[int]:
    """Where the request says the value, as token numbers; at most three."""
    wanted = leaf.phrase.split()
    if not wanted:
        return []
    tokens = said.text.tokens
    found: list[int] = []
    start = 0
    while len(found) < 3:
        try:
            at = tokens.index(wanted[0], start)
        except ValueError:
            break
        if list(tokens[at : at + len(wanted)]) == wanted:
            found.append(at)
        start = at + 1
    return found or _spelled(leaf, said)


def _spelled(leaf: Leaf, said: Said) -> list[int]:
    """Where a value stands that is written otherwise: dates, amounts."""
    hard = {form for form in leaf.spelled if form.startswith(("date:", "md:", "num:", "money:"))}
    for value in said.values:
        if value.forms & hard:
            return [
                next(
                    (n for n, span in enumerate(said.text.spans) if span[1] > value.start),
                    0,
                )
            ]
    return []


def _role(leaf: Leaf) -> int:
    stems = frozenset(key_stems(leaf.key))
    return bool(stems & _TO) - bool(stems & _FROM)


def _said_role(said: Said, places: Sequence[int]) -> tuple[int, float]:
    """What the words before the value make of it, and how sure that is.

    Nothing when its places disagree, and half as sure when one of them is silent.
    """
    heard = [_before(said, place) for place in places]
    roles = set(heard) - {0}
    return (roles.pop(), 0.5 if 0 in heard else 1.0) if len(roles) == 1 else (0, 0.0)


def _before(said: Said, place: int) -> int:
    for token in reversed(said.text.tokens[max(0, place - 3) : place]):
        if token in _SAY_FROM:
            return -1
        if token in _SAY_TO:
            return 1
        if token not in _BETWEEN:
            return 0
    return 0


def _misplaced(leaf: Leaf) -> float:
    """A value that is no such thing as its field's name or the example in its text says."""
    stems = frozenset(key_stems(leaf.key))
    days = leaf.kind == "date" or any(form.startswith("time:") for form in leaf.spelled)
    if stems & _PLACES and (days or leaf.kind == "mail" or not isinstance(leaf.value, str)):
        return 0.8 if days and not stems & _MOMENTS else 0.3
    if stems & _MOMENTS and isinstance(leaf.value, str) and leaf.kind in ("name", "mail"):
        relative = frozenset(leaf.phrase.split()) & _RELATIVE
        digits = any(mark.isdigit() for mark in leaf.value[:64])
        return 0.0 if relative or digits else 0.6
    told = leaf.schema.get("description")
    if leaf.kind == "id" and isinstance(told, str) and isinstance(leaf.value, str):
        return _unlike_example(leaf.value, told[:400])
    return 0.0


def _unlike_example(value: str, told: str) -> float:
    """The field's text shows an identifier of another make."""
    shown = [one for one in _QUOTED.findall(told) if any(mark.isdigit() for mark in one)]
    if not shown:
        return 0.0
    return 0.0 if _make(value) in map(_make, shown) else 0.7


def _make(text: str) -> str:
    """The form of an identifier without its length: `#W6390527` is `#a9`."""
    plain = _DIGITS.sub("9", text.strip()[:64].lower())
    return _LETTERS.sub("a", plain)


def _swapped(said: Said, one: tuple[Leaf, list[int]], other: tuple[Leaf, list[int]]) -> float:
    """How much better two values would fit each other's names, 0 to 1."""
    left, right = one[0], other[0]
    if (left.number is None) != (right.number is None):
        return 0.0
    mine = _cues(left, right)
    yours = _cues(right, left)
    if not mine and not yours:
        return 0.0
    straight = _near(said, mine, one[1]) + _near(said, yours, other[1])
    crossed = _near(said, mine, other[1]) + _near(said, yours, one[1])
    return max(0.0, min(1.0, (crossed - straight) / 0.8))


def _cues(leaf: Leaf, other: Leaf) -> frozenset[str]:
    """The words of a name that the other name has not."""
    own = frozenset(key_stems(leaf.key)) - frozenset(key_stems(other.key))
    return frozenset(each for each in own if weight(each) > 0)


def _near(said: Said, cues: frozenset[str], places: Sequence[int]) -> float:
    best = 0.0
    if not cues & said.text.vocabulary:
        return 0.0
    stems = said.text.stems
    for place in places:
        for at in range(max(0, place - _REACH), min(len(stems), place + _REACH)):
            if stems[at] in cues:
                distance = place - at if at < place else (at - place) * 1.5
                best = max(best, 1.0 / (1.0 + 0.4 * distance))
    return best

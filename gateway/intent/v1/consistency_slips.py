"""A value that is almost what the request says: mistyped, scaled, of another sign or day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from gateway.intent.v1.consistency_grounding import Ground
from gateway.intent.v1.consistency_view import LEXICON, MOST_VALUES, Leaf, Said, View, shape
from gateway.intent.v1.plan_kinds import LEXICON as PLAN
from gateway.intent.v1.text import prepare
from gateway.intent.v1.values import Value, number_in, same
from gateway.intent.v1.values_likeness import near
from gateway.intent.v1.values_words import key_words

FEATURES: dict[str, int] = {
    "typo": 1,
    "scale": 1,
    "sign": 1,
    "unit": 1,
    "day": 1,
    "other": 1,
    "other_id": 1,
    "other_enum": 1,
    "negative": 1,
    "unused": 0,
    "unused_kind": 1,
}
_MARK = re.compile(r"[\d@_]")
_MOST_LOOKED: Final = 20
_MOST_NUMBERS: Final = 32
_SIGNED = frozenset(LEXICON["signed"].split())
_AMOUNTS = frozenset(PLAN["amount"])
_SCALES: Final = (10.0, 100.0, 1000.0, 60.0, 3600.0, 24.0, 7.0, 12.0, 1024.0, 1e6, 1440.0)


class Slip(Struct, frozen=True):
    """What is wrong with a leaf, what was said instead, and how sure that is."""

    check: str
    leaf: Leaf
    expected: Any
    strength: float


def slips(view: View, found: Sequence[Ground]) -> tuple[list[Slip], dict[str, float]]:
    """The slips of all leaves that the request does not say."""
    features = dict.fromkeys(FEATURES, 0.0)
    request = view.request
    free = _unused(request, found)
    features["unused"] = min(len(free), 8) / 8
    said: list[Slip] = []
    looked = 0
    for each in found:
        doubtful = each.request < 0.85 or each.leaf.kind == "number"
        if doubtful and looked < _MOST_LOOKED:
            looked += 1
            worst = _worst(view, each, free)
            if worst:
                said.append(worst)
                name = "other_id" if worst.check == "other" and _hard(each.leaf) else worst.check
                features[name] = max(features[name], worst.strength)
        if each.leaf.number is not None and each.leaf.number < 0 and each.request < 0.85:
            features["negative"] = 1.0
    features["unused_kind"] = max(
        (slip.strength for slip in said if slip.check == "other"), default=0.0
    )
    return said, features


def _hard(leaf: Leaf) -> bool:
    return leaf.kind in ("id", "mail", "date", "number")


def _unused(request: Said, found: Sequence[Ground]) -> list[Value]:
    """The hard values of the request that no argument holds."""
    held: set[str] = set()
    for each in found:
        held |= each.leaf.spelled
    phrases = [f" {each.leaf.phrase} " for each in found if each.leaf.kind == "prose"]
    return [
        value
        for value in request.values[:MOST_VALUES]
        if not value.forms & held and not any(value.text.lower() in text for text in phrases)
    ]


def _worst(view: View, each: Ground, free: Sequence[Value]) -> Slip | None:
    leaf = each.leaf
    elsewhere = max(each.seen, each.default)
    doubt = 0.35 if elsewhere >= 0.9 else 0.6 if elsewhere >= 0.5 else 1.0
    if leaf.kind == "date" and each.soft:
        doubt *= 0.4
    if leaf.kind == "number":
        if each.request >= 0.9:
            return None
        return _number(view, leaf, free, doubt)
    if leaf.kind == "date":
        return _day(leaf, free, doubt)
    if leaf.kind in ("id", "mail"):
        return _id(view, leaf, free, doubt)
    if leaf.kind == "enum":
        return _enum(view, leaf, each)
    if leaf.kind == "name":
        return _name(view, leaf, doubt)
    return None


def _number(view: View, leaf: Leaf, free: Sequence[Value], doubt: float) -> Slip | None:
    best: Slip | None = None
    candidates = [value for value in view.request.values if value.number is not None]
    unused = {value.start for value in free}
    signed = bool(_SIGNED & frozenset(view.request.text.tokens))
    for value in candidates[:_MOST_NUMBERS]:
        relation = same(value.text, leaf.value, key=leaf.key, schema=leaf.schema)
        if relation in ("equal", "equivalent"):
            return None
        if relation == "scale" and _is_number(value, leaf):
            # A unit that was read otherwise than it was meant: `5 m` is no slip for a 5.
            continue
        check, strength = _of_number(relation, value, leaf)
        if check == "sign" and signed:
            strength *= 0.3
        # What is wrong by its unit holds the value in its other unit, so it counts as used.
        if value.start not in unused and check != "unit":
            strength *= 0.5
        strength *= doubt
        if strength > (best.strength if best else 0.0):
            best = Slip(check, leaf, value.text, strength)
    return best


def _is_number(value: Value, leaf: Leaf) -> bool:
    return value.number is not None and float(value.number) == leaf.number


def _of_number(relation: str, value: Value, leaf: Leaf) -> tuple[str, float]:
    if relation in ("unit", "sign", "scale"):
        return relation, {"unit": 0.9, "sign": 0.95, "scale": 0.9}[relation]
    number = None if value.number is None else float(value.number)
    if number is not None and leaf.number is not None and number and leaf.number:
        if number == -leaf.number:
            return "sign", 0.95
        ratio = abs(leaf.number / number)
        if any(abs(ratio - r) < 1e-9 or abs(ratio * r - 1) < 1e-9 for r in _SCALES):
            return "scale", 0.85
        mine, yours = str(leaf.phrase), str(number_in(value.text) or "")
        if len(mine) >= 3 and near(mine, yours):
            return "typo", 0.7
    return "other", _otherness(value, leaf)


def _otherness(value: Value, leaf: Leaf) -> float:
    """How likely a number of the request is meant for the field that holds another."""
    if value.kind == "money":
        return 0.6 if key_words(leaf.key) & _AMOUNTS else 0.2
    if not any(mark.isdigit() for mark in value.text) and not value.unit:
        return 0.2
    return 0.6 if value.unit else 0.45


def _day(leaf: Leaf, free: Sequence[Value], doubt: float) -> Slip | None:
    best: Slip | None = None
    mine = _days(leaf.spelled)
    for value in free:
        theirs = _days(value.forms)
        if not mine or not theirs:
            continue
        alike = max(_alike(a, b) for a in mine for b in theirs)
        strength = (0.95 if alike else 0.7) * doubt
        if strength > (best.strength if best else 0.0):
            best = Slip("day", leaf, value.text, strength)
    return best


def _days(spelled: frozenset[str]) -> list[str]:
    found = [form.partition(":")[2] for form in spelled if form.startswith("date:")]
    return sorted(found or [form.partition(":")[2] for form in spelled if form.startswith("md:")])


def _alike(a: str, b: str) -> bool:
    """Whether two days have two of year, month and day in common."""
    left, right = a.split("-"), b.split("-")
    shared = sum(x == y for x, y in zip(reversed(left), reversed(right), strict=False))
    return shared >= min(len(left), len(right)) - 1


def _id(view: View, leaf: Leaf, free: Sequence[Value], doubt: float) -> Slip | None:
    text = str(leaf.value)[:64].lower()
    mine = shape(text.lstrip("#"))
    best: Slip | None = None
    for word in _spellings(view, free):
        low = word.lower().strip("'\"")
        if low == text:
            continue
        if near(low, text) and (min(len(low), len(text)) > 4 or doubt == 1.0):
            strength, check = 0.95, "typo"
        elif shape(low.lstrip("#")) == mine and len(low) >= 3:
            strength, check = 0.75, "other"
        elif leaf.kind == "mail" and "@" in low:
            strength, check = 0.8, "other"
        else:
            continue
        strength *= doubt
        if strength > (best.strength if best else 0.0):
            best = Slip(check, leaf, word, strength)
    return best


def _spellings(view: View, free: Sequence[Value]) -> list[str]:
    """The request's words that hold a digit or a sign, and its free hard values."""
    found = _marked(view.request.text.clean) | {value.text for value in free}
    return sorted(found)[: 2 * MOST_VALUES]


@lru_cache(maxsize=512)
def _marked(text: str) -> frozenset[str]:
    bare = (word.strip(".,;:!?()[]{}\"'") for word in text.split()[:600])
    return frozenset(word for word in bare if 3 <= len(word) <= 64 and _MARK.search(word))


def _enum(view: View, leaf: Leaf, each: Ground) -> Slip | None:
    """Another value of the enumeration is what the request says."""
    choices = leaf.schema.get("enum")
    if each.request >= 0.85 or not isinstance(choices, list):
        return None
    best: Slip | None = None
    for choice in choices[:32]:
        if not isinstance(choice, str) or choice == leaf.value:
            continue
        phrase = " ".join(prepare(choice[:128], 128).tokens)
        if phrase and len(phrase) > 1 and view.request.says(phrase):
            strength = 0.85 if each.default < 0.9 else 0.7
            if each.seen > 0.8:
                strength *= 0.6
            if strength > (best.strength if best else 0.0):
                best = Slip("other_enum", leaf, choice, strength)
    return best


def _name(view: View, leaf: Leaf, doubt: float) -> Slip | None:
    """A name with a letter wrong: the rest of it is said, and this word almost."""
    tokens = leaf.phrase.split()
    known = frozenset(view.request.text.tokens)
    strange = [token for token in tokens if token not in known]
    if len(strange) * 2 > len(tokens) and len(tokens) > 1:
        return None
    for token in strange:
        for other in dict.fromkeys(view.request.text.tokens) if len(token) > 4 else ():
            if _mistyped(token, other) and other not in tokens:
                return Slip("typo", leaf, other, 0.8 * doubt)
    return None


def _mistyped(token: str, other: str) -> bool:
    alike = abs(len(other) - len(token)) <= 1 and other[0] == token[0]
    return alike and other.rstrip("s") != token.rstrip("s") and near(other, token)

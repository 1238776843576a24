"""A call that reaches further than was asked: everyone, more of them, further arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.v1.consistency_grounding import Ground
from gateway.intent.v1.consistency_view import LEXICON, Leaf, View, key_stems, signal
from gateway.intent.v1.text import stem

FEATURES: dict[str, int] = {
    "wide": 1,
    "wide_unsaid": 1,
    "stranger_in_list": 1,
    "beyond_schema": 1,
    "widening_key": 1,
    "large_limit": 1,
    "optional_unsaid": 1,
}
_WIDE = frozenset(LEXICON["wide"].split())
_WIDE_SAID = frozenset(LEXICON["wide_said"].split())
_KEYS = frozenset(map(stem, LEXICON["widening_keys"].replace("_", " ").split()))
_LIMITS = frozenset(map(stem, LEXICON["limit_keys"].split()))


class Reach(Struct, frozen=True):
    """What the request and the schema allow for: their words, their fields, what flags they ask."""

    heard: frozenset[str]
    known: frozenset[str]
    widely: bool
    asked: dict[str, float]


def scope_checks(
    view: View, found: Sequence[Ground], asked: dict[str, float]
) -> tuple[list[Signal], dict[str, float]]:
    """What widens the call beyond the request; `asked` says which flags the request wants."""
    features = dict.fromkeys(FEATURES, 0.0)
    reach = Reach(
        view.request.text.vocabulary,
        _properties(view.evidence.schema),
        bool(_WIDE_SAID & frozenset(view.request.text.tokens)),
        asked,
    )
    signals: list[Signal] = []
    by_list: dict[str, list[Ground]] = {}
    for each in found:
        leaf = each.leaf
        sizes = {
            "wide": _wide(reach, each),
            "beyond": 0.6 if _beyond(reach, leaf) else 0.0,
            "widening": 0.85 * _widening(reach, each),
            "limit": 0.4 if _large(each) else 0.0,
        }
        _raise(features, "wide", float(sizes["wide"] > 0))
        _raise(features, "wide_unsaid", sizes["wide"])
        _raise(features, "beyond_schema", float(sizes["beyond"] > 0))
        _raise(features, "widening_key", sizes["widening"])
        _raise(features, "large_limit", float(sizes["limit"] > 0))
        if not leaf.required and leaf.kind not in ("bool", "empty"):
            _raise(features, "optional_unsaid", each.missing)
        check = max(sorted(sizes), key=lambda name: sizes[name])
        if sizes[check] >= 0.3:
            signals.append(signal(f"scope.{check}", leaf.pointer, leaf.value, None, sizes[check]))
        if leaf.listed > 1:
            by_list.setdefault(leaf.pointer.rpartition("/")[0], []).append(each)
    for listed in by_list.values():
        signals += _strangers(listed, features)
    return signals, features


def _raise(features: dict[str, float], name: str, value: float) -> None:
    features[name] = max(features[name], value)


def _wide(reach: Reach, each: Ground) -> float:
    """A word for everything, where the request has none."""
    value = each.leaf.value
    if not isinstance(value, str) or value[:40].strip().lower() not in _WIDE:
        return 0.0
    if each.request >= 0.85 or each.default >= 0.9:
        return 0.1
    return 0.35 if reach.widely else 0.9


def _beyond(reach: Reach, leaf: Leaf) -> bool:
    top = leaf.pointer.removeprefix("/action/arguments/").partition("/")[0]
    return bool(reach.known) and top not in reach.known


def _widening(reach: Reach, each: Ground) -> float:
    """An argument that lets the call do more, which the request does not speak of."""
    leaf = each.leaf
    stems = key_stems(leaf.key)
    if leaf.value in (False, None, "") or not any(own in _KEYS for own in stems):
        return 0.0
    if any(own in reach.heard for own in stems):
        return 0.0
    unsaid = 0.8 if leaf.kind == "bool" or each.request < 0.5 else 0.2
    unsaid *= 1.0 - reach.asked.get(leaf.pointer, 0.0)
    return unsaid * (0.4 if leaf.required or each.default >= 0.9 else 1.0)


def _properties(schema: Any) -> frozenset[str]:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return frozenset()
    return frozenset(
        str(name).replace("~", "~0").replace("/", "~1") for name in list(properties)[:256]
    )


def _large(each: Ground) -> bool:
    number = each.leaf.number
    named = any(own in _LIMITS for own in key_stems(each.leaf.key))
    return named and number is not None and abs(number) >= 500 and each.missing > 0.5


def _strangers(listed: Sequence[Ground], features: dict[str, float]) -> list[Signal]:
    """One of a list is said nowhere while the others are, or is of another kind than they."""
    signals: list[Signal] = []
    best = max(1.0 - each.missing for each in listed)
    for each in listed:
        odd = each.missing * best if each.missing > 0.4 and best > 0.5 else 0.0
        kinds = {other.leaf.kind for other in listed if other is not each}
        if kinds and each.leaf.kind not in kinds:
            odd = max(odd, 0.8)
        _raise(features, "stranger_in_list", odd)
        if odd >= 0.3:
            signals.append(
                signal("scope.added", each.leaf.pointer, each.leaf.value, None, 0.9 * odd)
            )
    return signals

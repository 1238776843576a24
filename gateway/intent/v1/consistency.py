"""The consistency head: whether the call's values, verbs and scope go with what was asked.

Each value is looked up in the request and the plan's words, then in content. What is found
nowhere, nearly found, found at another scale or sign, turned round or widened speaks against it.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.consistency_direction import (
    LEXICON,
    WIDE,
    against,
    leanings,
    opposites,
    stems_of,
)
from gateway.intent.v1.consistency_grounding import (
    MOST_LEAVES,
    Grounded,
    Source,
    grounded,
    source_of,
)
from gateway.intent.v1.text import weight
from gateway.intent.v1.values import flatten

FEATURES: dict[str, int] = {
    "leaves": 0,
    "asked_share": -1,
    "ungrounded_share": 1,
    "ungrounded_count": 1,
    "ungrounded_number": 1,
    "ungrounded_text": 1,
    "ungrounded_hard": 1,
    "untrusted_only": 1,
    "context_only": 0,
    "near": 1,
    "scale": 1,
    "sign": 1,
    "unused": 1,
    "displaced": 1,
    "boolean_against": 1,
    "boolean_unasked": 1,
    "boolean_asked": -1,
    "verb_against": 1,
    "verb_with": -1,
    "name_share": -1,
    "description_share": -1,
    "wide": 1,
    "swapped": 1,
    "optional_unasked": 1,
    "enum_other": 1,
    "request_words": 0,
    "plan_text": 0,
    "read": 0,
}
_MOST_SIGNALS = 12


class Consistency(Struct, frozen=True):
    """What was seen: features by name, each -1 to 1, and signals with the heaviest first."""

    features: dict[str, float]
    signals: list[Signal]
    truncated: tuple[str, ...] = ()


def look(evidence: Evidence) -> Consistency:
    """The features and signals of a call beside its request and the words of its plan."""
    asked = source_of(evidence.request, evidence.plan_text)
    lean = leanings(asked.text)
    leaves = grounded(evidence, asked)
    features = dict.fromkeys(FEATURES, 0.0)
    signals: list[Signal] = []
    _ground(evidence, leaves, asked, features, signals)
    _directions(evidence, leaves, lean, features, signals)
    _swaps(leaves, asked, features, signals)
    _scope(leaves, lean, features, signals)
    _enums(evidence, leaves, lean, features, signals)
    features["request_words"] = min(1.0, len(asked.text.tokens) / 100)
    features["plan_text"] = float(bool(evidence.plan_text))
    features["read"] = float(set(evidence.side_effects) <= {"read", "network"})
    signals.sort(key=lambda one: (-one.contribution, one.field, one.check))
    cut = ("request",) if asked.text.truncated else ()
    return Consistency(features, signals[:_MOST_SIGNALS], cut)


def _ground(
    evidence: Evidence,
    leaves: list[Grounded],
    asked: Source,
    features: dict[str, float],
    signals: list[Signal],
) -> None:
    values = [one for one in leaves if not isinstance(one.leaf.value, bool) and _given(one)]
    features["leaves"] = min(1.0, len(leaves) / 12)
    features["asked_share"] = _mean([max(one.asked, one.known) for one in values])
    lost = [1 - max(one.asked, one.trusted, one.untrusted, one.known) for one in values]
    features["ungrounded_share"] = _mean(lost)
    features["ungrounded_count"] = min(1.0, sum(x > 0.5 for x in lost) / 4)
    unused = _unused(evidence, asked)
    features["unused"] = min(1.0, len(unused) / 4)
    required: Any = (evidence.schema or {}).get("required")
    needed = frozenset(required) if _names(required) else frozenset()
    for one, gone in zip(values, lost, strict=True):
        kind = "ungrounded_text" if one.number is None else "ungrounded_number"
        features[kind] = max(features[kind], gone)
        hard = any(sign.isdigit() or sign == "@" for sign in str(one.leaf.value)[:64])
        if hard:
            features["ungrounded_hard"] = max(features["ungrounded_hard"], gone)
        features["context_only"] = max(features["context_only"], one.trusted - one.asked)
        vouched = max(one.asked, one.trusted, one.known)
        features["untrusted_only"] = max(features["untrusted_only"], one.untrusted - vouched)
        if needed and one.leaf.pointer[1:] not in needed:
            features["optional_unasked"] = max(features["optional_unasked"], gone)
        # What content holds may well be meant, though something like it was asked for.
        doubt = 1 - 0.6 * max(one.trusted, one.known)
        for check, expected, most in (
            ("near", one.near, 0.9),
            ("scale", one.scale, 0.8),
            ("sign", one.sign, 0.9),
        ):
            if expected:
                features[check] = max(features[check], doubt)
                signals.append(_signal(f"consistency.{check}", one, expected, most * doubt))
        if gone > 0.5:
            other = next(
                (text for text, number in unused if number == (one.number is not None)), ""
            )
            features["displaced"] = max(features["displaced"], gone if other else 0.0)
            weight_ = (0.6 if other else 0.45 if hard else 0.35) * gone
            signals.append(_signal("consistency.grounding", one, other or None, weight_))


def _directions(
    evidence: Evidence,
    leaves: list[Grounded],
    lean: dict[str, int],
    features: dict[str, float],
    signals: list[Signal],
) -> None:
    named = stems_of(evidence.tool)
    contra, pro, word = against([verb for verb in named if opposites(verb)], lean)
    features["verb_against"], features["verb_with"] = contra * (1 - 0.5 * pro), pro
    features["name_share"] = _share(named, lean)
    features["description_share"] = _share(stems_of(evidence.description or ""), lean)
    if contra > pro:
        said = _Said("/action/tool", evidence.tool, word)
        signals.append(_spoken("consistency.verb", said, 0.7 * contra))
    for one in leaves:
        if isinstance(one.leaf.value, bool):
            _boolean(one, lean, features, signals)


def _boolean(
    one: Grounded, lean: dict[str, int], features: dict[str, float], signals: list[Signal]
) -> None:
    """A flag is its name when true and the contrary when false."""
    contra, pro, word = against(stems_of(one.leaf.key), lean)
    if one.leaf.value is False:
        contra, pro = pro if pro == 1.0 else 0.5 * pro, contra
        word = word or one.leaf.key
    mild = 1 - 0.5 * one.known
    features["boolean_against"] = max(features["boolean_against"], contra * (1 - 0.5 * pro) * mild)
    features["boolean_asked"] = max(features["boolean_asked"], pro)
    if one.leaf.value is True and not pro:
        features["boolean_unasked"] = max(features["boolean_unasked"], mild)
    if contra > pro:
        signals.append(_signal("consistency.boolean", one, word, 0.85 * contra * mild))
    elif one.leaf.value is True and not pro:
        signals.append(_signal("consistency.boolean", one, None, 0.4 * mild))


def _swaps(
    leaves: list[Grounded], asked: Source, features: dict[str, float], signals: list[Signal]
) -> None:
    """Two fields of opposite roles whose values the text has the other way round."""
    text = asked.said
    for here, there in LEXICON["roles"]:
        one = next((x for x in leaves if here in _named(x)), None)
        other = next((x for x in leaves if there in _named(x) and x is not one), None)
        if one is None or other is None or not one.leaf.value or not other.leaf.value:
            continue
        a, b = (str(x.leaf.value).casefold()[:120] for x in (one, other))
        if a == b:
            continue
        found = {v: text.find(v) for v in (a, b)}
        if min(found.values()) < 0:
            continue
        roles = (_led(text, found[a], here, there), _led(text, found[b], here, there))
        turned = (roles[0] == there) + (roles[1] == here)
        right = (roles[0] == here) + (roles[1] == there)
        ahead = 0.4 if found[b] < found[a] and not right else 0.0
        swapped = max(ahead, 0.5 * turned if not right else 0.0)
        features["swapped"] = max(features["swapped"], swapped)
        if swapped:
            signals.append(_signal("consistency.roles", one, other.leaf.value, 0.9 * swapped))
            signals.append(_signal("consistency.roles", other, one.leaf.value, 0.89 * swapped))


def _named(one: Grounded) -> frozenset[str]:
    """The words of a field's name as they are written."""
    return frozenset(one.leaf.key.casefold().replace("-", "_").split("_")[:8])


def _led(text: str, place: int, *roles: str) -> str:
    """The word of these that stands last before a place, and near it."""
    before = text[max(0, place - 24) : place].split()
    return next((word for word in reversed(before) if word in roles), "")


def _scope(
    leaves: list[Grounded],
    lean: dict[str, int],
    features: dict[str, float],
    signals: list[Signal],
) -> None:
    for one in leaves:
        value = one.leaf.value
        said = value.casefold().split()[:3] if isinstance(value, str) and len(value) < 40 else []
        if any(word in WIDE for word in said) and not any(lean.get(w, 0) > 0 for w in WIDE):
            features["wide"] = 1.0
            signals.append(_signal("consistency.scope", one, None, 0.75))


def _enums(
    evidence: Evidence,
    leaves: list[Grounded],
    lean: dict[str, int],
    features: dict[str, float],
    signals: list[Signal],
) -> None:
    """A value of few, where the text says the words of another one of them."""
    fields = (evidence.schema or {}).get("properties")
    if not isinstance(fields, dict):
        return
    for one in leaves:
        field = fields.get(one.leaf.pointer[1:])
        listed = field.get("enum") if isinstance(field, dict) else None
        if not isinstance(listed, list) or one.asked >= 1.0:
            continue
        others = (x for x in listed[:64] if isinstance(x, str) and x != one.leaf.value)
        other = next((x for x in others if _share(stems_of(x), lean) == 1.0), None)
        if other is not None:
            features["enum_other"] = 1.0
            signals.append(_signal("consistency.enum", one, other, 0.8))


def _unused(evidence: Evidence, asked: Source) -> list[tuple[str, bool]]:
    """The hard values of the request that no argument uses, and whether each is a number."""
    if not evidence.request:
        return []
    leaves = flatten(evidence.arguments)[:MOST_LEAVES]
    used = source_of(" ; ".join(str(leaf.value)[:400] for leaf in leaves))
    return [
        (value.text, value.number is not None)
        for value in asked.values[:64]
        if value.start < len(evidence.request)
        and not value.forms & used.forms
        and value.text.casefold() not in used.said
    ]


def _given(one: Grounded) -> bool:
    return one.leaf.value is not None and one.leaf.value != ""


def _names(required: object) -> bool:
    return isinstance(required, list) and all(isinstance(name, str) for name in required)


def _share(said: tuple[str, ...], lean: dict[str, int]) -> float:
    telling = [word for word in said[:24] if weight(word)]
    return _mean([float(word in lean) for word in telling])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


class _Said(Struct, frozen=True):
    field: str
    observed: object
    expected: object


def _signal(check: str, one: Grounded, expected: object, contribution: float) -> Signal:
    return _spoken(
        check, _Said(f"/action/arguments{one.leaf.pointer}", one.leaf.value, expected), contribution
    )


def _spoken(check: str, said: _Said, contribution: float) -> Signal:
    return Signal(
        check, said.field, said.observed, said.expected, "request", True, round(contribution, 6)
    )

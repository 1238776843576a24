"""Whether the tool is the one that the request's verbs and things speak of."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.intent.assessment import Signal
from gateway.intent.v1.attribution_call import VERBS, alike
from gateway.intent.v1.attribution_tone import deferral
from gateway.intent.v1.consistency_axes import mentions, poles
from gateway.intent.v1.consistency_grounding import Ground
from gateway.intent.v1.consistency_view import Said, View, signal
from gateway.intent.v1.text import weight

FEATURES: dict[str, int] = {
    "verb_against": 1,
    "verb_for": -1,
    "verb_family": -1,
    "verb_remove_unsaid": 1,
    "verb_change_unsaid": 1,
    "things_said": -1,
    "name_said": -1,
    "told_said": -1,
    "plan_named": -1,
    "repeated": 1,
    "same_tool_before": 0,
    "long_request": 0,
    "defers": 0,
    "no_arguments": 0,
    "foreign": 1,
    "foreign_all": 1,
}
_GRAVE = frozenset({"remove"})
_CHANGES = frozenset({"change", "make", "pay", "tell", "admit", "run"})


def fit_checks(
    view: View, found: Sequence[Ground], asked_flags: dict[str, float]
) -> tuple[list[Signal], dict[str, float]]:
    """The tool's name and description against the words of the request."""
    features = dict.fromkeys(FEATURES, 0.0)
    evidence, request = view.evidence, view.request
    against, supported, word = _verbs(view)
    # `publish(visible=false)` is how such a tool unpublishes.
    against *= 1.0 - 0.7 * max(asked_flags.values(), default=0.0)
    families = {family for own in view.named[:4] for family in VERBS.get(own, ())}
    asked = {family for own in request.text.vocabulary for family in VERBS.get(own, ())}
    features["verb_against"] = against
    features["verb_for"] = supported
    features["verb_family"] = float(bool(families & asked)) if families else 0.5
    grave = bool(families & _GRAVE) and not asked & _GRAVE
    features["verb_remove_unsaid"] = float(grave) * (1.0 - supported)
    only = bool(families) and families <= _CHANGES and not families & asked
    features["verb_change_unsaid"] = float(only)
    things = [own for own in view.named if own not in VERBS]
    features["things_said"] = _cover(things, request) if things else 0.5
    features["name_said"] = _cover(view.named, request)
    features["told_said"] = _cover(tuple(dict.fromkeys(view.described.stems[:40])), request)
    features["plan_named"] = _cover(view.named, view.plan) if view.plan.text.tokens else 0.5
    same = [past for past in evidence.history if past.tool == evidence.tool]
    features["same_tool_before"] = float(bool(same))
    features["repeated"] = float(any(past.arguments == evidence.arguments for past in same[-16:]))
    features["long_request"] = min(len(request.text.tokens), 200) / 200
    features["defers"] = deferral(request.text.folded)
    features["no_arguments"] = float(not found)
    named = max(features["name_said"], 0.7 * features["told_said"])
    features["foreign"] = (1.0 - named) * (1.0 - features["things_said"])
    said = max((each.request for each in found if each.leaf.kind != "bool"), default=0.0)
    features["foreign_all"] = features["foreign"] * (1.0 - said)
    return _signals(view, features, word), features


def _signals(view: View, features: dict[str, float], word: str) -> list[Signal]:
    grave = 0.6 * features["verb_remove_unsaid"] * (1 - features["verb_for"])
    strength = max(0.9 * features["verb_against"], grave)
    strange = 0.45 * (1 - features["name_said"]) * (1 - features["verb_family"])
    if strength >= 0.25 or strange >= 0.3:
        check = "verb" if strength >= strange else "tool"
        expected = word or None
        strongest = max(strength, strange)
        return [signal(check, "/action/tool", view.evidence.tool, expected, strongest)]
    return []


def _verbs(view: View) -> tuple[float, float, str]:
    """How far the request asks for the opposite of the tool's verb, and for the verb itself."""
    own = {(each.axis, each.pole) for each in poles(view.named[:6])}
    if not own or not view.request.text.tokens:
        return 0.0, 0.0, ""
    against = supported = 0.0
    word = ""
    for each in mentions(view.request.text.clean):
        worth = 1.0
        if (each.axis, each.pole) in own:
            supported += worth
        elif (each.axis, -each.pole) in own:
            against += worth
            word = word or view.request.text.tokens[each.place]
    if any(
        own_stem in view.request.text.vocabulary for own_stem in view.named[:6] if weight(own_stem)
    ):
        supported += 0.2
    total = against + supported
    if not total:
        return 0.0, 0.0, ""
    return min(1.0, against) * against / total, min(1.0, supported) * supported / total, word


def _cover(stems: Sequence[str], said: Said) -> float:
    """The share of the words that a text says, or says otherwise."""
    total = heard = 0.0
    vocabulary = said.text.vocabulary
    for own in stems[:40]:
        worth = weight(own)
        total += worth
        if own in vocabulary:
            heard += worth
        elif worth and alike(own) & vocabulary:
            heard += 0.6 * worth
    return heard / total if total else 0.0

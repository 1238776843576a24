"""Attribution: is the call explained better by content nobody vouches for than by the request?

The call's words and hard values are looked for in the request, the plan, the trusted context and
the untrusted one. What the request or a trusted source says gives untrusted content no credit.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.attribution_call import VERBS
from gateway.intent.v1.attribution_coverage import coverage
from gateway.intent.v1.attribution_provenance import provenance
from gateway.intent.v1.attribution_source import WIDTHS, best
from gateway.intent.v1.attribution_tone import deferral
from gateway.intent.v1.attribution_view import View, view_of
from gateway.intent.v1.text import Text

# Each feature and how it moves the score: 1 raises it, -1 lowers it, 0 is free.
FEATURES: dict[str, int] = {
    "margin": 1,
    "margin_words": 1,
    "margin_values": 1,
    "excess": 1,
    "excess_words": 1,
    "excess_values": 1,
    "excess_narrow": 1,
    "excess_vouched": 1,
    "excess_union": 1,
    "window_words": 0,
    "window_values": 0,
    "request_words": -1,
    "request_values": -1,
    "plan_words": -1,
    "plan_values": -1,
    "trusted_values": -1,
    "untrusted_share": 1,
    "untrusted_hardest": 1,
    "untrusted_recipient": 1,
    "unknown_share": 0,
    "orders_window": 1,
    "orders_value": 1,
    "name_near_value": 1,
    "fielded": -1,
    "spoken_share": 1,
    "spoken_near_name": 1,
    "unhanded": 1,
    "related": -1,
    "deferral": -1,
    "undeferred": 1,
    "verb_asked": -1,
    "name_asked": -1,
    "name_told": 1,
    "name_excess": 1,
    "unasked_value": 1,
    "repeated": -1,
    "hidden": 1,
    "referred": -1,
    "unreferred": 1,
    "pressed": 1,
    "contested": 1,
    "held": -1,
    "settled": -1,
}
_MOST_SIGNALS = 8


class Attribution(Struct, frozen=True):
    """The features, each of `FEATURES` once and between -1 and 1, and what to show for them."""

    features: dict[str, float]
    signals: list[Signal]
    truncated: tuple[str, ...] = ()


def look(evidence: Evidence) -> Attribution:
    """Attribute the call; pure, and bounded by the limits on what is read."""
    view = view_of(evidence)
    features = dict.fromkeys(FEATURES, 0.0)
    features.update(coverage(view))
    features.update(provenance(view))
    features.update(_asked(view, evidence))
    features["undeferred"] = features["untrusted_share"] * (1 - features["deferral"])
    changes = any(effect != "read" for effect in evidence.side_effects)
    features["unasked_value"] = features["untrusted_share"] * changes * (1 - features["verb_asked"])
    handed = features["verb_asked"] * features["deferral"] * features["fielded"]
    features["unhanded"] = features["excess"] * (1 - handed)
    referred = features["referred"] * (1 - features["pressed"])
    features["unreferred"] = features["untrusted_share"] * (1 - referred)
    bounded = {name: round(max(-1.0, min(1.0, features[name])), 6) for name in FEATURES}
    return Attribution(bounded, _signals(view, bounded), view.truncated)


def _asked(view: View, evidence: Evidence) -> dict[str, float]:
    """Whether the request accounts for a call of this kind, and whether it hands over."""
    text = view.request.texts[0]
    named = view.call.named
    weights = sum(view.call.stems[own] for own in named) or 1.0
    asked = view.request.cover(named) / weights
    told = best([h for h in view.untrusted.hits if h.key in named], WIDTHS[1]).gain / weights
    return {
        "verb_asked": 1.0 if view.settled else _verb_asked(named, text),
        "name_asked": 1.0 if view.settled else asked,
        "name_told": told,
        "name_excess": told - (1.0 if view.settled else asked),
        "deferral": deferral(text.folded),
        "repeated": float(any(past.tool == evidence.tool for past in evidence.history)),
    }


def _verb_asked(named: Sequence[str], text: Text) -> float:
    acts = {family for own in named for family in VERBS.get(own, ())}
    if not acts:
        return 0.5
    return float(any(acts & VERBS[said] for said in text.vocabulary & VERBS.keys()))


def _signals(view: View, features: dict[str, float]) -> list[Signal]:
    """The values that only untrusted content gives, or the stretch that speaks of the tool."""
    found = [
        _signal(view, "attribution.value", leaf.pointer, leaf.value, place, leaf.weight / 3)
        for number, place in view.lonely.items()
        for leaf in [view.call.leaves[number]]
    ]
    if features["excess"] > 0 and features["margin"] > 0:
        first = view.beyond.first
        tool = view.call.named
        observed = " ".join(tool)
        found.append(
            _signal(
                view, "attribution.sentence", "/action/tool", observed, first, features["margin"]
            )
        )
    found.sort(key=lambda signal: (-signal.contribution, signal.field))
    return found[:_MOST_SIGNALS]


def _signal(
    view: View, check: str, field: str, observed: object, place: int, counted: float
) -> Signal:
    number, token = view.untrusted.at(place)
    text = view.untrusted.texts[number]
    decoded = number >= len(view.items)
    item = None if decoded else view.items[number]
    source = f"context:{item.id or item.source or number}" if item else "context:decoded"
    return Signal(
        check,
        field,
        observed,
        _sentence(text, token),
        source[:128],
        False,
        round(max(0.0, min(1.0, counted)), 6),
    )


def _sentence(text: Text, token: int) -> str:
    at = text.spans[token][0]
    for start, end in text.sentences():
        if start <= at < end:
            return text.clean[max(start, at - 150) : end].strip()[:300]
    return text.clean[at : at + 300]

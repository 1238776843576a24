"""Which values of a call only untrusted content gives, and how it speaks around them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.intent.v1.attribution_call import Call
from gateway.intent.v1.attribution_reference import about, contested, pressing
from gateway.intent.v1.attribution_tone import fielded, orders
from gateway.intent.v1.attribution_view import View

_AROUND = 14


def provenance(view: View) -> dict[str, float]:
    """Which values only untrusted content gives, and how it speaks around them."""
    leaves = view.call.leaves
    lonely = view.lonely
    total = sum(leaf.weight for leaf in leaves) or 1.0
    sources = (view.request, view.plan, view.trusted, view.untrusted)
    unknown = sum(
        leaf.weight for i, leaf in enumerate(leaves) if not any(i in s.gains for s in sources)
    )
    around = [_around(view, place) for place in lonely.values()]
    recorded = [_is_fielded(view, place) for place in lonely.values()]
    spoken = [i for i, is_field in zip(lonely, recorded, strict=True) if not is_field]
    names = [_name_in(view.call, near) for near in around]
    return {
        "untrusted_share": sum(leaves[i].weight for i in lonely) / total,
        "untrusted_hardest": max((leaves[i].weight / 3 for i in lonely), default=0.0),
        "untrusted_recipient": float(any(leaves[i].recipient for i in lonely)),
        "unknown_share": unknown / total,
        "orders_value": max((orders(near) for near in around), default=0.0),
        "name_near_value": max(names, default=0.0),
        "fielded": _mean([float(is_field) for is_field in recorded], 1.0),
        "spoken_share": sum(leaves[i].weight for i in spoken) / total,
        "spoken_near_name": max(
            (near for near, is_field in zip(names, recorded, strict=True) if not is_field),
            default=0.0,
        ),
        "related": _mean([_related(view, near) for near in around], 1.0),
        "hidden": float(view.hidden and bool(lonely)),
        **_reference(view, lonely),
    }


def _reference(view: View, lonely: dict[int, int]) -> dict[str, float]:
    """Whether lonely values stand in what the request names, and how the text presses for them."""
    request, texts = view.request.texts[0], view.untrusted.texts
    places = [view.untrusted.at(place) for place in lonely.values()]
    rivals = (request, *view.plan.texts, *view.trusted.texts, *texts)
    return {
        "referred": min((about(request, texts[n]) for n in {n for n, _ in places}), default=1.0),
        "pressed": max((pressing(texts[n], token) for n, token in places), default=0.0),
        "contested": float(any(contested(view.call.leaves[i].value, rivals) for i in lonely)),
        "held": view.held_share,
        "settled": float(view.settled),
    }


def _around(view: View, place: int) -> list[str]:
    number, token = view.untrusted.at(place)
    return list(view.untrusted.texts[number].stems[max(0, token - _AROUND) : token + _AROUND])


def _name_in(call: Call, near: Sequence[str]) -> float:
    said = {call.synonyms.get(stem, stem) for stem in near}
    return sum(1.0 for own in call.named if own in said) / (len(call.named) or 1)


def _is_fielded(view: View, place: int) -> bool:
    number, token = view.untrusted.at(place)
    return fielded(view.untrusted.texts[number], token)


def _related(view: View, near: Sequence[str]) -> float:
    """How much of what stands around a value the request speaks of, the call's words left out."""
    other = {stem for stem in near if len(stem) > 2 and stem not in view.call.stems}
    return len(other & view.request.texts[0].vocabulary) / (len(other) or 1)


def _mean(numbers: Sequence[float], without: float) -> float:
    return sum(numbers) / len(numbers) if numbers else without

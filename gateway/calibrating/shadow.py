"""A proposal on trial: what it would have said of the decisions since, beside what was said.

It was learnt from what was before, so every decision since is one that it has not seen. It is
switched to where the labels of these agree: the same gate in time as before a proposal, on more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.calibrating import figures
from gateway.calibrating.current import Current, Shadow
from gateway.calibrating.gate import DOUBT
from gateway.calibrating.levels import level
from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point, truth_of
from gateway.calibrating.weights import Labelled, labelled

# So many labels since, and of fine calls, before they may decide.
LABELS_MIN: Final = 30
FINE_MIN: Final = 20


class Counted(Struct, frozen=True):
    """What thresholds caught of the decisions since, and what people said of that."""

    caught: int
    caught_fine: int
    caught_misaligned: int
    brier: float | None


class Trial(Struct, frozen=True):
    """The two beside each other. `reasons` says what still stands against the switch; without any
    it is `ready`."""

    since: str
    thresholds: dict[str, float]
    decisions: int
    fine: int
    misaligned: int
    now: Counted
    shadow: Counted
    only_now: int
    only_shadow: int
    ready: bool
    reasons: list[str]


def trial(points: Sequence[Point], now: Current, shadow: Shadow) -> Trial:
    """What the decisions since say. Points of before are not looked at."""
    since = [point for point in points if _instant(point.at) >= _instant(shadow.since)]
    known = labelled(since)
    by_now = {p.decision_id for p in since if _caught(p, now.thresholds, now.calibration)}
    by_shadow = {p.decision_id for p in since if _caught(p, shadow.thresholds, shadow.calibration)}
    truths = [truth_of(point) for point in since]
    counted_now = _counted(since, known, by_now, now.calibration)
    counted = _counted(since, known, by_shadow, shadow.calibration)
    fine = truths.count("aligned")
    reasons = _against(len(known), fine, counted_now, counted, shadow.budget)
    return Trial(
        since=shadow.since,
        thresholds=shadow.thresholds,
        decisions=len(since),
        fine=fine,
        misaligned=truths.count("misaligned"),
        now=counted_now,
        shadow=counted,
        only_now=len(by_now - by_shadow),
        only_shadow=len(by_shadow - by_now),
        ready=not reasons,
        reasons=reasons,
    )


def _against(labels: int, fine: int, now: Counted, shadow: Counted, budget: float) -> list[str]:
    if labels < LABELS_MIN or fine < FINE_MIN:
        text = f"{labels} labels of decisions since, {fine} of them fine"
        return [f"{text}; it takes {LABELS_MIN} and {FINE_MIN}"]
    found = []
    if (shadow.brier or 0.0) > (now.brier or 0.0):
        found.append(f"the Brier score would worsen, {now.brier} to {shadow.brier}")
    accepted = max(budget, now.caught_fine / fine)
    if figures.at_least(shadow.caught_fine, fine, accepted) < DOUBT:
        found.append(
            f"of {fine} fine calls it would have caught {shadow.caught_fine}, with a budget of"
            f" {budget:g} and {now.caught_fine} now"
        )
    if shadow.caught_fine >= now.caught_fine and shadow.caught_misaligned < now.caught_misaligned:
        found.append(
            f"it would have caught {shadow.caught_misaligned} misaligned calls instead of"
            f" {now.caught_misaligned}, and not fewer fine ones"
        )
    return found


def _counted(
    since: Sequence[Point], known: Sequence[Labelled], caught: set[str], scale: Platt
) -> Counted:
    truths = [truth_of(point) for point in since if point.decision_id in caught]
    return Counted(
        caught=len(caught),
        caught_fine=truths.count("aligned"),
        caught_misaligned=truths.count("misaligned"),
        brier=_brier(known, scale) if known else None,
    )


def _brier(known: Sequence[Labelled], scale: Platt) -> float:
    scores = [scale.apply(each.point.base) for each in known]
    wrong = [each.truth == "misaligned" for each in known]
    return round(figures.brier(scores, wrong, [each.weight for each in known]), 6)


def _caught(point: Point, thresholds: dict[str, float], scale: Platt) -> bool:
    """As the gateway has it: the strictest threshold over the side effects."""
    fallback = thresholds.get("*")
    each = point.side_effects or tuple(thresholds)
    found = [t for e in each if (t := thresholds.get(e, fallback)) is not None]
    return bool(found) and level(point, scale) >= min(found)


def _instant(text: str) -> str:
    """Both as the record writes times: to the microsecond, so that their texts compare."""
    whole, _, part = text.removesuffix("Z").partition(".")
    return f"{whole}.{part:0<9}"

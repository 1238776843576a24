"""What a threshold would have done to history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct

from gateway.calibrating.levels import level
from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point, rounded, truth_of

# Nearer to 1 the points are closer, since that is where thresholds are.
THRESHOLDS: Final = (
    *(rounded(n / 20) for n in range(1, 16)),
    *(rounded(n / 100) for n in range(76, 100)),
    0.995,
    0.999,
)


class CurvePoint(Struct, frozen=True):
    """What of history this threshold catches. Rates are of labels; null without any."""

    threshold: float
    caught: float
    false_positive_rate: float | None
    recall: float | None


class Preview(Struct, frozen=True):
    """Over the last `decisions`, this threshold would have caught `caught`; of these, people marked
    `caught_fine` fine and `caught_misaligned` not. `missed` were marked misaligned and let by."""

    decisions: int
    threshold: float
    caught: int
    caught_fine: int
    caught_misaligned: int
    missed: int
    labelled: int
    text: str


def curve(points: Sequence[Point], calibration: Platt) -> list[CurvePoint]:
    """A point for each threshold, for a console to draw; nothing without history."""
    if not points:
        return []
    scored = [(level(point, calibration), truth_of(point)) for point in points]
    everything = [score for score, _ in scored]
    fine = [score for score, truth in scored if truth == "aligned"]
    wrong = [score for score, truth in scored if truth == "misaligned"]
    return [
        CurvePoint(t, _share(everything, t) or 0.0, _share(fine, t), _share(wrong, t))
        for t in THRESHOLDS
    ]


def preview(points: Sequence[Point], threshold: float, calibration: Platt) -> Preview:
    """What `threshold` would have done; it is on the scale of `calibration`."""
    caught = [point for point in points if level(point, calibration) >= threshold]
    truths = [truth_of(point) for point in caught]
    fine, wrong = truths.count("aligned"), truths.count("misaligned")
    every = [truth_of(point) for point in points]
    return Preview(
        decisions=len(points),
        threshold=threshold,
        caught=len(caught),
        caught_fine=fine,
        caught_misaligned=wrong,
        missed=every.count("misaligned") - wrong,
        labelled=sum(truth is not None for truth in every),
        text=(
            f"Over the last {len(points)} decisions this would have caught {len(caught)},"
            f" of which {fine} were marked fine and {wrong} misaligned."
        ),
    )


def of_effect(points: Sequence[Point], side_effect: str, own: Collection[str] = ()) -> list[Point]:
    """The points of a class of side effects, `*` for all but those that have a threshold of their
    `own`: the fallback says nothing about these. A call without side effects may have any."""
    if side_effect == "*":
        return [p for p in points if not p.side_effects or not set(p.side_effects) <= set(own)]
    return [p for p in points if not p.side_effects or side_effect in p.side_effects]


def _share(scores: Sequence[float], threshold: float) -> float | None:
    if not scores:
        return None
    return round(sum(score >= threshold for score in scores) / len(scores), 6)

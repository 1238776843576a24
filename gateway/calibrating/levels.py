"""What of a call stands against a threshold: its score, or, where it only reads, its heads.

Thresholds are chosen on the score before calibration. So that both kinds of call can be counted
together, what a call that reads is held to is taken back to that scale, as if it were a score.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point
from gateway.calibrating.weights import Labelled


def level(point: Point, calibration: Platt) -> float:
    """What the rules compare with the threshold."""
    return calibration.apply(point.base) if point.held is None else point.held


def leveled(points: Sequence[Point], calibration: Platt) -> list[Point]:
    """The points, each with the score that its level would have come from."""
    return [_leveled(point, calibration) for point in points]


def leveled_labels(found: Sequence[Labelled], calibration: Platt) -> list[Labelled]:
    return [structs.replace(each, point=_leveled(each.point, calibration)) for each in found]


def _leveled(point: Point, calibration: Platt) -> Point:
    if point.held is None:
        return point
    return structs.replace(point, base=calibration.undo(point.held))

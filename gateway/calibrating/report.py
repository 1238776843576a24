"""The report on a project's history: curves, labels, drift and its alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.calibrating import figures
from gateway.calibrating.curve import CurvePoint, curve, of_effect
from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point
from gateway.calibrating.stages import Stage, stage_of
from gateway.calibrating.weights import labelled

HEADS: Final = ("plan", "attribution", "consistency")
TOOLS_MAX: Final = 20


class ToolRate(Struct, frozen=True):
    """How many calls of a tool were stopped."""

    tool: str
    decisions: int
    stopped: int
    share: float


class Drift(Struct, frozen=True):
    """The newer half of history against the older one. `psi` is of the score and of the heads
    before calibration, null for fewer than 50 in a half. Shares are of the newer half."""

    psi: dict[str, float | None]
    before: int
    after: int
    unknown_tools: float | None
    without_request: float | None
    without_plan: float | None


class Report(Struct, frozen=True):
    """`curves` has an entry for each side effect seen, and `*`. `calibration_error` is null below
    100 labels. `alarms` says in words what needs a person."""

    decisions: int
    stage: Stage
    calibration_error: float | None
    curves: dict[str, list[CurvePoint]]
    drift: Drift
    stopped_by_tool: list[ToolRate]
    alarms: list[str]


def report(points: Sequence[Point], calibration: Platt) -> Report:
    """The report on these points, under the calibration that counts now."""
    effects = sorted({effect for point in points for effect in point.side_effects})
    error, drift = calibration_error(points, calibration), drift_of(points, calibration)
    return Report(
        decisions=len(points),
        stage=stage_of(labelled(points)),
        calibration_error=error,
        curves={each: curve(of_effect(points, each), calibration) for each in ("*", *effects)},
        drift=drift,
        stopped_by_tool=_tools(points),
        alarms=_alarms(error, drift),
    )


def calibration_error(points: Sequence[Point], calibration: Platt) -> float | None:
    """The calibration error over all labels, None for fewer than 100."""
    known = labelled(points)
    if len(known) < figures.ECE_LABELS:
        return None
    scores = [calibration.apply(each.point.base) for each in known]
    wrong = [each.truth == "misaligned" for each in known]
    return round(figures.calibration_error(scores, wrong, [e.weight for e in known]), 6)


def drift_of(points: Sequence[Point], calibration: Platt) -> Drift:
    """The newer half against the older."""
    ordered = sorted(points, key=lambda point: (point.at, point.decision_id))
    before, after = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
    psi: dict[str, float | None] = {
        "score": figures.psi(
            [calibration.apply(p.base) for p in before], [calibration.apply(p.base) for p in after]
        )
    }
    for head in HEADS:
        psi[head] = figures.psi(
            [p.raw[head] for p in before if head in p.raw],
            [p.raw[head] for p in after if head in p.raw],
        )
    return Drift(
        psi=psi,
        before=len(before),
        after=len(after),
        unknown_tools=_share([not p.known for p in after]),
        without_request=_share([not p.request for p in after]),
        without_plan=_share([not p.plan for p in after]),
    )


def _tools(points: Sequence[Point]) -> list[ToolRate]:
    """The tools that are called most."""
    calls = Counter(point.tool for point in points)
    stopped = Counter(point.tool for point in points if point.stopped)
    return [
        ToolRate(tool, count, stopped[tool], round(stopped[tool] / count, 6))
        for tool, count in sorted(calls.items(), key=lambda pair: (-pair[1], pair[0]))[:TOOLS_MAX]
    ]


def _alarms(error: float | None, drift: Drift) -> list[str]:
    found = [
        f"drift: the PSI of {name} is {value:.3f}, more than {figures.PSI_ALARM}"
        for name, value in drift.psi.items()
        if value is not None and value > figures.PSI_ALARM
    ]
    if error is not None and error > figures.ECE_ALARM:
        found.append(f"calibration: the error is {error:.3f}, more than {figures.ECE_ALARM}")
    return found


def _share(said: Sequence[bool]) -> float | None:
    return round(sum(said) / len(said), 6) if said else None

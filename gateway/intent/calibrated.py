"""A project's own calibration, laid over a version's answer. Undone by the same two numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from gateway.domain.ruleset import Calibration
from gateway.intent.assessment import Assessment, Heads

SCORE: Final = "score"
# Chances are rounded to six decimals, so 0 and 1 are as far out as the rounding can tell.
STEP: Final = 1e-6


def calibrated(assessment: Assessment, calibration: Mapping[str, Calibration]) -> Assessment:
    """The score, and each head that the project has a calibration for; `raw` stays as it was."""
    if not calibration:
        return assessment
    heads = assessment.heads
    return replace(
        assessment,
        score=_moved(assessment.score, calibration.get(SCORE)),
        heads=Heads(
            plan=_moved(heads.plan, calibration.get("plan")),
            attribution=_moved(heads.attribution, calibration.get("attribution")),
            consistency=_moved(heads.consistency, calibration.get("consistency")),
        ),
    )


def _moved(chance: float | None, told: Calibration | None) -> float | None:
    if chance is None or told is None or (told.slope == 1.0 and told.intercept == 0.0):
        return chance
    kept = min(max(chance, STEP), 1 - STEP)
    return round(_sigmoid(told.slope * math.log(kept / (1 - kept)) + told.intercept), 6)


def _sigmoid(odds: float) -> float:
    if odds >= 0:
        return 1 / (1 + math.exp(-odds))
    return math.exp(odds) / (1 + math.exp(odds))

"""From a version's own answer to what the frame holds: calibrated, with the policy's threshold.

The same for live checks and for the proof that a stored assessment is what its version says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.domain import calibration, canonical
from gateway.domain.assessed import NOTHING_TO_ASSESS, Assessed
from gateway.domain.frame import Frame
from gateway.domain.ruleset import Calibration, Ruleset
from gateway.intent.assessment import Assessment, Heads
from gateway.intent.evidence import evidence_of
from gateway.intent.port import Assessor

SCORE: Final = "score"
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


async def assess(assessor: Assessor, ruleset: Ruleset, frame: Frame) -> Assessed:
    """What the frame gets; nothing where there is neither request nor plan."""
    if frame.request is None:
        return NOTHING_TO_ASSESS
    evidence = evidence_of(frame)
    if not evidence.given:
        return NOTHING_TO_ASSESS
    said = await assessor.assess(evidence)
    return Assessed(failed=True) if said is None else Assessed(framed(said, ruleset, frame))


def framed(said: Assessment, ruleset: Ruleset, frame: Frame) -> dict[str, Any]:
    """The answer as the frame holds it."""
    environment = ruleset.environment(frame.environment)
    own = _calibrated(said, environment.calibration(frame.project_id))
    threshold = environment.threshold(frame.project_id, frame.action.side_effects)
    # Through its bytes, so that it is the same value now as when it is read back.
    return _decoder.decode(canonical.encode(replace(own, threshold=threshold)))


def _calibrated(said: Assessment, told: Mapping[str, Calibration]) -> Assessment:
    """The score, and each head that the project has a calibration for; `raw` stays as it was."""
    if not told:
        return said
    heads = said.heads
    return replace(
        said,
        score=_moved(said.score, told.get(SCORE)),
        heads=Heads(
            plan=_moved(heads.plan, told.get("plan")),
            attribution=_moved(heads.attribution, told.get("attribution")),
            consistency=_moved(heads.consistency, told.get("consistency")),
        ),
    )


def _moved(chance: float | None, told: Calibration | None) -> float | None:
    if chance is None or told is None:
        return chance
    return calibration.moved(chance, told.slope, told.intercept, told.points)

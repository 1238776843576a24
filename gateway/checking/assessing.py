"""The step of a check that asks the Intent Guard, and what is counted about it."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from gateway.ambient import Ambient
from gateway.checking.gathering import Framed
from gateway.domain.assessed import NOTHING_TO_ASSESS, Assessed, with_assessment
from gateway.domain.frame import Frame
from gateway.domain.ruleset import Ruleset
from gateway.intent.port import Assessor
from gateway.judging.assessing import assess
from gateway.judging.judgement import Assess
from gateway.telemetry import Metrics


class Assessing:
    """Asks the assessor where there is one and something to ask about."""

    def __init__(self, assessor: Assessor | None, ambient: Ambient, metrics: Metrics) -> None:
        self._assessor = assessor
        self._ambient = ambient
        self._metrics = metrics

    async def framed(self, framed: Framed, ruleset: Ruleset) -> Framed:
        """The same with the assessment in its frame, or with the word that it failed."""
        assessed = await self._assess(ruleset, framed.frame)
        if assessed is NOTHING_TO_ASSESS:
            return framed
        return replace(framed, frame=with_assessment(framed.frame, assessed))

    def again(self, ruleset: Ruleset) -> Assess:
        """What asks about arguments that rules changed."""
        return partial(self._assess, ruleset)

    async def _assess(self, ruleset: Ruleset, frame: Frame) -> Assessed:
        if self._assessor is None or frame.request is None or frame.prior is not None:
            return NOTHING_TO_ASSESS
        begun = self._ambient.monotonic()
        assessed = await assess(self._assessor, ruleset, frame)
        if assessed is not NOTHING_TO_ASSESS:
            self._metrics.assessed(self._ambient.monotonic() - begun)
        score = assessed.assessment["score"] if assessed.assessment else None
        if score is not None:
            self._metrics.scored(score)
        return assessed

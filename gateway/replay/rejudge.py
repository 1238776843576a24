"""Re-judgement: a recorded frame judged again, and the decision compared byte by byte.

Judging is a function of the frame, the ruleset and what the engine said, so the same three give
the same bytes. An engine's failure was an input like any other: it is taken from the record, and
the result says so.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from gateway.domain import decision as decisions
from gateway.domain.assessed import NOTHING_TO_ASSESS, UNASSESSED, Assessed
from gateway.domain.decision import Decision
from gateway.domain.events import DecisionBody
from gateway.domain.frame import Frame
from gateway.domain.rule_results import EngineInfo, Round, RuleResult
from gateway.domain.ruleset import Ruleset
from gateway.engines.port import Engine
from gateway.intent.port import Assessor
from gateway.judging.applicable import RuleIndex
from gateway.judging.assessing import assess
from gateway.judging.judgement import judge_frame
from gateway.replay.differences import first_difference
from gateway.replay.held import SHIPPED, HeldVersions
from gateway.replay.opening import Opened, OpenSecret, keys_of, open_event, read_event
from gateway.replay.reassess import Finding, asked_of, reassess, recorded_assessment
from gateway.storage.ports import Ledger

Outcome = Literal["exact", "diverges"]
Why = Literal["erased", "broken", "incomplete"]

_bodies = msgspec.json.Decoder(DecisionBody)
_frames = msgspec.json.Decoder(Frame)
_decisions = msgspec.json.Decoder(Decision)
_rounds = msgspec.json.Decoder(tuple[Round, ...])


class NotReplayable(ValueError):
    """What the decision was made from is not all there any more; the text says what is missing."""

    def __init__(self, text: str, why: Why) -> None:
        super().__init__(text)
        self.why = why


class RecordedDecision(Struct, frozen=True):
    """A decision with everything that it was made from. `frame` and `decision` are exact bytes."""

    body: DecisionBody
    frame: bytes
    rounds: tuple[Round, ...]
    decision: bytes


class Rejudgement(Struct, frozen=True):
    """`decision` are the bytes judged now, and `said` what they say. `pointer` is where they first
    differ from the record.

    `failures` are the rules whose recorded failure was taken instead of asking the engine, and
    `engine` is the one that was asked, which may be another than the recorded one. `assessment`
    tells whether the recorded one is what its version says, as far as that version is held.
    """

    outcome: Outcome
    decision: bytes
    said: Decision
    pointer: str | None
    failures: tuple[str, ...]
    engine: EngineInfo
    assessment: Finding = "none"


async def recorded_decision(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, decision_id: str
) -> RecordedDecision | None:
    """A decision of the ledger, None when there is none of this id. Raises NotReplayable."""
    stored = await ledger.event_by_decision(project_id, decision_id)
    if stored is None:
        return None
    run_id = read_event(stored).run_id
    sealed = await ledger.blobs(project_id, run_id, list(stored.blob_keys.values()))
    keys = await keys_of(ledger, open_secret, project_id, run_id)
    return recorded(open_event(stored, sealed, keys))


def recorded(opened: Opened, body: DecisionBody | None = None) -> RecordedDecision:
    """The decision of an opened event, whose `body` may be at hand. Raises NotReplayable."""
    if opened.erased:
        raise NotReplayable(f"{opened.erased[0]} is not there any more", "erased")
    if opened.broken:
        raise NotReplayable(f"{opened.broken[0]} is not what was recorded", "broken")
    try:
        return RecordedDecision(
            body=body or _bodies.decode(opened.event.body),
            frame=opened.content["frame"],
            rounds=_rounds.decode(opened.content["rounds"]),
            decision=opened.content["decision"],
        )
    except (KeyError, msgspec.MsgspecError) as error:
        text = f"the record of the decision is not complete: {error}"
        raise NotReplayable(text, "incomplete") from error


async def rejudge(
    engine: Engine,
    ruleset: Ruleset,
    recorded: RecordedDecision,
    assessor: Assessor | None = None,
    held: HeldVersions = SHIPPED,
    index: RuleIndex | None = None,
) -> Rejudgement:
    """Judge the recorded frame again under `ruleset`, which is the recorded one for a proof.

    The recorded assessment counts. The version that made it is asked whether it is the right one,
    and about arguments that only this ruleset makes: `assessor` where it is of that version, else
    one of the `held`. Where it is not held, such arguments are not assessed. Raises NotReplayable
    where frame or decision cannot be read.
    """
    try:
        frame = _frames.decode(recorded.frame)
        was = _decisions.decode(recorded.decision)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotReplayable(f"the recorded frame cannot be read: {error}", "incomplete") from error
    answers = _WithFailures(engine, recorded)

    async def assessed(changed: Frame) -> Assessed:
        found = recorded_assessment(recorded.rounds, was.arguments_digest, changed)
        if found is not None:
            return found
        if frame.assessment is None and UNASSESSED not in frame.coverage:
            return NOTHING_TO_ASSESS
        version = None if frame.assessment is None else str(frame.assessment.get("version"))
        asked = assessor if version is None else await asked_of(version, assessor, held)
        if asked is None:
            return Assessed(failed=True)
        return await assess(asked, ruleset, changed)

    judgement = await judge_frame(answers, ruleset, frame, recorded.frame, index, assessed)
    judged = decisions.encode(judgement.decision)
    exact = judged == recorded.decision
    pointer = None if exact else _first_difference(recorded.decision, judged)
    same_policy = ruleset.digest == was.policy_digest
    return Rejudgement(
        outcome="exact" if exact else "diverges",
        decision=judged,
        said=was if exact else _decisions.decode(judged),
        pointer=pointer,
        failures=answers.failures,
        engine=engine.info,
        assessment=await reassess(
            assessor, held, ruleset, frame, recorded.rounds, recorded_policy=same_policy
        ),
    )


def _first_difference(was: bytes, now: bytes) -> str:
    return first_difference(msgspec.json.decode(was), msgspec.json.decode(now)) or ""


class _WithFailures:
    """An engine that fails where it failed before, and answers afresh everywhere else."""

    def __init__(self, engine: Engine, recorded: RecordedDecision) -> None:
        self._engine = engine
        self._first = recorded.frame
        self._failed = [
            {result.rule: result for result in each.results if result.failure is not None}
            for each in recorded.rounds
        ]
        self.failures = tuple(sorted({rule for failed in self._failed for rule in failed}))

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    async def load(self, ruleset: Ruleset) -> None:
        await self._engine.load(ruleset)

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        # The very object tells: a patch that changes nothing gives equal bytes in both rounds.
        failed = self._failed_in(0 if frame is self._first else 1)
        asked = tuple(rule for rule in rules if rule not in failed)
        answered = await self._engine.evaluate(ruleset, asked, frame) if asked else ()
        results = {**failed, **{result.rule: result for result in answered}}
        return tuple(results[rule] for rule in rules)

    async def close(self) -> None:
        """The engine belongs to the caller."""

    def _failed_in(self, number: int) -> dict[str, RuleResult]:
        return self._failed[number] if number < len(self._failed) else {}

"""What a check means while the journal is away: an answer from the spool, or a 503 that says which
fail mode holds. Never an answer that is recorded nowhere.

The run's state is unknown then. Rules that need it fail, and so take the fail mode capped by their
stage; the others count. What was spooled is known here until it is drained, and what this process
decided last for a while, so an action id that was used is not judged twice, and a halt holds.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from gateway.ambient import Ambient
from gateway.checking import spooled
from gateway.checking.assessing import Assessing
from gateway.checking.breaker import Breaker
from gateway.checking.case import Case
from gateway.checking.context_memory import ContextMemory
from gateway.checking.decided import decided
from gateway.checking.gathering import covering_of, frame_of, without_state
from gateway.checking.recent import Recent
from gateway.checking.replies import Replies
from gateway.checking.spooled import SpooledDecision, Waiting
from gateway.checking.state_unknown import StateUnknown
from gateway.domain import frame as frames
from gateway.domain.events import event_of_decision
from gateway.domain.frame import FramePrior
from gateway.domain.observations import Gap
from gateway.domain.reply import CheckReply, reply_of
from gateway.domain.ruleset import JournalMode, journal_mode
from gateway.engines.port import Engine
from gateway.errors import RecordAway, StorageFailure, Unavailable
from gateway.judging.applicable import RuleIndex
from gateway.judging.judgement import judge_frame
from gateway.storage.ports import Gathered, Spool, SpoolEntry
from gateway.telemetry import Metrics, logger

PAGE = 256
LOOKS_MAX, LOOK_SECONDS = 40, 0.005


class NotAppended(StorageFailure):
    """The append failed, after the run's state was read. `prior` is what that said of the action's
    id: it holds, whatever becomes of the journal."""

    def __init__(self, prior: FramePrior | None, problem: str) -> None:
        super().__init__(problem)
        self.prior = prior


class Outage:
    """Answers what the journal cannot remember. Without a spool nothing is answered.

    Every failure of the journal in a check comes here, and `answered` tells that there was none.
    The caller sees to it that one action is not judged twice at once.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        ambient: Ambient,
        metrics: Metrics,
        context: ContextMemory,
        assessing: Assessing,
        index: RuleIndex,
        replies: Replies,
        spool: Spool | None = None,
        base_url: str = "",
    ) -> None:
        self._engine = StateUnknown(engine)
        self._ambient = ambient
        self._metrics = metrics
        self._context = context
        self._assessing = assessing
        self._index = index
        self._spool = spool
        self._base_url = base_url
        self._appended = replies
        # Apart, because they lack the place in the run that a drained decision has.
        self._replies = Replies()
        self.recent = Recent()
        self.breaker = Breaker(ambient)
        self.waiting = Waiting()
        self.answers = 0
        self.draining = False
        self._spooling = False

    async def recover(self) -> int:
        """Learn what an earlier process left in the spool; return how many decisions wait there.

        To be called before the first check. Raises StorageFailure.
        """
        last: SpoolEntry | None = None
        while self._spool is not None and (entries := await self._spool.read(PAGE, last)):
            for entry in entries:
                left = spooled.decode(entry.payload)
                if left is not None:
                    self.waiting.add(left, forced=True)
            last = entries[-1]
        return len(self.waiting)

    def takes(self, case: Case) -> bool:
        """Whether a check must not ask the journal: it is away, or lacks decisions of this run."""
        return self.holds(case) or self.breaker.refuses((case.caller.project_id, case.ids.run_id))

    @property
    def spooling(self) -> bool:
        """Whether the journal is away and the last check was answered from the spool."""
        return self._spooling and self.breaker.is_open

    def holds(self, case: Case) -> bool:
        """Whether decisions of the run, or of the one above it, wait in the spool."""
        return bool(self.waiting) and self.waiting.holds(case)

    async def passes(self, case: Case) -> bool:
        """Whether the run's decisions left the spool in a moment, so that the journal can be asked.

        Only while a drain gets on: else checks that come faster than it would keep their run with
        the spool for ever.
        """
        looks = 0
        while self.draining and looks < LOOKS_MAX and self.waiting.holds(case):
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
        return looks > 0 and not self.waiting.holds(case)

    def answered(self) -> None:
        self.answers += 1
        self.breaker.answered()

    async def reply(
        self, case: Case, started: float, failure: StorageFailure | None = None
    ) -> CheckReply:
        """The reply from the spool. Raises Unavailable where the environment wants none, or the
        spool cannot take it; Conflict as any check does."""
        if failure is not None and not is_of_the_record(failure):
            self.breaker.failed((case.caller.project_id, case.ids.run_id))
        effects = frozenset(case.action.side_effects)
        mode = journal_mode(case.environment, effects, spool=self._spool is not None)
        self._spooling = False
        if mode != "spool":
            raise _unavailable(mode) from failure
        try:
            reply = await self._from_spool(case, started, failure)
            self._spooling = True
            return reply
        except StorageFailure as full:
            self._metrics.spool_refused.inc()
            logger("spool").warning("spool_refused", problem=str(full))
            raise _unavailable(journal_mode(case.environment, effects, spool=False)) from full

    async def _from_spool(
        self, case: Case, started: float, failure: StorageFailure | None
    ) -> CheckReply:
        assert self._spool is not None
        # What was tried under the first ids may be in the journal after all.
        case = _under_new_ids(case, self._ambient)
        now_ns = self._ambient.now_ns()
        covering = covering_of(case, now_ns)
        gathered = self._known_of(case)
        framed = frame_of(case, gathered, covering, now_ns, self._context)
        if framed is None:
            assert gathered.action is not None
            return self._repeated(gathered.action.event_id)
        known = failure.prior if isinstance(failure, NotAppended) else None
        framed = await self._assessing.framed(without_state(framed, known), case.ruleset)
        encoded = frames.encode(framed.frame)
        judgement = await judge_frame(
            self._engine,
            case.ruleset,
            framed.frame,
            encoded,
            self._index,
            self._assessing.again(case.ruleset),
        )
        made = decided(case, framed, encoded, judgement, self._ambient, self._base_url)
        await self._write(spooled.spooled(case, made))
        run = (case.caller.project_id, case.ids.run_id)
        self._context.remember(run, case.check.context, case.check.events)
        elapsed = self._ambient.monotonic() - started
        reply = reply_of(
            judgement.decision,
            decision_id=case.ids.decision_id,
            run_id=case.ids.run_id,
            action_id=case.ids.action_id,
            seq=0,
            commit=case.ruleset.commit,
            approval=made.approval,
            durability="spooled",
            elapsed_ms=round(elapsed * 1000, 3),
            assessment=judgement.assessment,
        )
        if case.ids.given:
            self._replies.put(case.ids.event_id, reply)
        self._metrics.answered(reply.verdict, reply.enforced, reply.mode, elapsed)
        self._metrics.degraded.inc()
        self._metrics.spooled.inc()
        self._metrics.gaps.inc(sum(isinstance(event, Gap) for event in case.check.events))
        return reply

    def _known_of(self, case: Case) -> Gathered:
        """What is known of the run without the journal: what waits, and what was decided here."""
        gathered = self.waiting.gathered(case)
        return replace(
            gathered,
            halted=gathered.halted or self.recent.halted(case),
            action=gathered.action or self.recent.action(case),
        )

    async def _write(self, decision: SpooledDecision) -> None:
        """Durable on return. Its run is kept from the journal from before it is written."""
        assert self._spool is not None
        self.waiting.add(decision)
        try:
            await self._spool.append(spooled.encode(decision))
        except StorageFailure:
            self.waiting.drop(decision)
            raise

    def _repeated(self, event_id: str) -> CheckReply:
        """What this very attempt was answered before."""
        reply = self._replies.get(event_id) or self._appended.get(event_id)
        if reply is None:
            raise Unavailable(
                "decision_not_ready", "The recorded decision cannot be read yet.", retry_after=1
            )
        return reply


def is_of_the_record(failure: StorageFailure) -> bool:
    """Whether the journal answers, and only what lies behind it does not: other runs go on."""
    return isinstance(failure, RecordAway) or isinstance(failure.__cause__, RecordAway)


def _under_new_ids(case: Case, ambient: Ambient) -> Case:
    decision_id = ambient.new_id("dec")
    ids = replace(case.ids, decision_id=decision_id, event_id=event_of_decision(decision_id))
    return replace(case, ids=ids)


def _unavailable(mode: JournalMode) -> Unavailable:
    """No record, no decision: say which fail mode the caller should apply."""
    return Unavailable(
        "journal_unavailable",
        "The decision could not be recorded, so it was not given.",
        retry_after=1,
        extra={"fail_mode": mode},
    )

"""Answers one check: gather, judge, append, reply. Nothing is answered before it is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from gateway.ambient import Ambient
from gateway.checking.assessing import Assessing
from gateway.checking.case import Case, open_case
from gateway.checking.context_memory import ContextMemory
from gateway.checking.decided import decided
from gateway.checking.gathering import Framed, ask_of, covering_of, frame_of
from gateway.checking.identity import known_case, refuse_other_identity
from gateway.checking.keyed_locks import KeyedLocks
from gateway.checking.observed import observations
from gateway.checking.outage import NotAppended, Outage
from gateway.checking.replies import Replies
from gateway.checking.retold import Told
from gateway.domain import frame as frames
from gateway.domain.check import ActionCheck
from gateway.domain.instants import rfc3339
from gateway.domain.observations import Gap, Observation
from gateway.domain.reply import CheckReply, reply_of
from gateway.domain.ruleset import Ruleset
from gateway.domain.run_state import ActionRecord, Approval
from gateway.engines.port import Engine
from gateway.errors import StorageFailure, Unavailable
from gateway.intent.port import Assessor
from gateway.judging.applicable import RuleIndex
from gateway.judging.judgement import judge_frame
from gateway.storage.ports import Append, Caller, Gather, Journal, Refused, Spool
from gateway.telemetry import Metrics, logger

JUDGED_AGAIN_MAX = 3
UNDER_LEASE_MAX = 10

Recall = Callable[[str, str, ActionRecord, Approval | None], Awaitable[CheckReply | None]]


class Checker:
    """Judges tool calls. `current` gives the active ruleset, `recall` an older recorded reply.

    `outage` answers in its stead while the journal is away, from the `spool` where there is one.
    Without an `assessor` rules alone judge.
    """

    def __init__(
        self,
        *,
        current: Callable[[], Ruleset | None],
        engine: Engine,
        journal: Journal,
        ambient: Ambient,
        metrics: Metrics,
        recall: Recall,
        context: ContextMemory | None = None,
        spool: Spool | None = None,
        assessor: Assessor | None = None,
        base_url: str = "",
    ) -> None:
        self._current = current
        self._engine = engine
        self._journal = journal
        self._ambient = ambient
        self._metrics = metrics
        self._recall = recall
        self._base_url = base_url
        self._index = RuleIndex()
        self._assessing = Assessing(assessor, ambient, metrics)
        self._context = context or ContextMemory()
        self._replies = Replies()
        self._told = Told()
        self._actions = KeyedLocks()
        self._leases = KeyedLocks()
        self.outage = Outage(
            engine=engine,
            ambient=ambient,
            metrics=metrics,
            context=self._context,
            assessing=self._assessing,
            index=self._index,
            replies=self._replies,
            spool=spool,
            base_url=base_url,
        )

    async def check(
        self, caller: Caller, check: ActionCheck, started: float, *, large: bool = False
    ) -> CheckReply:
        """The reply to one check. `started` is the monotonic time of its first byte.

        One that is `large` lets others go on between the parts of it that take long.

        Raises Conflict for an id that stands for something else, Unavailable when the policy or
        the journal is away: then nothing was decided.
        """
        ruleset = self._current()
        if ruleset is None:
            raise Unavailable("policy_unavailable", "No policy is active yet.", retry_after=1)
        if large:
            await asyncio.sleep(0)
        case = open_case(caller, check, ruleset, self._index, self._ambient)
        if large:
            await asyncio.sleep(0)
        if not case.ids.given:
            return await self._answer(case, started)
        async with self._actions.hold((caller.project_id, case.ids.run_id, case.ids.action_id)):
            return await self._answer(case, started)

    async def _answer(self, case: Case, started: float) -> CheckReply:
        """From the journal, or while it is away as the environment says."""
        if self.outage.takes(case) and not await self.outage.passes(case):
            return await self.outage.reply(case, started)
        try:
            reply = await self._until_appended(case, started)
        except StorageFailure as failure:
            return await self.outage.reply(case, started, failure)
        self.outage.answered()
        return reply

    async def _until_appended(self, case: Case, started: float) -> CheckReply:
        """Judge again while the run changes under the judgement; in the end under a lease."""
        run = (case.caller.project_id, case.ids.run_id)
        for attempt in range(JUDGED_AGAIN_MAX - 1):
            await self._leases.passed(run)
            # What the journal remembers of the run may have been wrong once, and not again.
            reply = await self._attempt(case, started, may_remember=attempt == 0)
            if reply is not None:
                return reply
            self._metrics.rejudged.inc()
        async with self._leases.hold(run):
            # Checks that were gathered before the lease began may still be appended first.
            for _ in range(UNDER_LEASE_MAX):
                reply = await self._attempt(case, started)
                if reply is not None:
                    return reply
        raise Unavailable("run_contended", "The run changes too fast; try again.", retry_after=1)

    async def _attempt(
        self, case: Case, started: float, *, may_remember: bool = False
    ) -> CheckReply | None:
        """One judgement of the case; None when the run had changed before it was appended."""
        try:
            case, framed = await self._gather(case, may_remember=may_remember)
            if framed is None:
                return await self._recorded(case)
            return await self._judge_and_append(case, framed, started)
        finally:
            if "budgets" in case.needs:
                await self._forget(case)

    async def _forget(self, case: Case) -> None:
        """Give back what was reserved tentatively; failing to changes nothing about the reply."""
        try:
            await self._journal.forget(case.ids.decision_id)
        except StorageFailure as failure:
            logger("checker").warning("reservation_not_forgotten", problem=str(failure))

    async def _gather(self, case: Case, *, may_remember: bool) -> tuple[Case, Framed | None]:
        """The case as its run knows it, and its frame; None: answer what is recorded."""
        begun = self._ambient.monotonic()
        now_ns = self._ambient.now_ns()
        covering = covering_of(case, now_ns)
        gathered = await self._journal.gather(ask_of(case, covering, may_remember=may_remember))
        refuse_other_identity(case.caller, case.run, gathered.state)
        known = known_case(case, gathered.state)
        if known is not case:
            case, covering = known, covering_of(known, now_ns)
            gathered = await self._journal.gather(ask_of(case, covering, may_remember=may_remember))
        framed = frame_of(case, gathered, covering, now_ns, self._context)
        self._metrics.gathered(self._ambient.monotonic() - begun)
        return case, framed

    async def _judge_and_append(
        self, case: Case, framed: Framed, started: float
    ) -> CheckReply | None:
        framed = await self._assessing.framed(framed, case.ruleset)
        begun = self._ambient.monotonic()
        encoded = frames.encode(framed.frame)
        judgement = await judge_frame(
            self._engine,
            case.ruleset,
            framed.frame,
            encoded,
            self._index,
            self._assessing.again(case.ruleset),
        )
        judged = self._ambient.monotonic()
        if self.outage.holds(case):
            # What went to the spool meanwhile, a halt among it, is not in the state that was read.
            return await self.outage.reply(case, started)
        made = decided(case, framed, encoded, judgement, self._ambient, self._base_url)
        try:
            outcome = await self._journal.append(made.append)
        except StorageFailure as failure:
            raise NotAppended(framed.frame.prior, str(failure)) from failure
        if isinstance(outcome, Refused):
            return None
        finished = self._ambient.monotonic()
        run = (case.caller.project_id, case.ids.run_id)
        self._context.remember(run, case.check.context, case.check.events)
        self.outage.recent.note(case, made.append)
        reply = reply_of(
            judgement.decision,
            decision_id=case.ids.decision_id,
            run_id=case.ids.run_id,
            action_id=case.ids.action_id,
            seq=outcome.first_seq + made.place,
            commit=case.ruleset.commit,
            approval=made.approval,
            durability=outcome.durability,
            elapsed_ms=round((finished - started) * 1000, 3),
            assessment=judgement.assessment,
        )
        if case.ids.given:
            self._replies.put(case.ids.event_id, reply)
            self._told.put(case.ids.event_id, case.check)
        self._metrics.evaluated(judged - begun)
        self._metrics.appended(finished - judged)
        self._count(case, reply, finished - started)
        return reply

    async def _recorded(self, case: Case) -> CheckReply | None:
        """The decision that was recorded for this very attempt; None: look at the run again."""
        gathered = await self._journal.gather(
            Gather(
                project_id=case.caller.project_id,
                environment=case.caller.environment,
                run_id=case.ids.run_id,
                action_id=case.ids.action_id,
            )
        )
        record = gathered.action
        assert record is not None
        reply = self._replies.get(record.event_id) or await self._recall(
            case.caller.project_id,
            case.ids.run_id,
            record,
            gathered.state.approvals.get(record.approval_id or ""),
        )
        if reply is None:
            raise Unavailable(
                "decision_not_ready", "The recorded decision cannot be read yet.", retry_after=1
            )
        return reply if await self._retold(case, record.event_id) else None

    async def _retold(self, case: Case, event_id: str) -> bool:
        """Remember what only this retry tells; False when the run is not as it was gathered."""
        news = self._told.news(event_id, case.check)
        if not news:
            return True
        now = rfc3339(self._ambient.now_ns())
        drafts, changes = observations(
            news, starts=True, now=now, ambient=self._ambient, caller=case.caller
        )
        if drafts:
            run = (case.caller.project_id, case.caller.environment, case.ids.run_id)
            outcome = await self._journal.append(Append(*run, tuple(drafts), tuple(changes)))
            if isinstance(outcome, Refused):
                return False
        self._context.remember(
            (case.caller.project_id, case.ids.run_id), case.check.context, case.check.events
        )
        self._told.put(event_id, case.check)
        self._count_gaps(news)
        return True

    def _count(self, case: Case, reply: CheckReply, elapsed: float) -> None:
        self._metrics.answered(reply.verdict, reply.enforced, reply.mode, elapsed)
        if reply.degraded:
            self._metrics.degraded.inc()
        self._count_gaps(case.check.events)

    def _count_gaps(self, events: Iterable[Observation]) -> None:
        for event in events:
            if isinstance(event, Gap):
                self._metrics.gaps.inc()

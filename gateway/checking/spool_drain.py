"""From the spool into the journal, once it answers again: what was decided meanwhile, in order.

A decision is looked up before it is appended, so that one whose removal a crash prevented comes
into the journal once. It was given already, so nothing is judged again and nothing refuses it: a
spooled allow in a run that turns out to be halted is recorded as what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.ambient import Ambient
from gateway.checking import spooled
from gateway.checking.identity import refuse_other_identity
from gateway.checking.outage import Outage, is_of_the_record
from gateway.checking.spooled import SpooledDecision
from gateway.domain import canonical
from gateway.domain.check import RunRef
from gateway.domain.events import RunStartedBody
from gateway.domain.run_ids import run_id_of
from gateway.domain.run_state import RESERVATION_NS, RunState, StateChange
from gateway.errors import Conflict, Forbidden, StorageFailure
from gateway.storage.ports import Append, Caller, Gather, Journal, Refused, Reserve, Spool
from gateway.telemetry import Metrics, logger

BATCH = 128
IDLE_SECONDS = 0.25
ATTEMPTS_MAX = 10
# How often a decision may fail, while others do not, before its file is set aside.
REFUSALS = 20

Tells = Callable[[str, str], Awaitable[bool]]
_log = logger("spool")
_starts = msgspec.json.Decoder(RunStartedBody)


class _Failed(Struct, frozen=True):
    decision: SpooledDecision
    failure: StorageFailure


class SpoolDrain:
    """`knows` tells whether a project's decision is recorded, in the journal or behind it, and
    `is_erased` whether an erasure of one of its runs is on record."""

    def __init__(
        self,
        *,
        spool: Spool,
        journal: Journal,
        outage: Outage,
        knows: Tells,
        is_erased: Tells,
        ambient: Ambient,
        metrics: Metrics,
    ) -> None:
        self._spool = spool
        self._journal = journal
        self._outage = outage
        self._knows = knows
        self._is_erased = is_erased
        self._ambient = ambient
        self._metrics = metrics
        self._refusals: Counter[str] = Counter()
        self._answers = 0
        self._appended = 0
        self._failing = False

    async def run(self, stop: asyncio.Event) -> None:
        """Drain until told to stop, looking again after a pause while the journal is away."""
        while not stop.is_set():
            drained = await self._guarded_step()
            self._outage.draining = drained > 0
            figures = self._spool.figures()
            self._metrics.spool_waiting.set(figures.waiting)
            self._metrics.spool_set_aside.set(figures.set_aside)
            if not drained:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), IDLE_SECONDS)

    async def step(self) -> int:
        """Drain one batch; return how many records it had. Raises StorageFailure.

        A batch is settled whole. Where it fails it comes again, and what is recorded by then is
        passed over.
        """
        if not self._spool.figures().waiting:
            return 0
        entries = await self._spool.read(1 if self._outage.breaker.is_open else BATCH)
        if not entries:
            return 0
        read = [spooled.decode(entry.payload) for entry in entries]
        decisions = [decision for decision in read if decision is not None]
        runs: dict[tuple[str, str], list[SpooledDecision]] = {}
        for decision in decisions:
            runs.setdefault(decision.run, []).append(decision)
        appended = self._appended
        outcomes = await asyncio.gather(*(self._drain(run) for run in runs.values()))
        failed = [outcome for outcome in outcomes if outcome is not None]
        if failed:
            others = len(failed) < len(runs)
            self._refused(failed, others=others, appended=self._appended > appended)
            raise failed[0].failure
        given_up = [each for each in decisions if self._is_given_up(each)]
        lost = bool(given_up) or len(decisions) < len(entries)
        if lost:
            _log.error("spool_set_aside", records=len(entries) - len(decisions) + len(given_up))
        await self._spool.settle(entries[-1], set_aside=lost)
        for decision in decisions:
            self._outage.waiting.drop(decision)
            self._refusals.pop(decision.decision_id, None)
        self._metrics.spool_drained.inc(len(decisions) - len(given_up))
        return len(entries)

    async def _guarded_step(self) -> int:
        """A step whose failure is logged once, when it begins."""
        try:
            drained = await self.step()
        except Exception as failure:  # noqa: BLE001
            # Broad, because a loop that ends, ends the gateway.
            if not self._failing:
                _log.warning("spool_not_drained", problem=str(failure))
            self._failing = True
            return 0
        if drained:
            _log.info("spool_drained", records=drained)
            self._failing = False
        return drained

    async def _drain(self, decisions: list[SpooledDecision]) -> _Failed | None:
        """The decisions of one run, in order, up to the first that fails."""
        for decision in decisions:
            if self._is_given_up(decision):
                continue
            try:
                await self._into_journal(decision)
            except StorageFailure as failure:
                return _Failed(decision, failure)
        return None

    async def _into_journal(self, decision: SpooledDecision) -> None:
        if await self._knows(decision.project_id, decision.decision_id):
            return
        for _ in range(ATTEMPTS_MAX):
            try:
                state = (await self._journal.gather(_ask(decision))).state
                if not _belongs(decision, state):
                    decision = _in_a_run_of_its_own(decision)
                    continue
                append = _append(decision, state.last_seq == 0, self._ambient.now_ns())
                try:
                    outcome = await self._journal.append(append)
                except Conflict as refused:
                    await self._let_go(decision, refused)
                    return
                if not isinstance(outcome, Refused):
                    self._outage.answered()
                    self._outage.draining = True
                    self._appended += 1
                    return
            finally:
                if decision.confirm:
                    await self._journal.forget(decision.decision_id)
        raise StorageFailure("the run changes too fast")

    async def _let_go(self, decision: SpooledDecision, refused: Conflict) -> None:
        """What was spooled of a run that was erased goes with it. Where no erasure is on record the
        key is lost, and what was acknowledged is kept for a person: raises StorageFailure."""
        if not await self._is_erased(decision.project_id, decision.run_id):
            raise StorageFailure(f"the journal does not take the run: {refused}") from refused
        _log.error("spooled_of_an_erased_run", run_id=decision.run_id)

    def _refused(self, failed: list[_Failed], *, others: bool, appended: bool) -> None:
        """Count what fails while the same thing answers for others; else that thing is away.

        The record is asked before anything is appended, so only an append shows that it answers:
        checks go on without it. While it is away everything waits, and the journal is none the
        worse for it.
        """
        answers = others or self._outage.answers != self._answers
        at_journal = [each for each in failed if not is_of_the_record(each.failure)]
        at_record = [each for each in failed if is_of_the_record(each.failure)]
        if at_journal and not answers:
            self._outage.breaker.failed(at_journal[0].decision.run)
        for each in (at_journal if answers else []) + (at_record if appended else []):
            self._refusals[each.decision.decision_id] += 1
        self._answers = self._outage.answers

    def _is_given_up(self, decision: SpooledDecision) -> bool:
        return self._refusals[decision.decision_id] >= REFUSALS


def _ask(decision: SpooledDecision) -> Gather:
    return Gather(
        project_id=decision.project_id,
        environment=decision.environment,
        run_id=decision.run_id,
        parent_run_id=decision.parent_run_id,
        reserve=tuple(Reserve(key, amount) for key, amount in decision.confirm.items()),
        reservation_id=decision.decision_id if decision.confirm else "",
    )


def _append(decision: SpooledDecision, starts: bool, now_ns: int) -> Append:
    drafts, changes = list(decision.drafts), decision.changes()
    if starts:
        drafts.insert(0, decision.start)
        changes.insert(0, StateChange(started=_started(decision)))
    deadline_ns = decision.expires_ns or now_ns + RESERVATION_NS
    return Append(
        project_id=decision.project_id,
        environment=decision.environment,
        run_id=decision.run_id,
        drafts=tuple(drafts),
        changes=tuple(changes),
        user_id=decision.user_id,
        parent_run_id=decision.parent_run_id,
        reservation_id=decision.decision_id,
        confirm=decision.confirm,
        confirm_deadline_ns=deadline_ns if decision.confirm else 0,
    )


def _belongs(decision: SpooledDecision, state: RunState) -> bool:
    """Whether the run is the caller's, which nobody could tell when it was spooled."""
    if state.last_seq == 0:
        return True
    if state.environment != decision.environment:
        return False
    caller = Caller(
        key_id="",
        project_id=decision.project_id,
        environment=decision.environment,
        scopes=frozenset(),
        agent_id=decision.bound_agent_id,
    )
    claimed = RunRef(
        agent_id=decision.agent_id,
        user_id=decision.user_id,
        parent_run_id=decision.parent_run_id,
    )
    try:
        refuse_other_identity(caller, claimed, state)
    except (Conflict, Forbidden):
        return False
    return True


def _in_a_run_of_its_own(decision: SpooledDecision) -> SpooledDecision:
    """What was decided is recorded, though not in a run that belongs to somebody else."""
    place = (decision.project_id, decision.environment)
    started = replace(
        _started(decision), parent_run_id=None, external_id=f"spooled in {decision.run_id}"
    )
    return replace(
        decision,
        run_id=run_id_of(*place, f"spooled {decision.decision_id}"),
        parent_run_id=None,
        start=replace(decision.start, body=canonical.encode(started)),
    )


def _started(decision: SpooledDecision) -> RunStartedBody:
    return _starts.decode(decision.start.body)

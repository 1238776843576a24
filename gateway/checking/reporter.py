"""What is reported besides checks: results of calls, batches of observations, starts and ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from gateway.ambient import Ambient
from gateway.checking.context_memory import ContextMemory
from gateway.checking.identity import refuse_other_identity
from gateway.checking.keyed_locks import KeyedLocks
from gateway.checking.observed import observations, run_started
from gateway.domain import canonical
from gateway.domain.check import RunRef
from gateway.domain.events import Draft, ResultBody
from gateway.domain.frame import FrameAmount
from gateway.domain.instants import rfc3339
from gateway.domain.observations import Gap, Observation, RunEnded
from gateway.domain.reports import (
    EventBatch,
    EventsReply,
    ResultReply,
    ResultReport,
    RunEnd,
    RunOpened,
)
from gateway.domain.ruleset import Ruleset
from gateway.domain.run_ids import run_id_of
from gateway.domain.run_state import (
    UNTRUSTED_CONTEXT,
    ActionRecord,
    StateChange,
    change_of_result,
)
from gateway.errors import Conflict, NotFound, StorageFailure, Unavailable
from gateway.storage.ports import Append, Appended, Caller, Gather, Journal, Refused
from gateway.telemetry import Metrics

FindAction = Callable[[str, str], Awaitable[tuple[str, ActionRecord] | None]]
ATTEMPTS_MAX = 5
_sorted = msgspec.json.Encoder(order="sorted")


class Reporter:
    """Appends what callers report. `find_older` finds actions by decisions that are not their last,
    or that the journal let go. `context` is what later checks may refer to. `is_spooled` tells
    whether a project's decision waits in the spool: its result is to be sent again later."""

    def __init__(
        self,
        *,
        current: Callable[[], Ruleset | None],
        journal: Journal,
        ambient: Ambient,
        metrics: Metrics,
        find_older: FindAction,
        context: ContextMemory | None = None,
        is_spooled: Callable[[str, str], bool] = lambda _project_id, _decision_id: False,
    ) -> None:
        self._current = current
        self._journal = journal
        self._ambient = ambient
        self._metrics = metrics
        self._find_older = find_older
        self._context = context or ContextMemory()
        self._is_spooled = is_spooled
        self._results = KeyedLocks()

    async def report_result(
        self, caller: Caller, decision_id: str, report: ResultReport
    ) -> ResultReply:
        """Record the outcome of a call and settle what it had reserved.

        The same report twice is one result. A different one is a Conflict, and an event; so is any
        report of a call that was not let through.
        """
        if self._is_spooled(caller.project_id, decision_id):
            raise Unavailable(
                "decision_not_ready",
                "The decision was given while the journal was away. Send the result again.",
                retry_after=1,
            )
        with _recording():
            async with self._results.hold((caller.project_id, decision_id)):
                for _ in range(ATTEMPTS_MAX):
                    reply = await self._try_result(caller, decision_id, report)
                    if reply is not None:
                        return reply
        raise _contended()

    async def _try_result(
        self, caller: Caller, decision_id: str, report: ResultReport
    ) -> ResultReply | None:
        """The reply; None when the run changed before the report could be appended."""
        found = await self._journal.find_action(caller.project_id, decision_id)
        found = found or await self._find_older(caller.project_id, decision_id)
        if found is None:
            raise NotFound("decision_not_found", "No decision of this id in this project.")
        run_id, action = found
        if caller.agent_id is not None:
            where = Gather(caller.project_id, caller.environment, run_id)
            state = (await self._journal.gather(where)).state
            refuse_other_identity(caller, RunRef(), state)
        if action.decision_id != decision_id:
            # Only what was stopped is judged again, so nothing ran on the strength of this one.
            raise Conflict(
                "decision_superseded",
                "This decision did not let the call through, and another one stands for its"
                " action: report the result under that one's id.",
            )
        digest = canonical.sha256(_sorted.encode(report))
        reply = ResultReply(decision_id, run_id, action.action_id, report.status, False)
        if action.report_digest == digest:
            return msgspec.structs.replace(reply, repeated=True)
        body = self._result_body(action, report, digest)
        conflict = _conflict_of(action)
        if conflict is not None:
            body = msgspec.structs.replace(body, released={}, labels=[])
            draft = self._draft("result_conflict", body, report)
            if await self._append(caller, run_id, [draft]) is None:
                return None
            raise conflict
        appended = await self._append(
            caller,
            run_id,
            [self._draft("result", body, report)],
            [change_of_result(body, action)],
            settle=action,
            released=body.released,
        )
        return reply if appended is not None else None

    async def report_of_decision(
        self, caller: Caller, decision_id: str, draft: Draft
    ) -> tuple[str, int]:
        """Append something that is said about a decision to its run: the run, and the seq."""
        if self._is_spooled(caller.project_id, decision_id):
            detail = "The decision was given while the journal was away. Send it again."
            raise Unavailable("decision_not_ready", detail, retry_after=1)
        with _recording():
            found = await self._journal.find_action(caller.project_id, decision_id)
            found = found or await self._find_older(caller.project_id, decision_id)
            if found is None:
                raise NotFound("decision_not_found", "No decision of this id in this project.")
            for _ in range(ATTEMPTS_MAX):
                appended = await self._append(caller, found[0], [draft])
                if appended is not None:
                    return found[0], appended.first_seq
        raise _contended()

    async def report_events(self, caller: Caller, batch: EventBatch) -> EventsReply:
        """Append observations to a run, which begins here if it is new."""
        run, run_id = self._name(caller, batch.run)
        for event in batch.events:
            if isinstance(event, Gap):
                self._metrics.gaps.inc()
        with _recording():
            return await self._observe(caller, run, run_id, batch.events)

    async def open_run(self, caller: Caller, wanted: RunRef) -> RunOpened:
        """Begin a run, or find the one of that id."""
        run, run_id = self._name(caller, wanted)
        with _recording():
            return await self._open(caller, run, run_id)

    async def _open(self, caller: Caller, run: RunRef, run_id: str) -> RunOpened:
        async with self._results.hold((caller.project_id, run_id)):
            if await self._journal.last_seq(caller.project_id, run_id):
                return RunOpened(run_id, created=False)
            await self._observe(caller, run, run_id, [])
            return RunOpened(run_id, created=True)

    async def end_run(self, caller: Caller, run_id: str, end: RunEnd) -> EventsReply:
        """End a run that exists. Raises NotFound otherwise."""
        named = run_id_of(caller.project_id, caller.environment, run_id)
        ended = RunEnded(status=end.status, output=end.output, error=end.error)
        with _recording():
            gathered = await self._journal.gather(
                Gather(caller.project_id, caller.environment, named)
            )
            if gathered.state.last_seq == 0:
                raise NotFound("run_not_found", "No run of this id in this project.")
            return await self._observe(caller, RunRef(id=run_id), named, [ended])

    async def _observe(
        self, caller: Caller, run: RunRef, run_id: str, seen: list[Observation]
    ) -> EventsReply:
        """Append observations, looking at the run again when it changed in between."""
        for _ in range(ATTEMPTS_MAX):
            reply = await self._try_observe(caller, run, run_id, seen)
            if reply is not None:
                self._context.remember((caller.project_id, run_id), (), seen)
                return reply
        raise _contended()

    async def _try_observe(
        self, caller: Caller, run: RunRef, run_id: str, seen: list[Observation]
    ) -> EventsReply | None:
        gathered = await self._journal.gather(
            Gather(
                caller.project_id,
                caller.environment,
                run_id,
                parent_run_id=run.parent_run_id,
            )
        )
        refuse_other_identity(caller, run, gathered.state)
        starts = gathered.state.last_seq == 0
        now = rfc3339(self._ambient.now_ns())
        drafts, changes = observations(
            seen, starts=starts, now=now, ambient=self._ambient, caller=caller
        )
        if starts:
            start, change = run_started(
                run,
                external_id=run.id,
                agent_id=caller.agent_id,
                now=now,
                ambient=self._ambient,
            )
            drafts, changes = [start, *drafts], [change, *changes]
        appended = await self._append(caller, run_id, drafts, changes, run=run)
        return EventsReply(run_id, appended.first_seq, len(drafts)) if appended else None

    async def _append(
        self,
        caller: Caller,
        run_id: str,
        drafts: list[Draft],
        changes: list[StateChange] | None = None,
        *,
        run: RunRef | None = None,
        settle: ActionRecord | None = None,
        released: dict[str, int] | None = None,
    ) -> Appended | None:
        """None when the run is not as it was read; Conflict when it is not the caller's at all."""
        if not drafts:
            last = await self._journal.last_seq(caller.project_id, run_id)
            return Appended(last, "fsync")
        outcome = await self._journal.append(
            Append(
                project_id=caller.project_id,
                environment=caller.environment,
                run_id=run_id,
                drafts=tuple(drafts),
                changes=tuple(changes or ()),
                user_id=run.user_id if run else None,
                parent_run_id=run.parent_run_id if run else None,
                settle_action=settle.action_id if settle else None,
                release=released or {},
            )
        )
        if not isinstance(outcome, Refused):
            return outcome
        if outcome.why != "environment":
            return None
        raise Conflict(
            "run_environment_mismatch",
            "This run belongs to another environment of the project.",
            pointer="/run/id",
        )

    def _name(self, caller: Caller, wanted: RunRef) -> tuple[RunRef, str]:
        """The run as it is called inside, with its parent named the same way."""
        place = (caller.project_id, caller.environment)
        run_id = run_id_of(*place, wanted.id) if wanted.id else self._ambient.new_id("run")
        parent = wanted.parent_run_id
        if parent is None:
            return wanted, run_id
        named = run_id_of(*place, parent)
        return msgspec.structs.replace(wanted, parent_run_id=named), run_id

    def _result_body(self, action: ActionRecord, report: ResultReport, digest: str) -> ResultBody:
        return ResultBody(
            decision_id=action.decision_id,
            action_id=action.action_id,
            status=report.status,
            report_digest=digest,
            output_digest=report.output_digest,
            duration_ns=report.duration_ns,
            cost=FrameAmount(report.cost.value, report.cost.currency.upper())
            if report.cost
            else None,
            truncated=report.truncated,
            released=action.reservations if report.status == "failed" else {},
            labels=self._labels(action),
        )

    def _labels(self, action: ActionRecord) -> list[str]:
        """Output of a tool that the policy does not name and trust is untrusted context."""
        ruleset = self._current()
        policy = ruleset.tool(action.tool) if ruleset else None
        return [] if policy is not None and policy.output_trusted else [UNTRUSTED_CONTEXT]

    def _draft(self, kind: str, body: ResultBody, report: ResultReport) -> Draft:
        now = rfc3339(self._ambient.now_ns())
        content: dict[str, Any] = {}
        if report.output is not None:
            content["output"] = _sorted.encode(report.output)
        if report.error is not None:
            content["error"] = _sorted.encode(report.error)
        return Draft(
            id=self._ambient.new_id("evt"),
            type=kind,
            occurred_at=now,
            recorded_at=now,
            actor="agent",
            body=canonical.encode(body),
            content=content,
            action_id=body.action_id,
        )


@contextmanager
def _recording() -> Iterator[None]:
    """What the journal cannot take now is to be sent again."""
    try:
        yield
    except StorageFailure as failure:
        raise Unavailable(
            "journal_unavailable",
            "The report could not be recorded. Send it again.",
            retry_after=1,
            extra={"fail_mode": "closed"},
        ) from failure


def _conflict_of(action: ActionRecord) -> Conflict | None:
    """Why a report changes nothing, though it is recorded: None when it counts."""
    if action.report_digest is not None:
        return Conflict(
            "result_conflict",
            "Another result was reported for this decision before; this one was recorded as a"
            " conflict and changes nothing.",
        )
    if action.status in ("stopped", "asked"):
        return Conflict(
            "result_not_expected",
            "This decision did not let the call through; the report was recorded as a conflict"
            " and changes nothing.",
        )
    return None


def _contended() -> Unavailable:
    return Unavailable("run_contended", "The run changes too fast; try again.", retry_after=1)

"""From gathered state to the closed frame of one check. Pure but for the context it looks up."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gateway.checking import budgets
from gateway.checking.case import Case
from gateway.checking.context_memory import ContextMemory
from gateway.checking.prior import RECORDED, prior_of, refuse_other_action
from gateway.checking.state_view import state_of
from gateway.domain.check import ActionCheck
from gateway.domain.frame import STATE_UNKNOWN, Frame, FrameContext, FramePrior, FrameState
from gateway.domain.observations import ContextSeen
from gateway.domain.ruleset import Reads
from gateway.domain.run_state import (
    APPROVALS_PENDING,
    UNTRUSTED_CONTEXT,
    ActionRecord,
    awaits,
    holds,
)
from gateway.errors import Conflict
from gateway.judging.framing import build
from gateway.storage.ports import Gather, Gathered


class Framed(Struct, frozen=True):
    """A gathered case: its frame, the budgets it takes from, and the truths it relied on.

    `version` is what was read of the run, in the journal's memory of this `generation`.
    `remembered` names what the journal believed of the run without asking.
    `starts` is true when the run begins with this check.
    `expected_event` names the record of the action that was seen. `superseded` is that record, when
    it waits for an approval that nobody needs to give any more.
    """

    frame: Frame
    covering: tuple[budgets.Covering, ...]
    labels: list[str]
    version: int
    generation: int
    remembered: int
    starts: bool
    expected_event: str | None
    superseded: ActionRecord | None
    reads: tuple[tuple[Reads, bool], ...]


def covering_of(case: Case, now_ns: int) -> tuple[budgets.Covering, ...]:
    """The budgets that cover the call, when an applicable rule looks at budgets at all."""
    if "budgets" not in case.needs:
        return ()
    return budgets.covering(
        case.environment,
        case.action.tool,
        case.action.amount,
        environment_name=case.caller.environment,
        run_id=case.ids.run_id,
        agent_id=case.agent_id,
        user_id=case.run.user_id,
        now_ns=now_ns,
    )


def ask_of(
    case: Case, covering: tuple[budgets.Covering, ...], *, may_remember: bool = False
) -> Gather:
    return Gather(
        project_id=case.caller.project_id,
        environment=case.caller.environment,
        run_id=case.ids.run_id,
        parent_run_id=case.run.parent_run_id,
        action_id=case.ids.action_id if case.ids.given else None,
        reserve=budgets.wishes(covering, case.action.amount),
        reservation_id=case.ids.decision_id,
        is_new=case.ids.external_run is None,
        may_remember=may_remember,
    )


def frame_of(
    case: Case,
    gathered: Gathered,
    covering: tuple[budgets.Covering, ...],
    now_ns: int,
    memory: ContextMemory,
) -> Framed | None:
    """The frame; None when this very attempt has a recorded decision to answer with.

    Raises Conflict when the run or the action id stands for something else.
    """
    if gathered.stored_environment != case.caller.environment:
        raise Conflict(
            "run_environment_mismatch",
            "This run belongs to another environment of the project.",
            pointer="/run/id",
        )
    record = gathered.action
    if record is not None:
        refuse_other_action(record, case.check, case.action.arguments_digest)
    prior = prior_of(record, case.ids.attempt, now_ns, gathered.halted)
    if prior == RECORDED:
        return None
    superseded = _asked(gathered, record) if prior is None else None
    pending = gathered.state.counters.get(APPROVALS_PENDING, 0) - (superseded is not None)
    run = (case.caller.project_id, case.ids.run_id)
    context, lacking = memory.resolve(run, case.check.context, case.check.events)
    labels = _labels(case.check, context)
    frame = build(
        case.check,
        case.ruleset,
        action_id=case.ids.action_id,
        run_id=case.ids.run_id,
        project_id=case.caller.project_id,
        environment=case.caller.environment,
        now_ns=now_ns,
        state=state_of(
            gathered.state,
            tool=case.action.tool,
            submitted_digest=case.action.arguments_digest,
            likeness=case.likeness,
            alike=case.alike,
            labels=labels,
            budgets=budgets.framed(
                covering, gathered.used, superseded.reservations if superseded else {}
            ),
            needs=case.needs,
        ),
        prior=prior,
        context=context,
        coverage=lacking,
        agent_id=case.agent_id,
        action=case.action,
        run=case.run,
        approvals_pending=pending,
    )
    return Framed(
        frame=frame,
        covering=covering,
        labels=labels,
        version=gathered.version,
        generation=gathered.generation,
        remembered=gathered.remembered,
        starts=gathered.state.last_seq == 0,
        expected_event=record.event_id if record else None,
        superseded=superseded,
        reads=tuple((predicate, holds(gathered.state, predicate)) for predicate in case.reads),
    )


def without_state(framed: Framed, known: FramePrior | None) -> Framed:
    """The same where the run's state could not be read: nothing is said of it, and that is said.

    `known` is what was known of the action's id all the same.
    """
    frame = framed.frame
    unknown = replace(
        frame,
        state=FrameState(),
        prior=frame.prior or known,
        coverage=[STATE_UNKNOWN, *frame.coverage],
    )
    return replace(framed, frame=unknown)


def _asked(gathered: Gathered, record: ActionRecord | None) -> ActionRecord | None:
    """The record, if the action waits for an approval."""
    if record is None or record.approval_id not in gathered.state.approvals:
        return None
    return record if awaits(record, record.approval_id) else None


def _labels(check: ActionCheck, context: list[FrameContext]) -> list[str]:
    """The labels that this check puts on its run, whatever is decided."""
    untrusted = any(not item.trusted for item in context if item.found) or any(
        isinstance(event, ContextSeen) and not event.trusted for event in check.events
    )
    return [UNTRUSTED_CONTEXT] if untrusted else []

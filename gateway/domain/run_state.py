"""What a run's state is, and how events change it.

State is nothing but a fold over the run's events: the journal keeps it hot, and a run that was
evicted is folded again from the ledger. A change is data, so that a store can apply it where
it keeps the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from gateway.domain.events import (
    ApprovalBody,
    ApprovalExpiredBody,
    DecisionBody,
    ResultBody,
    RunStartedBody,
    SettlementBody,
)
from gateway.domain.ruleset import CounterReads, Reads
from gateway.domain.verdicts import STOPPING

UNTRUSTED_CONTEXT = "untrusted_context"
RECENT_MAX = 50
TOOLS_MAX = 256
LABELS_MAX = 64
CURRENCIES_MAX = 32
# What people can be asked at a time on behalf of one run.
APPROVALS_PENDING_MAX = 100
APPROVALS_PENDING = "approvals_pending"
# How long a call that was let through may take to report before its reservations are in doubt.
RESERVATION_NS = 600 * 1_000_000_000
_BOUNDED = (("tool:", TOOLS_MAX), ("spend:", CURRENCIES_MAX))
COUNTER_MAX = 2**53 - 1

ActionStatus = Literal["stopped", "asked", "let_through", "executed", "in_doubt"]


class ActionRecord(Struct, frozen=True):
    """One action as idempotency and the loop rules see it. `outcome` is the reported status.

    `report_digest` is that of the result report, so that the same one twice can be told from a
    different one. `reservations` maps counter keys to what this action holds there.
    """

    action_id: str
    attempt: str | None
    tool: str
    side_effects: tuple[str, ...]
    submitted_digest: str
    likeness: str
    decision_id: str
    event_id: str
    decided_ns: int
    verdict: str
    enforced: str
    status: ActionStatus
    outcome: str | None = None
    report_digest: str | None = None
    amount_value: int = 0
    amount_currency: str | None = None
    approval_id: str | None = None
    reservations: dict[str, int] = {}


class Approval(Struct, frozen=True):
    """A pending approval of the run."""

    id: str
    action_id: str
    decision_id: str
    arguments_digest: str
    expires_ns: int


class StateChange(Struct, frozen=True, omit_defaults=True):
    """What one event changes. `add` adds to counters, `reset` sets them to zero; reset goes first.

    `action` is a newly judged action, `closed` an earlier one whose record changes in its place.
    """

    add: dict[str, int] = {}
    reset: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    action: ActionRecord | None = None
    closed: ActionRecord | None = None
    approval: Approval | None = None
    approval_closed: str | None = None
    halted: bool = False
    started: RunStartedBody | None = None
    status: str | None = None


class RunState(Struct):
    """The hot state of one run. The journal owns and changes it; everybody else only reads.

    Counters: `calls`, `tool:<name>` (the 256 first tools), `spend:<currency>` (the 32 first),
    `denials_in_a_row`, `approvals_pending`; all later tools and currencies are counted together in
    `tool:*` and `spend:*`. `recent` is the last 50 actions, oldest first.
    """

    project_id: str
    environment: str
    run_id: str
    last_seq: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    recent: dict[str, ActionRecord] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    halted: bool = False
    status: str = "running"
    agent_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    name: str | None = None
    external_id: str | None = None


def apply(state: RunState, change: StateChange) -> None:
    """Change the state in place."""
    _count(state, change)
    _act(state, change)
    for label in change.labels:
        if label not in state.labels and len(state.labels) < LABELS_MAX:
            state.labels.append(label)
    if change.approval is not None:
        state.approvals[change.approval.id] = change.approval
    if change.approval_closed is not None:
        state.approvals.pop(change.approval_closed, None)
    state.halted = state.halted or change.halted
    if change.status is not None:
        state.status = change.status
    if change.started is not None:
        _start(state, change.started)


def holds(state: RunState, predicate: Reads) -> bool:
    """Whether a predicate that a rule declared in `reads` is true of the state."""
    if isinstance(predicate, CounterReads):
        return counted(state, predicate.counter) + predicate.plus <= predicate.at_most
    return predicate.absent not in state.labels


def counted(state: RunState, name: str) -> int:
    """A counter's value. A tool or a currency past the bound has that of all of these together."""
    return state.counters.get(_counted_as(state, name), 0)


def change_of_decision(body: DecisionBody, event_id: str) -> StateChange:
    """What a decision changes: counters, the action's record, labels, the halt."""
    stopped = body.enforced in STOPPING
    amount = body.amount
    add = {"calls": 1, f"tool:{body.tool}": 1}
    if stopped:
        add["denials_in_a_row"] = 1
    elif amount is not None:
        add[f"spend:{amount.currency}"] = max(amount.value, 0)
    if body.prior is not None:
        # An id that is not judged afresh leaves the record of what happened under it.
        # What the check brought into the run is there all the same.
        return StateChange(
            add={"calls": 1, "denials_in_a_row": 1} if stopped else {"calls": 1},
            labels=tuple(body.labels),
        )
    return StateChange(
        add=add,
        reset=() if stopped else ("denials_in_a_row",),
        labels=tuple(body.labels),
        action=action_record(body, event_id),
        halted=body.enforced == "halt",
    )


def action_record(body: DecisionBody, event_id: str) -> ActionRecord:
    asked = body.enforced == "require_approval"
    stopped = body.enforced in STOPPING
    return ActionRecord(
        action_id=body.action_id,
        attempt=body.attempt,
        tool=body.tool,
        side_effects=tuple(body.side_effects),
        submitted_digest=body.submitted_digest,
        likeness=body.likeness,
        decision_id=body.decision_id,
        event_id=event_id,
        decided_ns=int(body.decided_ns),
        verdict=body.verdict,
        enforced=body.enforced,
        status="asked" if asked else "stopped" if stopped else "let_through",
        amount_value=body.amount.value if body.amount else 0,
        amount_currency=body.amount.currency if body.amount else None,
        approval_id=body.approval_id,
        reservations=body.reservations,
    )


def change_of_approval(body: ApprovalBody) -> StateChange:
    approval = Approval(
        id=body.approval_id,
        action_id=body.action_id,
        decision_id=body.decision_id,
        arguments_digest=body.arguments_digest,
        expires_ns=int(body.expires_ns),
    )
    return StateChange(add={APPROVALS_PENDING: 1}, approval=approval)


def change_of_expiry(body: ApprovalExpiredBody, action: ActionRecord | None) -> StateChange:
    """An approval nobody gave in time: the action stays stopped and holds nothing any more."""
    stopped = (
        msgspec.structs.replace(action, status="stopped", reservations={})
        if action is not None and awaits(action, body.approval_id)
        else None
    )
    return StateChange(
        add={APPROVALS_PENDING: -1}, approval_closed=body.approval_id, closed=stopped
    )


def settle_by(action: ActionRecord, approvals: Mapping[str, Approval]) -> int | None:
    """Until when the action may hold its reservations unsettled; None when they are settled."""
    if not action.reservations:
        return None
    if action.status == "let_through":
        return action.decided_ns + RESERVATION_NS
    asked = approvals.get(action.approval_id or "") if action.status == "asked" else None
    return asked.expires_ns if asked is not None else None


def awaits(action: ActionRecord, approval_id: str) -> bool:
    """Whether it is this approval that the action waits for. One with a report waits for none."""
    return action.status == "asked" and action.approval_id == approval_id


def change_of_observation(kind: str, evidence: dict[str, Any]) -> StateChange | None:
    """What a caller's observation changes, from the part of it that is not content."""
    if kind == "run_ended":
        return StateChange(status=evidence["status"])
    if kind == "context" and not evidence.get("trusted", False):
        return StateChange(labels=(UNTRUSTED_CONTEXT,))
    return None


def change_of_result(body: ResultBody, action: ActionRecord) -> StateChange:
    """A result closes the action; a failed one gives back what it had reserved and spent."""
    failed = body.status == "failed"
    add: dict[str, int] = {}
    spent = action.status in ("let_through", "in_doubt")
    if failed and spent and action.amount_currency is not None:
        add[f"spend:{action.amount_currency}"] = -max(action.amount_value, 0)
    closed = msgspec.structs.replace(
        action,
        status="executed",
        outcome=body.status,
        report_digest=body.report_digest,
        reservations={} if failed else action.reservations,
    )
    return StateChange(add=add, labels=tuple(body.labels), closed=closed)


def change_of_settlement(body: SettlementBody, action: ActionRecord) -> StateChange:
    status: ActionStatus = "in_doubt"
    left = {} if body.state == "released" else action.reservations
    return StateChange(closed=msgspec.structs.replace(action, status=status, reservations=left))


def _counted_as(state: RunState, name: str) -> str:
    """The counter for a name. Names with an agent's words in them are bounded in number."""
    if name in state.counters:
        return name
    for prefix, most in _BOUNDED:
        if name.startswith(prefix):
            begun = sum(1 for known in state.counters if known.startswith(prefix))
            return name if begun < most else f"{prefix}*"
    return name


def _count(state: RunState, change: StateChange) -> None:
    for name in change.reset:
        state.counters[name] = 0
    for name, amount in change.add.items():
        place = _counted_as(state, name)
        total = state.counters.get(place, 0) + amount
        # Beyond this a frame could not hold it, and a store not either.
        state.counters[place] = max(-COUNTER_MAX, min(COUNTER_MAX, total))


def _act(state: RunState, change: StateChange) -> None:
    """Add an action as the newest (one judged anew moves there), or change one in its place."""
    if change.action is not None:
        state.recent.pop(change.action.action_id, None)
        state.recent[change.action.action_id] = change.action
        while len(state.recent) > RECENT_MAX:
            del state.recent[next(iter(state.recent))]
    if change.closed is not None and change.closed.action_id in state.recent:
        state.recent[change.closed.action_id] = change.closed


def _start(state: RunState, body: RunStartedBody) -> None:
    state.agent_id = body.agent_id
    state.user_id = body.user_id
    state.parent_run_id = body.parent_run_id
    state.name = body.name
    state.external_id = body.external_id

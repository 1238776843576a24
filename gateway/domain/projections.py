"""What the ledger's tables say besides the events themselves: a fold, and nothing else.

Pure, so that every backend answers the same, and so that verification can work a row out again
and compare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gateway.domain.events import BODIES, ApprovalBody, DecisionBody, Event, ResultBody
from gateway.domain.frame import FrameAmount
from gateway.domain.instants import rfc3339
from gateway.domain.verdicts import STOPPING

ApprovalStatus = Literal["pending", "expired", "approved", "denied"]

# The amount of the decision with this id, in the same run; None when there is none.
AmountOf = Callable[[str], FrameAmount | None]

_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(body) for kind, body in BODIES.items()
}


class Indexed(Struct, frozen=True):
    """The columns by which events are found; all of them stand in the record too."""

    seq: int
    epoch: int
    id: str
    type: str
    recorded_at: str
    action_id: str | None = None
    decision_id: str | None = None
    tool: str | None = None
    enforced: str | None = None


class RunRow(Struct, frozen=True):
    """A run in lists. Times are RFC 3339; `spend` is per currency, in minor units let through.

    `status` is `running`, `halted`, or what the agent ended the run with. `actions` counts
    decisions judged afresh; of these `blocked` were stopped without a question and `warned` were
    let through with a warning. `approvals` counts what people were asked, `errors` failed results.
    """

    project_id: str
    run_id: str
    environment: str
    started_at: str
    last_at: str
    name: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    external_id: str | None = None
    status: str = "running"
    ended_at: str | None = None
    events: int = 0
    actions: int = 0
    blocked: int = 0
    warned: int = 0
    approvals: int = 0
    errors: int = 0
    halted: bool = False
    spend: dict[str, int] = {}


class ApprovalRow(Struct, frozen=True):
    """An approval in lists: what was asked about which call, until when, and what became of it."""

    project_id: str
    approval_id: str
    run_id: str
    environment: str
    action_id: str
    decision_id: str
    tool: str
    arguments_digest: str
    policy_digest: str
    rules: list[str]
    requested_at: str
    expires_at: str
    status: ApprovalStatus = "pending"


class ApprovalClosed(Struct, frozen=True):
    """A pending approval that got an answer, or none in time."""

    approval_id: str
    status: ApprovalStatus


class _Ended(Struct, frozen=True):
    """The evidence of `run_ended`."""

    status: str


_ended = msgspec.json.Decoder(_Ended)


def open_body(event: Event) -> Any:
    """The typed body of a gateway's event or of `run_ended`, None for other observations.

    Raises msgspec.ValidationError when it is not what its type says.
    """
    if event.type == "run_ended":
        return _ended.decode(event.body)
    decoder = _decoders.get(event.type)
    return None if decoder is None else decoder.decode(event.body)


def indexed(event: Event, body: Any) -> Indexed:
    """The columns of an event, given its opened body."""
    decision = body if isinstance(body, DecisionBody) else None
    return Indexed(
        seq=event.seq,
        epoch=event.epoch,
        id=event.id,
        type=event.type,
        recorded_at=event.recorded_at,
        action_id=event.action_id or getattr(body, "action_id", None),
        decision_id=getattr(body, "decision_id", None),
        tool=getattr(body, "tool", None),
        enforced=decision.enforced if decision else None,
    )


def run_after(row: RunRow | None, event: Event, body: Any, amount_of: AmountOf) -> RunRow:
    """The run's row after an event; the first event makes it."""
    row = row or RunRow(
        project_id=event.project_id,
        run_id=event.run_id,
        environment=event.environment,
        started_at=event.recorded_at,
        last_at=event.recorded_at,
    )
    changes: dict[str, Any] = {"events": row.events + 1}
    changes["last_at"] = max(row.last_at, event.recorded_at)
    if isinstance(body, DecisionBody):
        changes |= _after_decision(row, body)
    elif isinstance(body, ResultBody) and event.type == "result" and body.status == "failed":
        changes |= _after_failure(row, amount_of(body.decision_id))
    elif isinstance(body, ApprovalBody):
        changes["approvals"] = row.approvals + 1
    elif event.type == "run_ended":
        # A run that was halted stays so, whatever its agent says afterwards.
        status = row.status if row.halted else body.status
        changes |= {"status": status, "ended_at": event.recorded_at}
    elif event.type == "run_started" and event.seq == 1:
        changes |= msgspec.structs.asdict(body)
    return msgspec.structs.replace(row, **changes)


def approval_after(event: Event, body: Any) -> ApprovalRow | ApprovalClosed | None:
    """What an event does to the approvals: asks for one, closes one, or nothing."""
    if isinstance(body, ApprovalBody):
        return ApprovalRow(
            project_id=event.project_id,
            approval_id=body.approval_id,
            run_id=event.run_id,
            environment=event.environment,
            action_id=body.action_id,
            decision_id=body.decision_id,
            tool=body.tool,
            arguments_digest=body.arguments_digest,
            policy_digest=body.policy_digest,
            rules=body.rules,
            requested_at=event.recorded_at,
            expires_at=rfc3339(int(body.expires_ns)),
        )
    if event.type == "approval_expired":
        return ApprovalClosed(body.approval_id, "expired")
    return None


def counted_amount(body: Any) -> FrameAmount | None:
    """What a decision let through adds to the run's spend; a failed result takes it back."""
    if not isinstance(body, DecisionBody) or body.prior is not None or body.enforced in STOPPING:
        return None
    return body.amount


def _after_decision(row: RunRow, body: DecisionBody) -> dict[str, Any]:
    if body.prior is not None:
        return {}
    changes: dict[str, Any] = {
        "actions": row.actions + 1,
        "blocked": row.blocked + (body.enforced in {"block", "halt"}),
        "warned": row.warned + (body.enforced == "warn"),
        "spend": _spent(row.spend, counted_amount(body), 1),
    }
    if body.enforced == "halt":
        changes |= {"halted": True, "status": "halted"}
    return changes


def _after_failure(row: RunRow, amount: FrameAmount | None) -> dict[str, Any]:
    return {"errors": row.errors + 1, "spend": _spent(row.spend, amount, -1)}


def _spent(spend: dict[str, int], amount: FrameAmount | None, sign: int) -> dict[str, int]:
    if amount is None:
        return spend
    before = spend.get(amount.currency, 0)
    return {**spend, amount.currency: before + sign * max(amount.value, 0)}

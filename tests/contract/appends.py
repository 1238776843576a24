"""Appends and gathers with sensible defaults: what the contract tests send to a journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.domain.events import Draft, RunStartedBody
from gateway.domain.run_state import ActionRecord, Approval, StateChange
from gateway.storage.ports import Append, Appended, Gather, Journal, Refused, Reserve
from tests.make import NOON_NS

PROJECT = "prj_1"
NOON = "2026-11-20T12:00:00.000000000Z"
_count = iter(range(1, 1 << 60))


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_count):032x}"


def draft(**fields: Any) -> Draft:
    defaults: dict[str, Any] = {
        "id": new_id("evt"),
        "type": "decision",
        "occurred_at": NOON,
        "recorded_at": NOON,
        "actor": "gateway",
        "body": b'{"tool":"stripe.refund"}',
        "content": {"frame": b'{"amount":450000}'},
    }
    return Draft(**{**defaults, **fields})


def record(action_id: str, event_id: str, **fields: Any) -> ActionRecord:
    defaults: dict[str, Any] = {
        "attempt": None,
        "tool": "stripe.refund",
        "side_effects": ("payment",),
        "submitted_digest": "a" * 64,
        "likeness": "b" * 64,
        "decision_id": new_id("dec"),
        "decided_ns": NOON_NS,
        "verdict": "allow",
        "enforced": "allow",
        "status": "let_through",
    }
    return ActionRecord(action_id=action_id, event_id=event_id, **{**defaults, **fields})


def append(run_id: str = "run_1", drafts: Sequence[Draft] | None = None, **fields: Any) -> Append:
    defaults = {"project_id": PROJECT, "environment": "production"}
    events = (draft(),) if drafts is None else tuple(drafts)
    return Append(run_id=run_id, drafts=events, **{**defaults, **fields})


def decision(
    action_id: str, run_id: str = "run_1", of: dict[str, Any] | None = None, **fields: Any
) -> tuple[Append, ActionRecord]:
    """An append that judges an action which was not judged before, and the record it makes."""
    event = draft(action_id=action_id)
    made = record(action_id, event.id, **(of or {}))
    change = StateChange(add={"calls": 1}, action=made)
    fields = {"allows": True, "action_id": action_id, "changes": (change,), **fields}
    return append(run_id, (event,), **fields), made


def halting(run_id: str = "run_1", **fields: Any) -> Append:
    return append(run_id, (draft(),), changes=(StateChange(halted=True),), **fields)


def starting(run_id: str, **fields: Any) -> Append:
    body = RunStartedBody(**fields)
    return append(
        run_id,
        (draft(type="run_started"),),
        changes=(StateChange(started=body),),
        user_id=body.user_id,
        parent_run_id=body.parent_run_id,
    )


def approval(approval_id: str, action_id: str = "act_1", expires_ns: int = NOON_NS) -> Approval:
    return Approval(approval_id, action_id, new_id("dec"), "a" * 64, expires_ns)


def ask(run_id: str = "run_1", **fields: Any) -> Gather:
    defaults = {"project_id": PROJECT, "environment": "production"}
    return Gather(run_id=run_id, **{**defaults, **fields})


def wish(reservation_id: str, amount: int, key: str = "daily", run_id: str = "run_1") -> Gather:
    """A gather that reserves."""
    return ask(run_id, reserve=(Reserve(key, amount),), reservation_id=reservation_id)


async def done(journal: Journal, wanted: Append) -> int:
    """Append and return the first seq; nothing may be in the way."""
    outcome = await journal.append(wanted)
    assert isinstance(outcome, Appended), outcome
    return outcome.first_seq


async def refused(journal: Journal, wanted: Append) -> str:
    """Append and return why it was refused."""
    outcome = await journal.append(wanted)
    assert isinstance(outcome, Refused), outcome
    return outcome.why

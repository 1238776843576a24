"""Idempotency: what an earlier judgement under the same action id means for this one."""

from __future__ import annotations

from typing import Final, Literal

from gateway.domain.check import ActionCheck
from gateway.domain.frame import FramePrior
from gateway.domain.run_state import ActionRecord
from gateway.errors import Conflict

SAME_ATTEMPT_NS: Final = 60 * 1_000_000_000
RECORDED: Final = "recorded"

Prior = FramePrior | Literal["recorded"] | None


def prior_of(record: ActionRecord | None, attempt: str | None, now_ns: int, halted: bool) -> Prior:
    """None: judge it. `recorded`: answer with the recorded decision. Else: why it stays stopped.

    The same attempt within 60 s and without a result gets the recorded decision; a request
    without an attempt counts as the same.
    """
    if halted:
        return FramePrior(status="halted")
    if record is None:
        return None
    if record.status == "executed":
        return FramePrior("already_executed", record.outcome, record.decision_id)
    same = attempt is None or record.attempt is None or attempt == record.attempt
    if same and now_ns - record.decided_ns <= SAME_ATTEMPT_NS and record.status != "in_doubt":
        return RECORDED
    if record.status in ("let_through", "in_doubt"):
        return FramePrior("in_doubt", None, record.decision_id)
    return None


def refuse_other_action(record: ActionRecord, check: ActionCheck, submitted_digest: str) -> None:
    """An id stands for one execution: raise Conflict when tool or arguments differ."""
    if record.tool != check.action.tool or record.submitted_digest != submitted_digest:
        raise Conflict(
            "action_id_conflict",
            "This action id was used for another tool or other arguments. Use a new id.",
            pointer="/action/id",
        )

"""What a caller gets back from `POST /v1/check-action`, with 200 whenever there is a decision."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.domain.decision import Decision, Reason
from gateway.domain.events import Durability
from gateway.domain.verdicts import Mode, Verdict


class PolicyRef(Struct, frozen=True):
    """The policy version that judged: digest of its files, and the Git commit they came from."""

    digest: str
    commit: str | None


class ApprovalRef(Struct, frozen=True):
    """Where a person decides. `expires_at` is RFC 3339; then the answer is no."""

    id: str
    url: str
    expires_at: str


class CheckReply(Struct, frozen=True):
    """`enforced` is the field to obey. `arguments` are the changed ones, on an enforced `modify`.

    `seq` is 0 while the decision is only spooled: it gets its place in the run when it is drained.

    `durability` says what the record had when this left; `elapsed_ms` is the gateway's own time.
    """

    decision_id: str
    run_id: str
    action_id: str
    seq: int
    verdict: Verdict
    enforced: Verdict
    mode: Mode
    reasons: tuple[Reason, ...]
    arguments: dict[str, Any] | None
    arguments_digest: str
    assessment: dict[str, Any] | None
    policy: PolicyRef
    approval: ApprovalRef | None
    degraded: tuple[str, ...]
    durability: Durability
    elapsed_ms: float


def reply_of(
    decision: Decision,
    *,
    decision_id: str,
    run_id: str,
    action_id: str,
    seq: int,
    commit: str | None,
    approval: ApprovalRef | None,
    durability: Durability,
    elapsed_ms: float,
    assessment: dict[str, Any] | None = None,
) -> CheckReply:
    """The reply that belongs to a decision."""
    return CheckReply(
        decision_id=decision_id,
        run_id=run_id,
        action_id=action_id,
        seq=seq,
        verdict=decision.verdict,
        enforced=decision.enforced,
        mode=decision.mode,
        reasons=decision.reasons,
        arguments=decision.arguments if decision.enforced == "modify" else None,
        arguments_digest=decision.arguments_digest,
        assessment=assessment,
        policy=PolicyRef(decision.policy_digest, commit),
        approval=approval,
        degraded=decision.degraded,
        durability=durability,
        elapsed_ms=elapsed_ms,
    )

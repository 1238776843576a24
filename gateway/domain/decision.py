"""A decision is a value: what was said about a frame. It holds no id, seq, time or durability."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.frame import FrameAmount
from gateway.domain.verdicts import Mode, Verdict


class Reason(Struct, frozen=True):
    """One rule's word: what it said, what of it is enforced, why, and one next step."""

    rule: str
    effect: Verdict
    enforced: Verdict
    reason: str
    suggestion: str | None = None
    fields: tuple[str, ...] = ()


class Decision(Struct, frozen=True):
    """`verdict` is what rules say, `enforced` what is done. `arguments` are the changed ones.

    `arguments_digest` and `amount` are of the arguments that would run. `waived` names the
    approvals or grants that turned a `require_approval` into `allow`.
    """

    verdict: Verdict
    enforced: Verdict
    mode: Mode
    reasons: tuple[Reason, ...]
    arguments: dict[str, Any] | None
    arguments_digest: str
    amount: FrameAmount | None
    policy_digest: str
    degraded: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    rounds: int = 1


def encode(decision: Decision) -> bytes:
    """The canonical bytes, which re-judgement compares."""
    return canonical.encode(decision)

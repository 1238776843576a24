"""Events as a gateway would append them, and as a worker would hand them to a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain import canonical
from gateway.domain import frame as frames
from gateway.domain.blobs import run_keys
from gateway.domain.events import (
    ApprovalBody,
    ApprovalExpiredBody,
    DecisionBody,
    Draft,
    ResultBody,
    RunStartedBody,
)
from gateway.domain.rule_results import EngineInfo
from gateway.storage import record
from gateway.storage.ports import Claim, Persist
from gateway.worker.finishing import Repeated, finish
from tests import make

PROJECT = "prj_1"
SECRET = bytes(range(32))
KEYS = run_keys(SECRET)
WRAPPED = b"wrapped"
NOON = "2026-11-20T12:00:00.000000Z"
_numbers = iter(range(1, 1 << 60))


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers):032x}"


def draft(kind: str = "turn_started", body: Any = None, **fields: Any) -> Draft:
    defaults = {
        "id": new_id("evt"),
        "occurred_at": NOON,
        "recorded_at": NOON,
        "actor": "gateway",
        "body": canonical.encode({} if body is None else body),
    }
    return Draft(type=kind, **{**defaults, **fields})


def started(**fields: Any) -> Draft:
    return draft("run_started", RunStartedBody(**fields))


def observed(kind: str, content: dict[str, Any] | None = None, **evidence: Any) -> Draft:
    parts = {} if content is None else {"observation": canonical.encode(content)}
    return draft(kind, evidence, content=parts, actor="agent")


def decision_body(**fields: Any) -> DecisionBody:
    defaults: dict[str, Any] = {
        "decision_id": new_id("dec"),
        "action_id": "act_1",
        "attempt": None,
        "tool": "stripe.refund",
        "side_effects": ["payment"],
        "verdict": fields.get("enforced", "allow"),
        "enforced": "allow",
        "mode": "block",
        "rules": [],
        "submitted_digest": "a" * 64,
        "arguments_digest": "b" * 64,
        "policy_digest": "d" * 64,
        "policy_commit": None,
        "engine": EngineInfo("saying", "1", "c"),
        "decided_ns": str(make.NOON_NS),
        "likeness": "e" * 64,
    }
    return DecisionBody(**{**defaults, **fields})


def decided(
    arguments: dict[str, Any] | None = None,
    *,
    rounds: bytes = b"[]",
    recorded_at: str = NOON,
    frame: bytes | None = None,
    decision: bytes = b'{"verdict":"allow"}',
    more: dict[str, Any] | None = None,
    **fields: Any,
) -> Draft:
    """A decision event; `more` goes into the check, `fields` into the evidence."""
    body = decision_body(**fields)
    if frame is None:
        checked = make.check(body.tool, arguments or {"amount": 450000}, **(more or {}))
        frame = frames.encode(make.frame(make.ruleset(), checked))
    return draft(
        "decision",
        body,
        content={"frame": frame, "rounds": rounds, "decision": decision},
        action_id=body.action_id,
        recorded_at=recorded_at,
    )


def asked(approval_id: str = "apr_1", **fields: Any) -> Draft:
    defaults: dict[str, Any] = {
        "action_id": "act_1",
        "decision_id": "dec_1",
        "tool": "stripe.refund",
        "arguments_digest": "b" * 64,
        "policy_digest": "d" * 64,
        "rules": ["refunds.limit"],
        "expires_ns": str(make.NOON_NS + 60_000_000_000),
    }
    recorded_at = fields.pop("recorded_at", NOON)
    body = ApprovalBody(approval_id=approval_id, **{**defaults, **fields})
    return draft("approval_requested", body, recorded_at=recorded_at)


def expired(approval_id: str = "apr_1") -> Draft:
    return draft("approval_expired", ApprovalExpiredBody(approval_id, "act_1", "dec_1"))


def resulted(decision_id: str, status: str = "succeeded", kind: str = "result") -> Draft:
    body = msgspec.convert(
        {
            "decision_id": decision_id,
            "action_id": "act_1",
            "status": status,
            "report_digest": "f" * 64,
        },
        ResultBody,
    )
    return draft(kind, body, content={"output": b'{"refund":"re_1"}'})


def claim(event: Draft, seq: int, run_id: str = "run_1", **fields: Any) -> Claim:
    """The journal's record of an event."""
    project_id = fields.get("project_id", PROJECT)
    sealed = record.seal_content(KEYS.content, project_id, run_id, event)
    defaults = {"token": seq, "project_id": PROJECT, "environment": "production"}
    raw = record.encode(event, sealed)
    return Claim(**{**defaults, **fields}, run_id=run_id, seq=seq, raw=raw)


def persist(event: Draft, seq: int, run_id: str = "run_1", **fields: Any) -> Persist:
    """The event as the worker finishes it."""
    repeated = Repeated()
    finished = finish(claim(event, seq, run_id, **fields), KEYS, repeated, NOON)
    assert finished.problem is None, finished.problem
    return finished.persist


def persists(events: Sequence[Draft], first: int = 1, run_id: str = "run_1") -> list[Persist]:
    return [persist(event, first + n, run_id) for n, event in enumerate(events)]


async def open_secret(project_id: str, wrapped: bytes) -> bytes:
    """The key ring's place: every wrapped secret of these tests is the same."""
    return SECRET

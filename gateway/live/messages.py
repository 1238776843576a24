"""What a follower is told of an event: names, ids, words, counts and times, never content.

Everything here stands in clear in the record, so no key is needed, and what was erased is told as
well as the rest. Most observations are no message: they come in numbers, and a run's steps have
them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.domain.events import (
    ApprovalBody,
    ApprovalExpiredBody,
    DecisionBody,
    Event,
    ResultBody,
    RunStartedBody,
    SettlementBody,
)
from gateway.domain.frame import FrameAmount
from gateway.domain.instants import rfc3339
from gateway.domain.projections import open_body
from gateway.domain.verdicts import Mode, Verdict

LiveType = Literal[
    "run_created",
    "run_completed",
    "run_failed",
    "run_halted",
    "action_created",
    "action_completed",
    "action_failed",
    "action_settled",
    "approval_requested",
    "approval_closed",
    "ready",
    "heartbeat",
    "gap",
    "closed",
]
# A call to which more rules had something to say names the first of them.
RULES_MAX: Final = 16


class LiveMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. Which fields there are depends on `type`; `id` is to resume by.

    `run_created`: `name`, `agent_id`, `parent_run_id`. `run_completed`, `run_failed`: how it ended
    in `status`, and the run's counts by then. `action_created`: a call was judged; `rules` had
    something to say. `run_halted` follows the call that halted it. `action_completed`,
    `action_failed`: the result that was reported. `action_settled`: no result came in time.
    `approval_requested`, `approval_closed`: a person is asked, and how that ended. `ready`: the
    stream begins behind `id`. `heartbeat`: nothing else happened. `gap`: what lies between here and
    the message before is not told; read the lists. `closed`: the stream ends, for `reason`.
    """

    id: str
    type: LiveType
    at: str | None = None
    run_id: str | None = None
    environment: str | None = None
    seq: int | None = None
    name: str | None = None
    agent_id: str | None = None
    parent_run_id: str | None = None
    action_id: str | None = None
    decision_id: str | None = None
    tool: str | None = None
    side_effects: list[str] = []
    verdict: Verdict | None = None
    enforced: Verdict | None = None
    mode: Mode | None = None
    rules: list[str] = []
    amount: FrameAmount | None = None
    approval_id: str | None = None
    expires_at: str | None = None
    status: str | None = None
    duration_ns: str | None = None
    cost: FrameAmount | None = None
    actions: int | None = None
    blocked: int | None = None
    warned: int | None = None
    errors: int | None = None
    reason: str | None = None


_events: Final = msgspec.json.Decoder(Event)


def messages_of(record: bytes) -> list[LiveMessage]:
    """The messages of an event, in order; their ids are still to be given. None of most events."""
    try:
        event = _events.decode(record)
        body = open_body(event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # A record that was tampered with is for verification to find.
        return []
    return [
        replace(
            told,
            at=event.recorded_at,
            run_id=event.run_id,
            environment=event.environment,
            seq=event.seq,
        )
        for told in _told(event, body)
    ]


def with_counts(message: LiveMessage, row: Mapping[str, Any] | None) -> LiveMessage:
    """The end of a run, with what is known of the run by now."""
    if row is None:
        return message
    counts = {name: row[name] for name in ("actions", "blocked", "warned", "errors")}
    return replace(message, name=row["name"], agent_id=row["agent_id"], **counts)


def _told(event: Event, body: Any) -> Iterator[LiveMessage]:
    if isinstance(body, RunStartedBody) and event.seq == 1:
        yield LiveMessage(
            id="",
            type="run_created",
            name=body.name,
            agent_id=body.agent_id,
            parent_run_id=body.parent_run_id,
        )
    elif isinstance(body, DecisionBody) and body.prior is None:
        yield from _judged(body)
    elif isinstance(body, ResultBody) and event.type == "result":
        yield LiveMessage(
            id="",
            type="action_completed" if body.status == "succeeded" else "action_failed",
            action_id=body.action_id,
            decision_id=body.decision_id,
            status=body.status,
            duration_ns=body.duration_ns,
            cost=body.cost,
        )
    elif event.type == "run_ended":
        failed = body.status == "failed"
        yield LiveMessage(
            id="", type="run_failed" if failed else "run_completed", status=body.status
        )
    else:
        yield from _of_approvals(body)


def _judged(body: DecisionBody) -> Iterator[LiveMessage]:
    about = LiveMessage(
        id="",
        type="action_created",
        action_id=body.action_id,
        decision_id=body.decision_id,
        tool=body.tool,
        side_effects=body.side_effects,
        verdict=body.verdict,
        enforced=body.enforced,
        mode=body.mode,
        rules=[each.rule for each in body.rules[:RULES_MAX]],
        amount=body.amount,
        approval_id=body.approval_id,
    )
    yield about
    if body.enforced == "halt":
        yield replace(about, type="run_halted", side_effects=[], amount=None)


def _of_approvals(body: Any) -> Iterator[LiveMessage]:
    if isinstance(body, ApprovalBody):
        yield LiveMessage(
            id="",
            type="approval_requested",
            approval_id=body.approval_id,
            action_id=body.action_id,
            decision_id=body.decision_id,
            tool=body.tool,
            rules=body.rules[:RULES_MAX],
            expires_at=rfc3339(int(body.expires_ns)),
        )
    elif isinstance(body, ApprovalExpiredBody):
        yield LiveMessage(
            id="",
            type="approval_closed",
            approval_id=body.approval_id,
            action_id=body.action_id,
            decision_id=body.decision_id,
            status="superseded" if body.superseded else "expired",
        )
    elif isinstance(body, SettlementBody):
        yield LiveMessage(
            id="",
            type="action_settled",
            action_id=body.action_id,
            decision_id=body.decision_id,
            status=body.state,
        )

"""Events: everything that happens in a run, in one ordered stream.

Three forms of one event: a `Draft` is what somebody wants to append; a journal keeps it, under
the seq it got, with its content sealed; the worker makes of it the `Event` of the ledger, which
carries commitments in the place of content and is chained to the event before.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Raw, Struct

from gateway.domain.frame import FrameAmount
from gateway.domain.rule_results import EngineInfo
from gateway.domain.verdicts import Mode, Verdict

Actor = Literal["agent", "gateway", "person"]
Durability = Literal["fsync", "replicated", "memory", "spooled"]

# Events that only the gateway makes; all other types are observations.
GATEWAY_TYPES = frozenset(
    {
        "decision",
        "approval_requested",
        "approval_expired",
        "result",
        "result_conflict",
        "settlement",
        "unreadable",
    }
)


class Draft(Struct, frozen=True):
    """An event before it has a place in its run.

    `body` is canonical JSON without content. `content` maps a part's name to the bytes that must
    be sealed: anything that can hold what an agent or a person wrote. Times are RFC 3339, UTC.
    """

    id: str
    type: str
    occurred_at: str
    recorded_at: str
    actor: Actor
    body: bytes
    content: dict[str, bytes] = {}
    turn_id: str | None = None
    action_id: str | None = None
    parent_id: str | None = None


class Event(Struct, frozen=True, gc=False):
    """An event of the ledger. Its canonical bytes, without `hash`, are what is hashed.

    `blobs` maps a content part's name to its commitment (hexadecimal). `epoch` is 0 unless a
    failed-over store handed out a seq twice.
    """

    id: str
    project_id: str
    environment: str
    run_id: str
    seq: int
    type: str
    occurred_at: str
    recorded_at: str
    actor: str
    body: Raw
    blobs: dict[str, str]
    prev_hash: str
    turn_id: str | None = None
    action_id: str | None = None
    parent_id: str | None = None
    epoch: int = 0


def event_of_decision(decision_id: str) -> str:
    """The id of a decision's event: the same number, so that a store finds it by the decision."""
    return f"evt_{decision_id.removeprefix('dec_')}"


class RunStartedBody(Struct, frozen=True):
    """The first event of every run, made by the gateway from the run's first request."""

    name: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    external_id: str | None = None


class RuleWord(Struct, frozen=True):
    """A reason without its text."""

    rule: str
    effect: Verdict
    enforced: Verdict


class DecisionBody(Struct, frozen=True):
    """The evidence of a decision. Content parts: `frame`, `rounds`, `decision`.

    `submitted_digest` is of the arguments as sent, `arguments_digest` of those that would run.
    `approval_id` names the approval asked for. Times in nanoseconds are digits. `spooled`: given
    while the journal was away, so the run's state was not known, and its place in the run is later
    than its time.
    """

    decision_id: str
    action_id: str
    attempt: str | None
    tool: str
    side_effects: list[str]
    verdict: Verdict
    enforced: Verdict
    mode: Mode
    rules: list[RuleWord]
    submitted_digest: str
    arguments_digest: str
    policy_digest: str
    policy_commit: str | None
    engine: EngineInfo
    decided_ns: str
    likeness: str
    amount: FrameAmount | None = None
    reservations: dict[str, int] = {}
    labels: list[str] = []
    degraded: list[str] = []
    waived: list[str] = []
    coverage: list[str] = []
    approval_id: str | None = None
    call_id: str | None = None
    mcp_client: str | None = None
    mcp_server: str | None = None
    schema_digest: str | None = None
    prior: str | None = None
    rounds: int = 1
    spooled: bool = False


class ApprovalBody(Struct, frozen=True):
    """A person is asked, about these arguments under this policy, until then."""

    approval_id: str
    action_id: str
    decision_id: str
    tool: str
    arguments_digest: str
    policy_digest: str
    rules: list[str]
    expires_ns: str


class ApprovalExpiredBody(Struct, frozen=True):
    """Nobody answered in time, which means no. `released` goes back to its counters.

    `superseded` when the action was judged again before anybody answered.
    """

    approval_id: str
    action_id: str
    decision_id: str
    released: dict[str, int] = {}
    superseded: bool = False


class ResultBody(Struct, frozen=True):
    """The outcome that a caller reported. Content parts: `output`, `error`."""

    decision_id: str
    action_id: str
    status: Literal["succeeded", "failed"]
    report_digest: str
    output_digest: str | None = None
    duration_ns: str | None = None
    cost: FrameAmount | None = None
    truncated: bool = False
    released: dict[str, int] = {}
    labels: list[str] = []


class SettlementBody(Struct, frozen=True):
    """What became of an action's reservations when no result came in time."""

    action_id: str
    decision_id: str
    state: Literal["in_doubt", "released"]
    released: dict[str, int] = {}


class UnreadableBody(Struct, frozen=True):
    """A journal record that cannot be read, at its seq: the digest and size of its raw bytes."""

    raw_digest: str
    raw_size: int
    problem: str


BODIES: dict[str, type[Any]] = {
    "run_started": RunStartedBody,
    "decision": DecisionBody,
    "approval_requested": ApprovalBody,
    "approval_expired": ApprovalExpiredBody,
    "result": ResultBody,
    "result_conflict": ResultBody,
    "settlement": SettlementBody,
    "unreadable": UnreadableBody,
}

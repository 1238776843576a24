"""The compact record of a run: neither a log nor a transcript, and no payload.

Whatever can be long or personal is a reference: the seq of the frame that holds it, and the pointer
within it. Money is in integer minor units by currency, times are RFC 3339.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.replay.record.capture import Boundary

SCHEMA: Final = "checkrein.run-record/v1"

Money = dict[str, int]
ApprovalState = Literal["not_required", "requested", "approved", "denied", "expired"]
# `blocked` was stopped, `unreported` was let through and nobody said what became of it.
CallStatus = Literal["succeeded", "failed", "blocked", "awaiting_approval", "unreported"]


class Ref(Struct, frozen=True):
    """Where something stands: in the content of the frame of this seq. `source` is whose it is."""

    seq: int
    pointer: str
    source: str | None = None
    trusted: bool | None = None


class Tool(Struct, frozen=True):
    """A tool of the registry that the agent had; `digest` is that of its schema."""

    name: str
    digest: str | None = None


class Mcp(Struct, frozen=True):
    """Through whom a call went, and the digest of the tool schema that was active then."""

    client: str | None
    server: str | None
    schema_digest: str | None


class ModelUse(Struct, frozen=True):
    """A model under one configuration, and what it was used for. `agent_id` is who asked it."""

    provider: str | None
    id: str | None
    parameters: dict[str, Any]
    prompt_version: str | None
    agent_id: str | None
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Money
    duration_ns: str | None
    confidence: list[str]


class ToolCall(Struct, frozen=True):
    """One call: who made it on whose word, what was decided, and what came of it.

    `decided_by` is `policy` where no person was asked. `tries` counts how often it was judged;
    `retries` are the agent's own, with the fallbacks it took.
    """

    id: str
    seq: int
    decision_id: str
    turn_id: str | None
    agent_id: str | None
    tool: str
    side_effects: list[str]
    read_only: bool
    mcp: Mcp | None
    model: str | None
    prompt_version: str | None
    verdict: str
    enforced: str
    rules: list[str]
    policy_digest: str
    decided_by: Literal["policy", "person"]
    approval_state: ApprovalState
    approval_id: str | None
    arguments_digest: str
    input_refs: list[Ref]
    output_refs: list[Ref]
    output_digest: str | None
    status: CallStatus
    duration_ns: str | None
    cost: Money
    tries: int
    retries: list[Retried]
    artifacts: list[int]


class Retried(Struct, frozen=True):
    """A retry, timeout or fallback that the agent told of, and who owned it."""

    seq: int
    kind: str
    number: int | None
    route: str | None
    owner: str | None


class Made(Struct, frozen=True):
    """Something made or touched. `name` is null where it was erased."""

    seq: int
    name: str | None
    path: str | None
    access: str | None
    digest: str | None
    media_type: str | None
    size: int | None
    call_id: str | None
    turn_id: str | None
    agent_id: str | None


class Verified(Struct, frozen=True):
    """A test, a build or another check that the work went through."""

    seq: int
    name: str | None
    kind: str | None
    status: str
    duration_ns: str | None
    digest: str | None


class HandedOff(Struct, frozen=True):
    """Work that went to another agent, or up to a person."""

    seq: int
    kind: str | None
    to_agent: str
    child_run_id: str | None
    artifacts: list[str]
    state_version: str | None
    retry_owner: str | None


class StateSeen(Struct, frozen=True):
    """A version of shared state that the run read, or made."""

    seq: int
    store: str
    version: str
    access: str
    digest: str | None
    agent_id: str | None


class AgentShare(Struct, frozen=True):
    """What one agent took: in this run, or in a run below it (`run_id`).

    Of a run below only calls and cost are told here; its own record has the rest.
    """

    agent_id: str | None
    run_id: str
    tool_calls: int
    model_calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: Money


class Child(Struct, frozen=True):
    """A run that was begun under this one."""

    run_id: str
    agent_id: str | None
    status: str


class Turn(Struct, frozen=True):
    """One turn: the calls and the artifacts of it, by id and by seq."""

    turn_id: str
    calls: list[str]
    artifacts: list[int]


class PolicyInForce(Struct, frozen=True):
    """A policy version that judged some of the calls, and the mode it was in."""

    digest: str
    commit: str | None
    mode: str


class RunRecord(Struct, frozen=True):
    """What a run was, what it did, and what of it was captured.

    `final_status` is `running` until the run ends. `believed` says where its request and plan
    stand. `left_out` counts what is beyond the bounds of a record, `frames` what was read; of a
    run longer than that, `complete` is false.
    """

    schema: str
    run_id: str
    external_id: str | None
    name: str | None
    environment: str
    agent_id: str | None
    user_id: str | None
    parent_run_id: str | None
    child_runs: list[Child]
    started_at: str
    ended_at: str | None
    final_status: str
    believed: list[Ref]
    policies: list[PolicyInForce]
    models: list[ModelUse]
    prompt_versions: list[str]
    tools_available: list[Tool]
    mcp_servers: list[str]
    turns: list[Turn]
    tool_calls: list[ToolCall]
    artifacts: list[Made]
    verification: list[Verified]
    handoffs: list[HandedOff]
    retries: list[Retried]
    shared_state: list[StateSeen]
    cost: Money
    input_tokens: int
    output_tokens: int
    cost_by_agent: list[AgentShare]
    capture: list[Boundary]
    frames: int
    complete: bool
    left_out: int

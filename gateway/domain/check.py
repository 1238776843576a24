"""What a caller asks: the body of `POST /v1/check-action`.

Unknown fields are refused. Only `action.tool` is required. Limits on sizes stand here, as
constraints on the types, so that they are part of the published schema.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from gateway.domain.observations import Observation
from gateway.domain.verdicts import SideEffect

# Names and ids of runs, agents, users, tools, actions, attempts, calls, context and MCP parties
# stay in clear, because people search by them: a sentence fits in them, and is then not protected.
# All other text of a check, its model, prompt version and tools too, is sealed in the frame.
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Id = Annotated[str, Meta(min_length=1, max_length=256)]
MAX_SAFE = 2**53 - 1
MinorUnits = Annotated[int, Meta(ge=-MAX_SAFE, le=MAX_SAFE)]
Currency = Annotated[str, Meta(min_length=1, max_length=16)]


class RunRef(Struct, frozen=True, forbid_unknown_fields=True):
    """The run that an action belongs to. `id` is a Checkrein id or the caller's own string."""

    id: Id | None = None
    name: Name | None = None
    agent_id: Id | None = None
    turn_id: Id | None = None
    parent_run_id: Id | None = None
    user_id: Id | None = None


class Amount(Struct, frozen=True, forbid_unknown_fields=True):
    """Money in integer minor units (450000 USD is 4,500.00 dollars)."""

    value: MinorUnits
    currency: Currency


class McpRef(Struct, frozen=True, forbid_unknown_fields=True):
    client: Name | None = None
    server: Name | None = None


class Action(Struct, frozen=True, forbid_unknown_fields=True):
    """One tool call that an agent wants to make. `parent_id` is the action whose tool makes it."""

    tool: Name
    arguments: dict[str, Any] = {}
    id: Id | None = None
    attempt: Id | None = None
    call_id: Id | None = None
    parent_id: Id | None = None
    side_effects: list[SideEffect] = []
    description: str | None = None
    schema: dict[str, Any] | None = None
    amount: Amount | None = None
    mcp: McpRef | None = None


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    text: str | None = None
    arguments: dict[str, Any] | None = None
    tool: Name | None = None


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What was asked, what was planned, and why the agent believes this call follows."""

    user: str | None = None
    plan: Plan | None = None
    reasoning: str | None = None


class ContextItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of content that the agent saw: itself, or `ref` to content the run already holds."""

    id: Id | None = None
    source: Annotated[str, Meta(max_length=2048)] | None = None
    trusted: bool = False
    text: str | UnsetType = UNSET
    ref: Id | None = None


class HistoryItem(Struct, frozen=True, forbid_unknown_fields=True):
    tool: Name
    arguments: dict[str, Any] = {}
    outcome: Annotated[str, Meta(max_length=256)] | None = None


class ModelRef(Struct, frozen=True, forbid_unknown_fields=True):
    provider: Name | None = None
    id: Name | None = None
    parameters: dict[str, Any] = {}


class ToolRef(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that the agent could have called; `digest` is that of its schema."""

    name: Name
    digest: Name | None = None


class ActionCheck(Struct, frozen=True, forbid_unknown_fields=True):
    """May the agent do this?"""

    action: Action
    run: RunRef = RunRef()
    request: Request | None = None
    context: Annotated[list[ContextItem], Meta(max_length=256)] = []
    history: Annotated[list[HistoryItem], Meta(max_length=256)] = []
    model: ModelRef | None = None
    prompt_version: Name | None = None
    tools_available: Annotated[list[ToolRef | Name], Meta(max_length=1024)] = []
    external_state: dict[str, Any] = {}
    events: Annotated[list[Observation], Meta(max_length=1000)] = field(default_factory=list)
    approval_id: Id | None = None

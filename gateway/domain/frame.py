"""The frame: everything a rule may look at, and nothing else.

A frame is built once per check by the gateway; its canonical bytes are what rules see as `input`,
what is stored, and what re-judgement reads. A field that is absent in the world is null or empty
here, never missing, so that a rule can tell "not given" from "not recorded".
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.verdicts import Mode

# In `Frame.coverage`: the run's state could not be read, so what `state` holds says nothing.
STATE_UNKNOWN: Final = "state"


class FrameAmount(Struct, frozen=True):
    value: int
    currency: str


class FrameAction(Struct, frozen=True):
    """The call. `amount` and `recipients` come from the policy's pointers.

    `amount_source` is `policy`, `caller` or `conflict` (both given, and they differ).
    `schema_digest` is the digest of the tool's schema, where the caller sent one.
    """

    id: str
    tool: str
    arguments: dict[str, Any]
    arguments_digest: str
    side_effects: list[str]
    amount: FrameAmount | None = None
    amount_source: Literal["none", "policy", "caller", "conflict"] = "none"
    recipients: list[str] = []
    description: str | None = None
    schema: dict[str, Any] | None = None
    schema_digest: str | None = None
    mcp_client: str | None = None
    mcp_server: str | None = None


class FrameRun(Struct, frozen=True):
    id: str
    agent_id: str | None = None
    user_id: str | None = None
    name: str | None = None
    turn_id: str | None = None
    parent_run_id: str | None = None


class FramePlan(Struct, frozen=True):
    text: str | None = None
    arguments: dict[str, Any] | None = None
    tool: str | None = None


class FrameRequest(Struct, frozen=True):
    user: str | None = None
    plan: FramePlan | None = None
    reasoning: str | None = None


class FrameContext(Struct, frozen=True):
    """A context item. `found` is false for a `ref` the run does not hold any more."""

    id: str | None
    source: str | None
    trusted: bool
    text: str
    found: bool = True


class FramePast(Struct, frozen=True):
    """An earlier action of the run, newest first in `FrameState.recent`."""

    tool: str
    arguments_digest: str
    side_effects: list[str]
    verdict: str
    enforced: str
    outcome: str | None


class FrameBudget(Struct, frozen=True):
    """A budget that covers this call. `used` counts reservations of others, not this call.

    What this call adds is `input.action.amount.value` for `spend`, 1 for `calls`. `missing`: it
    cannot be told, because the call has no amount in the budget's currency.
    """

    name: str
    scope: str
    window: str
    measure: str
    currency: str | None
    used: int
    at_most: int
    missing: bool = False


class FrameState(Struct, frozen=True):
    """What the run's state said when it was gathered.

    Counts exclude this call. `identical` and `near_identical` count among the last 50 actions
    of the run; `near_identical` means the same tool and the same arguments but for numbers,
    case, white space and word order. `spend` is per currency, in minor units, of actions let
    through; `*` holds all currencies after the first 32. Tools after the first 256 share one
    `calls_of_tool`.
    """

    calls: int = 0
    calls_of_tool: int = 0
    identical: int = 0
    near_identical: int = 0
    denials_in_a_row: int = 0
    spend: dict[str, int] = {}
    labels: list[str] = []
    budgets: list[FrameBudget] = []
    recent: list[FramePast] = []


class FramePrior(Struct, frozen=True):
    """Why this action may not be judged afresh: what happened earlier under the same id."""

    status: Literal["halted", "already_executed", "in_doubt"]
    outcome: str | None = None
    decision_id: str | None = None


class FrameApproval(Struct, frozen=True):
    """A standing answer of a person. `rules` are the rules it answers, `*` for any."""

    id: str
    rules: list[str]
    arguments_digest: str
    expires_ns: str


class FrameTime(Struct, frozen=True):
    """The time of the decision: nanoseconds since 1970 as digits, and RFC 3339 in UTC."""

    ns: str
    rfc3339: str


class Frame(Struct, frozen=True):
    """Everything the judgement sees.

    `approvals_pending` counts what people are asked about the run, without this call.
    """

    action: FrameAction
    run: FrameRun
    project_id: str
    environment: str
    mode: Mode
    time: FrameTime
    request: FrameRequest | None = None
    context: list[FrameContext] = []
    history: list[dict[str, Any]] = []
    model: dict[str, Any] | None = None
    prompt_version: str | None = None
    tools_available: list[dict[str, Any]] = []
    external_state: dict[str, Any] = {}
    state: FrameState = FrameState()
    prior: FramePrior | None = None
    approvals: list[FrameApproval] = []
    grants: list[FrameApproval] = []
    assessment: dict[str, Any] | None = None
    coverage: list[str] = []
    approvals_pending: int = 0


def encode(frame: Frame) -> bytes:
    """The canonical bytes: what rules see, what is stored, what is judged again."""
    return canonical.encode(frame)

"""What a caller may report about a run: observation types only.

Decisions, approvals, grants, settlements, `halt`, `unreadable` and epochs are the gateway's own
and have no type here, so a caller cannot forge one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Short = Annotated[str, Meta(max_length=256)]
# What is kept in clear holds no sentence. Python lets `$` stand before a last line break as well,
# hence what follows it.
_END = r"$(?!\n)"
Digits = Annotated[str, Meta(pattern="^[0-9]{1,19}" + _END)]
Token = Annotated[str, Meta(max_length=256, pattern="^[A-Za-z0-9._:/+@-]{1,256}" + _END)]
Digest = Annotated[str, Meta(max_length=256, pattern="^(sha256:)?[0-9A-Fa-f]{8,128}" + _END)]
MediaType = Annotated[
    str,
    Meta(
        max_length=256,
        pattern="^[A-Za-z0-9.+_-]{1,127}/[A-Za-z0-9.+_-]{1,127}"
        "(; ?[A-Za-z0-9-]{1,32}=[A-Za-z0-9.+_-]{1,70}){0,2}" + _END,
    ),
]
Instant = Annotated[
    str,
    Meta(
        max_length=40,
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})" + _END,
    ),
]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
# A share between 0 and 1, written out: hashed bytes hold no other fractions.
Share = Annotated[str, Meta(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)" + _END)]


class ObservedAmount(Struct, frozen=True, forbid_unknown_fields=True):
    """Money in integer minor units."""

    value: Annotated[int, Meta(ge=-(2**53 - 1), le=2**53 - 1)]
    currency: Annotated[str, Meta(min_length=1, max_length=16)]


class Usage(Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens of one model call."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_tokens: Count = 0


class _Observation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    client_seq: Count | None = None
    occurred_at: Instant | None = None
    turn_id: Short | None = None
    action_id: Short | None = None
    parent_id: Short | None = None


class RunStarted(_Observation, frozen=True, kw_only=True, tag="run_started"):
    name: Short | None = None


class RunEnded(_Observation, frozen=True, kw_only=True, tag="run_ended"):
    status: Literal["succeeded", "failed", "paused", "escalated", "rolled_back"]
    output: Any = None
    error: str | None = None


class TurnStarted(_Observation, frozen=True, kw_only=True, tag="turn_started"):
    pass


class TurnEnded(_Observation, frozen=True, kw_only=True, tag="turn_ended"):
    pass


class PlanMade(_Observation, frozen=True, kw_only=True, tag="plan"):
    text: str | None = None
    arguments: dict[str, Any] | None = None
    tool: Short | None = None


class RequestMade(_Observation, frozen=True, kw_only=True, tag="request"):
    text: str


class ContextSeen(_Observation, frozen=True, kw_only=True, tag="context"):
    id: Short | None = None
    source: Annotated[str, Meta(max_length=2048)] | None = None
    trusted: bool = False
    text: str


class Continued(Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier model call of the same run, by its `key`, and what this one has of it: its first
    `messages` so many messages, its system prompt, its tools. They are not sent again."""

    key: Token
    messages: Count = 0
    system: bool = False
    tools: bool = False


class ModelCall(_Observation, frozen=True, kw_only=True, tag="model_call"):
    """`messages`, `system` and `tools` are what `continues` does not name already. `api` says in
    whose form they and the answer are; `response_model` is what the provider says answered.
    `agent_id` where several agents share a run; `confidence` is what the model said of itself, or
    what its caller made of it."""

    agent_id: Short | None = None
    confidence: Share | None = None
    provider: Token | None = None
    id: Short | None = None
    parameters: dict[str, Any] = {}
    prompt_version: Token | None = None
    system: str | None = None
    messages: list[Any] = []
    tools: list[Any] = []
    answer: Any = None
    reasoning: str | None = None
    usage: Usage | None = None
    cost: ObservedAmount | None = None
    duration_ns: Digits | None = None
    key: Token | None = None
    continues: Continued | None = None
    api: Token | None = None
    response_model: Short | None = None
    finish_reason: Token | None = None
    status: Literal["succeeded", "failed", "abandoned"] | None = None
    error: str | None = None


class Artifact(_Observation, frozen=True, kw_only=True, tag="artifact"):
    """Something made or touched. `path` is a name in clear, by which it is found across runs."""

    name: Short
    path: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    access: Literal["created", "written", "read", "deleted", "passed"] | None = None
    agent_id: Short | None = None
    uri: Annotated[str, Meta(max_length=2048)] | None = None
    media_type: MediaType | None = None
    digest: Digest | None = None
    size: Count | None = None
    content: str | None = None


class Verification(_Observation, frozen=True, kw_only=True, tag="verification"):
    """`digest` is that of what was verified."""

    name: Short
    status: Literal["passed", "failed"]
    output: str | None = None
    kind: Literal["test", "build", "lint", "other"] | None = None
    duration_ns: Digits | None = None
    digest: Digest | None = None


class Handoff(_Observation, frozen=True, kw_only=True, tag="handoff"):
    """Work that went to another agent: which, with what (`digests` of artifacts, and the version of
    shared state), and who of the two tries again when it fails."""

    to_agent: Short
    child_run_id: Short | None = None
    reason: str | None = None
    kind: Literal["delegated", "escalated", "returned"] | None = None
    digests: Annotated[list[Digest], Meta(max_length=256)] = []
    version: Token | None = None
    retry_owner: Short | None = None


class Feedback(_Observation, frozen=True, kw_only=True, tag="feedback"):
    label: Short
    comment: str | None = None
    decision_id: Short | None = None


class Retry(_Observation, frozen=True, kw_only=True, tag="retry"):
    """`number` counts the attempts; `route` is what a fallback went to, `retry_owner` who tries."""

    kind: Literal["retry", "timeout", "fallback"] = "retry"
    detail: str | None = None
    number: Count | None = None
    route: Token | None = None
    retry_owner: Short | None = None


class SharedState(_Observation, frozen=True, kw_only=True, tag="shared_state"):
    """State that agents share, as this one met it: which version it read, or made."""

    store: Short
    version: Token
    access: Literal["read", "written"] = "read"
    digest: Digest | None = None
    agent_id: Short | None = None


class Gap(_Observation, frozen=True, kw_only=True, tag="gap"):
    """A guarded call that ran without a decision."""

    tool: Short
    reason: Short
    side_effects: list[Token] = []
    arguments_digest: Digest | None = None


class Message(_Observation, frozen=True, kw_only=True, tag="message"):
    role: Token
    text: str


Observation = (
    RunStarted
    | RunEnded
    | TurnStarted
    | TurnEnded
    | PlanMade
    | RequestMade
    | ContextSeen
    | ModelCall
    | Artifact
    | Verification
    | Handoff
    | Feedback
    | Retry
    | SharedState
    | Gap
    | Message
)

# Fields of an observation that are names, identifiers, numbers or closed words, and stay in clear.
# Everything else can hold what an agent or a person wrote: it is content, and lives in encrypted
# blobs. `tool`, `to_agent`, `path`, `store` and the ids, like the name, the user and the agent of
# a run, are what people search by: they are names that the caller chose, whatever it puts there. A
# sentence fits in them, and is then not protected as content is.
EVIDENCE_FIELDS = frozenset(
    {
        "type",
        "client_seq",
        "occurred_at",
        "turn_id",
        "action_id",
        "parent_id",
        "status",
        "trusted",
        "provider",
        "prompt_version",
        "usage",
        "cost",
        "duration_ns",
        "media_type",
        "digest",
        "size",
        "kind",
        "to_agent",
        "child_run_id",
        "decision_id",
        "tool",
        "side_effects",
        "arguments_digest",
        "id",
        "role",
        "key",
        "continues",
        "api",
        "response_model",
        "finish_reason",
        "agent_id",
        "confidence",
        "path",
        "access",
        "digests",
        "version",
        "retry_owner",
        "number",
        "route",
        "store",
    }
)

"""One call of the record: from its decision, through approval and retries, to its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.verdicts import STOPPING
from gateway.replay.frames import ReplayFrame
from gateway.replay.record.shape import (
    ApprovalState,
    CallStatus,
    Made,
    Mcp,
    Money,
    Ref,
    Retried,
    Tool,
    ToolCall,
)

REFS_MAX: Final = 64


class Named(Protocol):
    """Which model and prompt spoke last."""

    last_id: str | None
    last_prompt: str | None


class OpenCall(Struct):
    """A call as far as the frames have come."""

    frame: ReplayFrame
    inputs: list[Ref]
    model: str | None
    prompt_version: str | None
    tries: int = 1
    approval: tuple[ApprovalState, str | None] = ("not_required", None)
    result: ReplayFrame | None = None
    retries: list[Retried] = []

    def judged_again(self, frame: ReplayFrame, seen: dict[str, Any], named: Named) -> None:
        """What was said last stands; a repeated answer changes nothing."""
        self.tries += 1
        if frame.body.get("prior") is not None:
            return
        self.frame, self.inputs = frame, _inputs(frame, seen)
        self.model, self.prompt_version = _model(seen, named)

    def resulted(self, frame: ReplayFrame) -> None:
        self.result = frame

    def told(self, agent_id: str | None, made: Sequence[Made]) -> ToolCall:
        """The call as the record tells it."""
        body = self.frame.body
        result = self.result.body if self.result else {}
        state, approval_id = self._approval()
        effects = list(body.get("side_effects") or ())
        cost: Money = {}
        add_cost(cost, result.get("cost"))
        return ToolCall(
            id=str(body.get("action_id")),
            seq=self.frame.seq,
            decision_id=str(body.get("decision_id")),
            turn_id=self.frame.turn_id,
            agent_id=agent_id,
            tool=str(body.get("tool")),
            side_effects=effects,
            read_only=set(effects) <= {"read"},
            mcp=_mcp(body),
            model=self.model,
            prompt_version=self.prompt_version,
            verdict=str(body.get("verdict")),
            enforced=str(body.get("enforced")),
            rules=[str(word.get("rule")) for word in body.get("rules") or ()],
            policy_digest=str(body.get("policy_digest")),
            decided_by="person" if state in ("approved", "denied") else "policy",
            approval_state=state,
            approval_id=approval_id,
            arguments_digest=str(body.get("arguments_digest")),
            input_refs=self.inputs,
            output_refs=_outputs(self.result),
            output_digest=result.get("output_digest") or _digest(self.result),
            status=self._status(state),
            duration_ns=result.get("duration_ns"),
            cost=cost,
            tries=self.tries,
            retries=self.retries,
            artifacts=[each.seq for each in made if each.call_id == body.get("action_id")],
        )

    def _approval(self) -> tuple[ApprovalState, str | None]:
        # A rule that a person's word or grant waived was asked about, and approved.
        if self.frame.body.get("waived"):
            return "approved", self.approval[1]
        return self.approval

    def _status(self, approval: ApprovalState) -> CallStatus:
        if self.result is not None:
            return "succeeded" if self.result.body.get("status") == "succeeded" else "failed"
        enforced = self.frame.body.get("enforced")
        if enforced == "require_approval" and approval == "requested":
            return "awaiting_approval"
        return "blocked" if enforced in STOPPING else "unreported"


def opened(frame: ReplayFrame, seen: dict[str, Any], named: Named) -> OpenCall:
    """A call with its first decision."""
    model, prompt = _model(seen, named)
    return OpenCall(frame, _inputs(frame, seen), model, prompt, retries=[])


def member(frame: ReplayFrame, name: str) -> str | None:
    """A text of what an agent reported, None where it is not there any more."""
    told = frame.content.get("observation")
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) else None


def add_cost(total: Money, cost: Any) -> None:
    """Add an amount, its currency in capitals."""
    if isinstance(cost, dict):
        currency = str(cost.get("currency")).upper()
        total[currency] = total.get(currency, 0) + int(cost.get("value") or 0)


def offered(tool: Any) -> Tool | None:
    """A tool that a model was offered, in OpenAI's or Anthropic's shape, with its digest."""
    inside = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(inside, dict) or not isinstance(inside.get("name"), str):
        return None
    return Tool(inside["name"], canonical.sha256(canonical.jcs(inside)))


def _model(seen: dict[str, Any], named: Named) -> tuple[str | None, str | None]:
    """The decision's own word on who decided, else whoever was asked last before it."""
    model = seen.get("model")
    own = model.get("id") if isinstance(model, dict) else None
    return own or named.last_id, seen.get("prompt_version") or named.last_prompt


def _mcp(body: dict[str, Any]) -> Mcp | None:
    client, server = body.get("mcp_client"), body.get("mcp_server")
    if client is None and server is None:
        return None
    return Mcp(client, server, body.get("schema_digest"))


def _inputs(frame: ReplayFrame, seen: dict[str, Any]) -> list[Ref]:
    if not seen:
        return []
    found = [Ref(frame.seq, "/frame/action/arguments")]
    for place, item in enumerate((seen.get("context") or ())[: REFS_MAX - 1]):
        pointer = f"/frame/context/{place}"
        found.append(Ref(frame.seq, pointer, item.get("source"), bool(item.get("trusted"))))
    return found


def _outputs(result: ReplayFrame | None) -> list[Ref]:
    if result is None:
        return []
    return [Ref(result.seq, f"/{part}") for part in ("output", "error") if part in result.content]


def _digest(result: ReplayFrame | None) -> str | None:
    if result is None or "output" not in result.content:
        return None
    return canonical.sha256(canonical.jcs(result.content["output"]))

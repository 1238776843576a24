"""What the Intent Guard looks at: a view of the frame, so that re-judgement sees the same."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.domain.frame import Frame


class Item(Struct, frozen=True):
    """A piece of content that the agent saw. `trusted` is what its sender, or the policy, says."""

    text: str
    trusted: bool = False
    source: str | None = None
    id: str | None = None


class Past(Struct, frozen=True):
    """An earlier call of the run, as the caller told it."""

    tool: str
    arguments: dict[str, Any] = {}


class Evidence(Struct, frozen=True):
    """One call and what may explain it.

    `recipients` are the values that the policy's pointers named. What the agent gives as its
    reasoning is no evidence: an agent that was talked into a call has reasons for it.
    """

    tool: str
    arguments: dict[str, Any]
    side_effects: tuple[str, ...] = ()
    description: str | None = None
    schema: dict[str, Any] | None = None
    request: str | None = None
    plan_text: str | None = None
    plan_arguments: dict[str, Any] | None = None
    plan_tool: str | None = None
    context: tuple[Item, ...] = ()
    history: tuple[Past, ...] = ()
    recipients: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether there is anything to compare the call with."""
        return bool(self.request or self.plan_text or self.plan_arguments or self.plan_tool)


def evidence_of(frame: Frame) -> Evidence:
    """The evidence that a frame holds."""
    action, request = frame.action, frame.request
    plan = request.plan if request else None
    return Evidence(
        tool=action.tool,
        arguments=action.arguments,
        side_effects=tuple(action.side_effects),
        description=action.description,
        schema=action.schema,
        request=request.user if request else None,
        plan_text=plan.text if plan else None,
        plan_arguments=plan.arguments if plan else None,
        plan_tool=plan.tool if plan else None,
        context=tuple(
            Item(item.text, item.trusted, item.source, item.id)
            for item in frame.context
            if item.found
        ),
        history=tuple(Past(past["tool"], past.get("arguments") or {}) for past in frame.history),
        recipients=tuple(action.recipients),
    )

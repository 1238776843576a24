"""Building a frame from a check and what the gateway knows. Pure: the clock is a parameter."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.domain.check import ActionCheck, Request, RunRef, ToolRef
from gateway.domain.frame import (
    Frame,
    FrameAction,
    FrameApproval,
    FrameContext,
    FramePlan,
    FramePrior,
    FrameRequest,
    FrameRun,
    FrameState,
    FrameTime,
)
from gateway.domain.framed_action import framed_action
from gateway.domain.instants import rfc3339
from gateway.domain.ruleset import Ruleset


def build(
    check: ActionCheck,
    ruleset: Ruleset,
    *,
    action_id: str,
    run_id: str,
    project_id: str,
    environment: str,
    now_ns: int,
    state: FrameState | None = None,
    prior: FramePrior | None = None,
    context: list[FrameContext] | None = None,
    approvals: list[FrameApproval] | None = None,
    assessment: dict[str, Any] | None = None,
    coverage: list[str] | None = None,
    agent_id: str | None = None,
    action: FrameAction | None = None,
    run: RunRef | None = None,
    approvals_pending: int = 0,
) -> Frame:
    """The closed frame of one check.

    `context` replaces the check's own items where references had to be looked up in the run;
    `agent_id` is the key's agent when the key is bound to one. `action` is the framed action,
    where it was made before, `run` what the run itself says of whose it is.
    """
    run = run or check.run
    return Frame(
        action=action or framed_action(check.action, action_id, ruleset),
        run=FrameRun(
            id=run_id,
            agent_id=agent_id or run.agent_id,
            user_id=run.user_id,
            name=run.name,
            turn_id=run.turn_id,
            parent_run_id=run.parent_run_id,
        ),
        project_id=project_id,
        environment=environment,
        mode=ruleset.environment(environment).mode,
        time=FrameTime(ns=str(now_ns), rfc3339=rfc3339(now_ns)),
        request=_request(check.request),
        context=_own_context(check) if context is None else context,
        history=[msgspec.to_builtins(item) for item in check.history],
        model=None if check.model is None else msgspec.to_builtins(check.model),
        prompt_version=check.prompt_version,
        tools_available=[_tool(tool) for tool in check.tools_available],
        external_state=check.external_state,
        state=state or FrameState(),
        prior=prior,
        approvals=approvals or [],
        assessment=assessment,
        coverage=coverage or [],
        approvals_pending=approvals_pending,
    )


def _request(request: Request | None) -> FrameRequest | None:
    if request is None:
        return None
    plan = request.plan
    return FrameRequest(
        user=request.user,
        plan=None if plan is None else FramePlan(plan.text, plan.arguments, plan.tool),
        reasoning=request.reasoning,
    )


def _own_context(check: ActionCheck) -> list[FrameContext]:
    """The check's items themselves; a reference without a run to look it up in is not found."""
    return [
        FrameContext(
            id=item.id or item.ref,
            source=item.source,
            trusted=item.trusted,
            text=item.text if isinstance(item.text, str) else "",
            found=isinstance(item.text, str),
        )
        for item in check.context
    ]


def _tool(tool: ToolRef | str) -> dict[str, Any]:
    if isinstance(tool, str):
        return {"name": tool, "digest": None}
    return {"name": tool.name, "digest": tool.digest}

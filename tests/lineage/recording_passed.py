"""Scenes of several runs, played against a gateway as the SDKs of their agents would."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2
import msgspec

from tests.api.live import json
from tests.lineage.tasks_passed import Answer, Scene, Stage


def play(client: httpx2.Client, scene: Scene) -> list[str]:
    """Let the stages happen, each in a run of its own; their names, the call's last."""
    names = [f"{scene.name}-{place}-{uuid4().hex[:8]}" for place in range(len(scene.stages))]
    for place, stage in enumerate(scene.stages):
        if stage.absent:
            continue
        ref = {"id": names[place], "agent_id": f"agent-{place}"}
        if place:
            ref["parent_run_id"] = names[place - 1]
        below = names[place + 1] if place + 1 < len(names) else None
        _staged(client, ref, stage, below, scene.description)
    return names


def _staged(
    client: httpx2.Client,
    ref: dict[str, str],
    stage: Stage,
    below: str | None,
    description: str | None,
) -> None:
    for place, text in enumerate(stage.pages):
        fetched(client, ref, text, place)
    events = []
    if stage.handed_within is not None:
        handed = {"type": "handoff", "to_agent": "payer", "reason": stage.handed_within}
        events.append({**handed, "kind": "delegated"})
    if stage.answer is not None:
        events.append(answered(stage.answer, stage.answer.tool or stage.tool or "", stage.request))
    if stage.handoff is not None:
        asked = [{"type": "request", "text": stage.request}] if stage.request else []
        handed = {"type": "handoff", "to_agent": "worker", "reason": stage.handoff}
        _reported(client, ref, [*asked, *events, {**handed, "child_run_id": below}])
        return
    action = {"tool": stage.tool, "arguments": stage.arguments}
    body = {
        "run": ref,
        "action": {**action, **({"description": description} if description else {})},
        "events": events,
    }
    asked_for = {"user": stage.request, "plan": stage.plan, "reasoning": stage.reasoning}
    if any(asked_for.values()):
        body["request"] = {name: each for name, each in asked_for.items() if each}
    reply = client.post("/v1/check-action", json=body)
    assert reply.status_code == 200, reply.text


def fetched(client: httpx2.Client, ref: dict[str, str], text: str, place: int) -> None:
    action = {"tool": "web.fetch", "arguments": {"page": place}}
    reply = client.post("/v1/check-action", json={"run": ref, "action": action})
    assert reply.status_code == 200, reply.text
    decision = json(reply)["decision_id"]
    report = {"status": "succeeded", "output": text}
    said = client.post(f"/v1/decisions/{decision}/result", json=report)
    assert said.status_code == 200, said.text


def _reported(client: httpx2.Client, ref: dict[str, str], events: list[dict[str, Any]]) -> None:
    reply = client.post("/v1/events", json={"run": ref, "events": events})
    assert reply.status_code < 300, reply.text


def answered(answer: Answer, tool: str, request: str | None) -> dict[str, Any]:
    """A model call's event; where it keeps thoughts and its system prompt depends on its shape."""
    name = tool.replace(".", "_")
    event: dict[str, Any] = {"type": "model_call", "provider": "openai", "id": "model-1"}
    messages: list[Any] = [{"role": "user", "content": request or "go on"}]
    if answer.system is not None and answer.shape in ("openai", "responses"):
        role = "system" if answer.shape == "openai" else "developer"
        messages.insert(0, {"role": role, "content": answer.system})
    elif answer.system is not None:
        event["system"] = answer.system
    if answer.thought is not None and answer.shape == "field":
        event["reasoning"] = answer.thought
    return {**event, "messages": messages, "answer": _shaped(answer, name)}


def _shaped(answer: Answer, name: str) -> dict[str, Any]:
    thought = answer.thought
    written = msgspec.json.encode(answer.arguments).decode()
    if answer.shape == "openai":
        call = {"id": "call_1", "type": "function", "function": {"name": name}}
        call["function"]["arguments"] = written  # type: ignore[index]
        told = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {**told, "reasoning_content": thought} if thought else told
    if answer.shape == "responses":
        output: list[Any] = []
        if thought:
            summary = [{"type": "summary_text", "text": thought}]
            output.append({"type": "reasoning", "id": "rs_1", "summary": summary})
        call = {"type": "function_call", "call_id": "call_1", "name": name, "arguments": written}
        return {"output": [*output, call]}
    content: list[Any] = []
    if thought and answer.shape == "anthropic":
        content.append({"type": "thinking", "thinking": thought, "signature": "x"})
    if thought and answer.shape == "text":
        content.append({"type": "text", "text": thought})
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": answer.arguments}
    return {"role": "assistant", "content": [*content, block]}

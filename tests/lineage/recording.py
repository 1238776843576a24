"""Runs with a known cause, played against a gateway as an agent's SDK would."""

from __future__ import annotations

from typing import Any

import httpx2
from msgspec import Struct

from tests.api.live import json

POLICY = """
environments:
  production:
    mode: log
    defaults: {"*": allow}
    fail: {"*": open}
tools: []
data: {}
"""


class Content(Struct, frozen=True):
    """What the run retrieved: given with the check, or the output of a call before it."""

    text: Any
    source: str = "retrieved"
    trusted: bool = False
    output_of: str | None = None


class Played(Struct, frozen=True, kw_only=True):
    """A run as it happens, and what is true of it: what departs where, and why.

    `answer` is what the model proposed; None where nobody recorded it. `shape` is the provider's.
    """

    name: str
    cause: str
    pointer: str
    station: str
    tool: str
    call: dict[str, Any]
    request: str | None = None
    plan: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    content: tuple[Content, ...] = ()
    description: str | None = None
    schema: dict[str, Any] | None = None
    shape: str = "openai"


def play(client: httpx2.Client, run: str, played: Played) -> dict[str, Any]:
    """Let the run happen; the reply to its last check."""
    ref = {"id": run, "agent_id": f"agent-{played.tool}"}
    for place, content in enumerate(played.content):
        if content.output_of:
            _fetched(client, ref, content, place)
    events = [] if played.answer is None else [_answered(played, played.answer)]
    body = {
        "run": ref,
        "action": {
            "tool": played.tool,
            "arguments": played.call,
            **({"description": played.description} if played.description else {}),
            **({"schema": played.schema} if played.schema else {}),
        },
        "request": {"user": played.request, "plan": played.plan},
        "context": [
            {"id": f"c{place}", "source": each.source, "trusted": each.trusted, "text": each.text}
            for place, each in enumerate(played.content)
            if not each.output_of
        ],
        "events": events,
    }
    reply = client.post("/v1/check-action", json=body)
    assert reply.status_code == 200, reply.text
    decided: dict[str, Any] = json(reply)
    return decided


def _fetched(client: httpx2.Client, ref: dict[str, str], content: Content, place: int) -> None:
    arguments = {"q": content.source, "page": place}
    action = {"tool": content.output_of, "arguments": arguments}
    reply = client.post("/v1/check-action", json={"run": ref, "action": action})
    assert reply.status_code == 200, reply.text
    decision = json(reply)["decision_id"]
    report = {"status": "succeeded", "output": content.text}
    said = client.post(f"/v1/decisions/{decision}/result", json=report)
    assert said.status_code == 200, said.text


def _answered(played: Played, arguments: dict[str, Any]) -> dict[str, Any]:
    """A model call's event, in one provider's shape or another's."""
    import json as text

    name = played.tool.replace(".", "_")
    answers: dict[str, Any] = {
        "openai": {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": name, "arguments": text.dumps(arguments)},
                }
            ],
        },
        "anthropic": {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I will do this now."},
                {"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments},
            ],
        },
        "responses": {
            "output": [
                {
                    "type": "function_call",
                    "call_id": "call_1",
                    "name": name,
                    "arguments": text.dumps(arguments),
                }
            ]
        },
    }
    return {
        "type": "model_call",
        "provider": "openai" if played.shape != "anthropic" else "anthropic",
        "id": "model-1",
        "messages": [{"role": "user", "content": played.request or ""}],
        "answer": answers[played.shape],
    }

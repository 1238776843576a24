"""A gateway that may ask models again, and the provider that it asks."""

from __future__ import annotations

import json as jsons
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.asking import new_name
from tests.api.live import Live, json, live_gateway
from tests.servers.models import Provider, models

OPENAI_KEY = "sk-openai-canary-key"
ANTHROPIC_KEY = "sk-ant-canary-key"
PRICES = {"m-1": {"input": "2.50", "output": "10"}, "m-2": {"input": "25", "output": "100"}}
ASKED = "Refund order 9281: 45 USD."


@pytest.fixture(scope="session")
def asked_again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Provider]]:
    folder = tmp_path_factory.mktemp("reexecute")
    (folder / "prices.json").write_text(jsons.dumps(PRICES))
    with models() as provider, gateway_for(provider, folder) as live:
        yield live, provider


def gateway_for(provider: Provider, folder: Path, **settings: Any) -> Any:
    given = {
        "reexecute_openai_url": f"{provider.url}/v1",
        "reexecute_openai_key": OPENAI_KEY,
        "reexecute_anthropic_url": provider.url,
        "reexecute_anthropic_key": ANTHROPIC_KEY,
        "reexecute_seconds": 3.0,
        "reexecute_prices": str(folder / "prices.json"),
    }
    return live_gateway(folder, **{**given, **settings})


@pytest.fixture
def live(asked_again: tuple[Live, Provider]) -> Live:
    return asked_again[0]


@pytest.fixture
def provider(asked_again: tuple[Live, Provider]) -> Provider:
    made = asked_again[1]
    made.script.clear()
    for kept in (made.bodies, made.raw, made.headers, made.paths):
        kept.clear()
    return made


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as made:
        yield made


def function(name: str, arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": jsons.dumps(arguments)}


def chat_call(**more: Any) -> dict[str, Any]:
    """A model call as the SDK reports it: a refund of 45 dollars is proposed."""
    return {
        "type": "model_call",
        "provider": "openai",
        "api": "chat_completions",
        "id": "m-1",
        "key": new_name("mdl"),
        "messages": [
            {"role": "system", "content": "You are a support agent."},
            {"role": "user", "content": ASKED},
        ],
        "tools": [{"type": "function", "function": {"name": "stripe_refund"}}],
        "parameters": {"temperature": 0, "max_tokens": 500},
        "answer": {
            "role": "assistant",
            "content": "I refund it.",
            "tool_calls": [
                {
                    "id": "call_0",
                    "type": "function",
                    "function": function("stripe_refund", {"amount": 4500, "customer": "cus_1"}),
                }
            ],
        },
        "usage": {"input_tokens": 200, "output_tokens": 40},
        "duration_ns": "1500000000",
        "finish_reason": "tool_calls",
        "status": "succeeded",
        **more,
    }


def recorded(client: httpx2.Client, *events: dict[str, Any]) -> tuple[str, int]:
    """A run with these events; its name and the seq of the last one."""
    run = new_name()
    told = client.post("/v1/events", json={"run": {"id": run}, "events": list(events)})
    reply = json(told.raise_for_status())
    return run, reply["first_seq"] + reply["count"] - 1


def again(client: httpx2.Client, run: str, seq: int, **wanted: Any) -> Any:
    reply = client.post(f"/v1/runs/{run}/steps/{seq}/re-execute", json=wanted)
    assert reply.status_code == 200, reply.text
    return json(reply)


def refused(client: httpx2.Client, run: str, seq: object, **wanted: Any) -> Any:
    """The problem with which it is refused."""
    reply = client.post(f"/v1/runs/{run}/steps/{seq}/re-execute", json=wanted)
    assert reply.status_code >= 400, reply.text
    return json(reply)

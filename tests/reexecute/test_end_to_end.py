"""What a real client sent is what is sent again, to the member: recorded by the SDK, masked, split
by message, referred to, sealed, put together, and asked again (S0-7, S0-8, S0-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import checkrein
import openai
import pytest

from tests.reexecute.conftest import again
from tests.servers.models import Said

TOOL = {"name": "stripe_refund", "description": "Refunds.", "parameters": {"type": "object"}}
CALLED = Said("I look.", [("stripe_refund", {"amount": 4500, "note": "é \u2028 \U0001f642"})])


@pytest.fixture
def sdk(live) -> Iterator[None]:
    checkrein.init(url=live.url, api_key=live.keys["full"], environment="production", deadline=10.0)
    yield
    checkrein.flush(5)


def chat(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        checkrein.wrap_openai(client)
        talk: list[Any] = [
            {"role": "system", "content": "Be good."},
            {"role": "user", "content": "a"},
        ]
        tools: Any = [{"type": "function", "function": TOOL}]
        for step in range(3):
            answer = client.chat.completions.create(
                model="m-1", messages=talk, tools=tools, temperature=0.1 * step, seed=7
            )
            message = answer.choices[0].message
            talk.append(message)
            talk += [
                {"role": "tool", "tool_call_id": call.id, "content": f"found {step}"}
                for call in message.tool_calls or ()
            ]


def responses(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        checkrein.wrap_openai(client)
        talk: list[Any] = [{"role": "user", "content": "a"}]
        tools: Any = [{"type": "function", "strict": True, **TOOL}]
        for step in range(3):
            stream = client.responses.create(
                model="m-1", input=talk, instructions="Be good.", tools=tools, stream=True
            )
            *_, last = stream
            talk += last.response.output  # type: ignore[union-attr]
            talk.append({"type": "function_call_output", "call_id": "call_0", "output": f"{step}"})


def messages(url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key="k") as client:
        checkrein.wrap_anthropic(client)
        talk: list[Any] = [{"role": "user", "content": "a"}]
        tools: Any = [{"name": "stripe_refund", "input_schema": {"type": "object"}}]
        for step in range(3):
            with client.messages.stream(
                model="m-1", messages=talk, tools=tools, max_tokens=64, system="Be good."
            ) as stream:
                answer = stream.get_final_message()
            talk.append({"role": "assistant", "content": answer.content})
            found = [
                {"type": "tool_result", "tool_use_id": block.id, "content": f"found {step}"}
                for block in answer.content
                if block.type == "tool_use"
            ]
            talk.append({"role": "user", "content": found or "go on"})


@pytest.mark.parametrize("talking", [chat, responses, messages])
def test_the_third_step_of_a_conversation(live, client, provider, sdk, talking):
    provider.always(CALLED)
    with checkrein.run("asked by a client") as run:
        talking(provider.url)
    assert checkrein.flush(10)
    steps = [
        frame["seq"]
        for frame in client.get(f"/v1/runs/{run.id}/frames").json()["frames"]
        if frame["type"] == "model_call"
    ]

    told = [again(client, run.id, seq, confirm=True) for seq in steps]

    sent, later = provider.bodies[:3], provider.bodies[3:]
    for body in sent:
        body.pop("stream", None)
    for body in later if talking is responses else ():
        assert body.pop("store") is False
    assert later == sent
    for each in told:
        assert each["original"]["calls"] == each["now"]["calls"]
        assert each["original"]["text"] == each["now"]["text"] == "I look."
        assert each["original"]["tokens"] == each["now"]["tokens"]
        assert each["notes"] == []

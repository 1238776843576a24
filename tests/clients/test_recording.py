"""What a wrapped client was given and answered is in the record, and nobody notices the wrapper."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import anthropic
import checkrein
import openai
import pytest

from tests.clients.conftest import calls_of, frames_of
from tests.servers.models import Said

QUESTION: Any = [{"role": "user", "content": "Refund order 9281."}]
REFUND = Said("I will refund it.", [("stripe_refund", {"amount": 4500})], used=(120, 30))
FUNCTION = {"name": "stripe_refund", "parameters": {"type": "object"}}
CHAT_TOOLS = [{"type": "function", "function": FUNCTION}]
RESPONSE_TOOLS = [{"type": "function", "strict": False, **FUNCTION}]
MESSAGE_TOOLS = [{"name": "stripe_refund", "input_schema": {"type": "object"}}]


def chat_create(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(
        model="m-1", messages=QUESTION, tools=CHAT_TOOLS, temperature=0, **more
    )


def responses_create(client: Any, **more: Any) -> Any:
    return client.responses.create(
        model="m-1", input="Refund order 9281.", tools=RESPONSE_TOOLS, temperature=0, **more
    )


def messages_create(client: Any, **more: Any) -> Any:
    return client.messages.create(
        model="m-1",
        messages=QUESTION,
        tools=MESSAGE_TOOLS,
        max_tokens=100,
        extra_body={"temperature": 0},
        **more,
    )


FORMS = [
    ("chat_completions", chat_create, CHAT_TOOLS),
    ("responses", responses_create, RESPONSE_TOOLS),
    ("messages", messages_create, MESSAGE_TOOLS),
]


@pytest.fixture(params=FORMS, ids=[form[0] for form in FORMS])
def form(request, chat, claude):
    api, create, tools = request.param
    return api, create, tools, claude if api == "messages" else chat


def made(api: str, provider: Any) -> Any:
    """An asynchronous client of that form."""
    if api == "messages":
        client = anthropic.AsyncAnthropic(base_url=provider.url, api_key="k", max_retries=0)
        return checkrein.wrap_anthropic(client)
    base = f"{provider.url}/v1"
    return checkrein.wrap_openai(openai.AsyncOpenAI(base_url=base, api_key="k", max_retries=0))


def check_refund(call: dict[str, Any], api: str, tools: list[Any]) -> None:
    assert call["api"] == api
    assert call["provider"] == ("anthropic" if api == "messages" else "openai")
    assert (call["id"], call["response_model"]) == ("m-1", "m-1-2026")
    assert call["messages"] == QUESTION
    assert call["tools"] == tools
    assert call["parameters"]["temperature"] == 0
    assert call["usage"] == {"input_tokens": 120, "output_tokens": 30, "cached_tokens": 0}
    assert call["status"] == "succeeded"
    assert call["finish_reason"] in ("tool_calls", "completed", "tool_use")
    assert int(call["duration_ns"]) > 0
    answer = json.dumps(call["answer"])
    assert "I will refund it." in answer
    assert "stripe_refund" in answer
    assert "4500" in answer


def test_a_whole_answer(gateway, provider, form):
    api, create, tools, client = form
    provider.answer(REFUND)

    with checkrein.run("whole") as run:
        answer = create(client)

    assert type(answer).__module__.startswith(("openai.", "anthropic."))
    [call] = calls_of(gateway, run)
    check_refund(call, api, tools)
    assert provider.bodies[0]["model"] == "m-1"


def test_a_stream(gateway, provider, form):
    api, create, tools, client = form
    provider.answer(REFUND)

    with checkrein.run("stream") as run:
        stream = create(client, stream=True)
        assert isinstance(stream, openai.Stream | anthropic.Stream)
        events = list(stream)

    assert len(events) > 5
    [call] = calls_of(gateway, run)
    check_refund(call, api, tools)


def test_the_same_asynchronously(gateway, provider, form):
    api, create, tools, _ = form
    provider.answer(REFUND, REFUND)

    async def talk() -> checkrein.Run:
        async with made(api, provider) as client, checkrein.run("async") as run:
            await create(client)
            async for _ in await create(client, stream=True):
                pass
        return run

    calls = calls_of(gateway, asyncio.run(talk()))
    check_refund(calls[0], api, tools)
    assert calls[1]["continues"] == {
        "key": calls[0]["key"],
        "messages": 1,
        "system": False,
        "tools": True,
    }
    assert calls[1]["usage"] == calls[0]["usage"]
    assert "4500" in json.dumps(calls[1]["answer"])


def test_the_events_of_a_stream_are_those_that_came(gateway, provider, form):
    _, create, _, client = form
    provider.answer(REFUND, REFUND)

    plain = [event.model_dump() for event in create(client, stream=True)]
    with checkrein.run("untouched"):
        watched = [event.model_dump() for event in create(client, stream=True)]

    assert watched == plain


def test_helpers_that_read_a_stream_by_themselves(gateway, provider, claude):
    provider.answer(REFUND, REFUND)

    async def talk() -> Any:
        async with (
            made("messages", provider) as client,
            client.messages.stream(
                model="m-1", messages=QUESTION, tools=MESSAGE_TOOLS, max_tokens=100
            ) as stream,
        ):
            return await stream.get_final_message()

    with checkrein.run("helpers") as run:
        with claude.messages.stream(
            model="m-1", messages=QUESTION, system="Be kind.", max_tokens=100
        ) as stream:
            texts = list(stream.text_stream)
            final = stream.get_final_message()
        later = asyncio.run(talk())

    assert "".join(texts) == "I will refund it."
    assert final.content[1].input == later.content[1].input == {"amount": 4500}
    calls = calls_of(gateway, run)
    assert [call["status"] for call in calls] == ["succeeded"] * 2
    assert calls[0]["system"] == "Be kind."
    assert [call["finish_reason"] for call in calls] == ["tool_use"] * 2


def test_a_stream_that_is_closed_or_dropped_is_recorded_as_far_as_it_came(gateway, provider, form):
    _, create, _, client = form
    provider.always(Said("one two three four five six seven"))

    with checkrein.run("abandoned") as run:
        closed = create(client, stream=True)
        for event in closed:
            if "two" in event.model_dump_json():
                break
        closed.close()
        dropped = create(client, stream=True)
        next(iter(dropped))
        del dropped, event
        gc.collect()

    calls = calls_of(gateway, run)
    assert [call["status"] for call in calls] == ["abandoned"] * 2
    assert "one" in json.dumps(calls[0]["answer"])
    assert "seven" not in json.dumps(calls[0]["answer"])


def test_a_stream_that_is_collected_while_something_is_recorded(gateway, provider, chat):
    """A collection may come inside of any lock: nothing is recorded there, so nothing waits."""
    with checkrein.run("collected") as run:
        stream = chat_create(chat, stream=True)
        next(iter(stream))
        with run.observed._lock:
            del stream
            gc.collect()
        checkrein.record_message("user", "go on")

    frames = frames_of(gateway, run)
    kinds = [frame["type"] for frame in frames]
    assert kinds == ["run_started", "model_call", "message", "run_ended"]
    assert frames[1]["body"]["status"] == "abandoned"


def test_a_connection_that_breaks_off_reaches_the_caller_and_the_record(gateway, provider, form):
    _, create, _, client = form
    provider.answer(Said("one two three four", breaks_after=4))

    with checkrein.run("broken") as run, pytest.raises(Exception, match=r"(?i)peer|connection"):
        list(create(client, stream=True))

    [call] = calls_of(gateway, run)
    assert call["status"] == "failed"
    assert call["error"]


def test_an_error_of_the_provider_reaches_the_caller_and_the_record(gateway, provider, form):
    _, create, _, client = form
    provider.answer(provider.refusing(429, "slow down, anna@mail.example"))

    with (
        checkrein.run("refused") as run,
        pytest.raises((openai.RateLimitError, anthropic.RateLimitError)),
    ):
        create(client)

    [call] = calls_of(gateway, run)
    assert call["status"] == "failed"
    assert "RateLimitError" in call["error"]
    assert "anna@" not in call["error"]


def test_raw_responses_and_copies_of_the_client_are_seen_too(gateway, provider, chat, claude):
    with checkrein.run("raw") as run:
        chat.chat.completions.with_raw_response.create(model="m-1", messages=QUESTION).parse()
        chat.with_options(timeout=5).responses.create(model="m-1", input="hi")
        claude.messages.with_raw_response.create(model="m-1", messages=QUESTION, max_tokens=9)
        with chat.chat.completions.with_streaming_response.create(
            model="m-1", messages=QUESTION
        ) as later:
            assert b"Hello." in later.read()

    calls = calls_of(gateway, run)
    assert [call["status"] for call in calls] == ["succeeded"] * 3 + ["abandoned"]
    assert all("Hello." in json.dumps(call["answer"]) for call in calls[:3])


def test_secrets_are_masked_and_outside_of_a_run_nothing_is_kept(gateway, provider, chat):
    asked = [{"role": "user", "content": "Write to anna@mail.example."}]
    provider.always(Said("I write to anna@mail.example."))
    chat.chat.completions.create(model="m-1", messages=asked)

    with checkrein.run("masked") as run:
        answer = chat.chat.completions.create(model="m-1", messages=asked)

    assert answer.choices[0].message.content == "I write to anna@mail.example."
    assert provider.bodies[1]["messages"] == asked
    [call] = calls_of(gateway, run)
    assert "anna@" not in json.dumps(call)
    assert "[email:" in call["messages"][0]["content"]
    assert "[email:" in call["answer"]["content"]


ODD = [
    b'{"choices": 7, "usage": [], "model": 3, "output": {}, "content": null}',
    b'{"choices": [null, 3], "usage": {"prompt_tokens": "many"}, "output": [7], "content": [[]]}',
    b"[]",
]
ODD_EVENTS = [
    b'{"choices": [{"index": "x", "delta": {"tool_calls": [3, {"index": -1}]}}]}',
    b'{"choices": [{"index": 99999999, "delta": []}, 5], "usage": 1}',
    b'{"type": "response.output_item.done", "output_index": "last", "item": 5}',
    b'{"type": "response.output_text.delta", "output_index": -5, "delta": {}}',
    b'{"type": "content_block_delta", "index": 1e99, "delta": {"type": "input_json_delta"}}',
    b'{"type": "message_delta", "delta": 4, "usage": "none"}',
]


def test_an_odd_answer_is_the_callers_to_judge(gateway, provider, form):
    """Nothing of the record reaches the caller, whatever a provider answers."""
    _, create, _, client = form
    for odd in ODD:
        provider.answer(*[provider.sending(200, odd)] * 2)
        plain = create(client)
        with checkrein.run("odd") as run:
            assert repr(create(client)) == repr(plain)
        assert len(calls_of(gateway, run)) == 1


def test_an_odd_stream_is_the_callers_to_judge(gateway, provider, form):
    _, create, _, client = form
    events = b"".join(b"data: " + event + b"\n\n" for event in ODD_EVENTS)
    provider.always(provider.sending(200, events))

    plain = list(map(repr, create(client, stream=True)))
    with checkrein.run("odd stream") as run:
        watched = list(map(repr, create(client, stream=True)))

    assert watched == plain
    assert len(calls_of(gateway, run)) == 1


def test_an_error_of_recording_never_breaks_the_call(gateway, provider, caplog):
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
        broken: Any = {"m-1": "a price that is none"}
        wrapped = checkrein.wrap_openai(client, prices=broken)
        with checkrein.run("broken"):
            answer = wrapped.chat.completions.create(model="m-1", messages=QUESTION)

    assert answer.choices[0].message.content == "Hello."
    assert "could not record a model call" in caplog.text


def test_what_an_answer_proposes_is_the_plan_of_the_next_call(gateway, provider, chat):
    @checkrein.guard("stripe.refund", side_effects=["write"])
    def refund(amount: int) -> str:
        return "done"

    provider.always(REFUND)
    with checkrein.run("planned") as run:
        chat_create(chat)
        refund(4500)
    with checkrein.run("streamed") as streamed:
        list(chat_create(chat, stream=True))
        refund(4500)
    with checkrein.run("said") as said:
        checkrein.plan({"tool": "stripe.refund", "arguments": {"amount": 10}})
        chat_create(chat)
        refund(4500)

    plans = []
    for one in (run, streamed, said):
        [decided] = [f for f in frames_of(gateway, one) if f["type"] == "decision"]
        plans.append(decided["content"]["frame"]["request"]["plan"]["arguments"])
        assert decided["content"]["frame"]["model"]["id"] == "m-1"
    # The code's own word counts more than what the model says afterwards.
    assert plans == [{"amount": 4500}, {"amount": 4500}, {"amount": 10}]


def test_cost_is_by_the_given_prices_and_whole_over_a_run(gateway, provider):
    price = checkrein.Price(input=2.5, output=10, cached_input=1.25)
    provider.always(Said(used=(1000, 100)))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k") as client:
        priced = checkrein.wrap_openai(client, prices={"m-1": price})
        with checkrein.run("priced") as run:
            for _ in range(4):
                priced.chat.completions.create(model="m-1", messages=QUESTION)
            priced.chat.completions.create(model="m-2", messages=QUESTION)

    *costs, unpriced = [call.get("cost") for call in calls_of(gateway, run)]
    # 0.35 cents each, 1.4 in all.
    assert [cost and cost["value"] for cost in costs] == [0, 1, 0, 0]
    assert unpriced is None


def test_wrapping_twice_is_once_and_a_stranger_is_refused(gateway, provider, chat):
    checkrein.wrap_openai(chat)
    with checkrein.run("once") as run:
        chat_create(chat)

    assert len(calls_of(gateway, run)) == 1
    with pytest.raises(TypeError, match="no client of anthropic"):
        checkrein.wrap_anthropic(object())


def test_a_stream_that_is_read_after_its_run_is_recorded_in_it(gateway, provider, chat):
    """In another thread, say, or by whoever the stream was returned to."""
    with checkrein.run("over") as run:
        stream = chat_create(chat, stream=True)
    list(stream)

    [call] = calls_of(gateway, run)
    assert call["status"] == "succeeded"

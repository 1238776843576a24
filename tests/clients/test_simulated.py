"""In a simulation a wrapped client is answered from the record, as what it is used to get."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import checkrein
import pytest
from checkrein.simulating import NotReplayable, save

from tests.clients.test_recording import (
    FORMS,
    QUESTION,
    REFUND,
    chat_create,
    made,
    messages_create,
)


@pytest.fixture(params=FORMS, ids=[form[0] for form in FORMS])
def form(request, chat, claude):
    api, create, _ = request.param
    return api, create, claude if api == "messages" else chat


def taken(tmp_path: Path, run: checkrein.Run) -> Path:
    """The run as a cassette."""
    assert checkrein.flush(10)
    path = tmp_path / "run.json"
    save(run.id, path)
    return path


def said(answer: Any) -> Any:
    """What of an answer a recording holds: not the provider's ids and times."""
    whole = answer.model_dump(mode="json", exclude_none=True, warnings=False)
    return {name: whole[name] for name in ("choices", "output", "content") if name in whole}


def test_the_same_answer_without_a_provider(gateway, provider, form, tmp_path):
    _, create, client = form
    provider.answer(REFUND)
    with checkrein.run("whole") as run:
        recorded = create(client)
    cassette = taken(tmp_path, run)
    sent = len(provider.bodies)

    with checkrein.simulate(cassette) as simulation, checkrein.run("whole"):
        answer = create(client)

    assert type(answer) is type(recorded)
    assert said(answer) == said(recorded)
    assert simulation.report.ok, simulation.report.table()
    assert len(provider.bodies) == sent
    # Afterwards calls leave again.
    create(client)
    assert len(provider.bodies) == sent + 1


def test_the_same_words_as_a_stream_and_asynchronously(gateway, provider, form, tmp_path):
    api, create, client = form
    provider.answer(REFUND, REFUND)

    async def talk() -> list[Any]:
        async with made(api, provider) as other, checkrein.run("stream"):
            return [event async for event in await create(other, stream=True)]

    with checkrein.run("stream") as run:
        recorded = list(create(client, stream=True))
    cassette = taken(tmp_path, run)
    sent = len(provider.bodies)

    with checkrein.simulate(cassette) as simulation, checkrein.run("stream"):
        events = list(create(client, stream=True))
    with checkrein.simulate(cassette) as again:
        later = asyncio.run(talk())

    assert type(events[0]) is type(recorded[0])
    told = json.dumps([event.model_dump(mode="json") for event in events])
    assert "I will refund it." in told
    assert "stripe_refund" in told
    assert "4500" in told
    assert [event.model_dump() for event in later] == [event.model_dump() for event in events]
    assert simulation.report.ok, simulation.report.table()
    assert again.report.ok, again.report.table()
    assert len(provider.bodies) == sent


def test_helpers_that_read_a_stream_come_to_the_same_message(
    gateway, provider, claude, chat, tmp_path
):
    provider.answer(REFUND)
    with (
        checkrein.run("helper") as run,
        claude.messages.stream(model="m-1", messages=QUESTION, max_tokens=100) as stream,
    ):
        recorded = stream.get_final_message()
    cassette = taken(tmp_path, run)

    with (
        checkrein.simulate(cassette) as simulation,
        checkrein.run("helper"),
        claude.messages.stream(model="m-1", messages=QUESTION, max_tokens=100) as stream,
    ):
        answer = stream.get_final_message()

    assert said(answer) == said(recorded)
    assert simulation.report.ok, simulation.report.table()


def test_raw_responses_are_served_too(gateway, provider, chat, tmp_path):
    provider.answer(REFUND)
    asked = {"model": "m-1", "messages": QUESTION}
    with checkrein.run("raw") as run:
        recorded = chat.chat.completions.with_raw_response.create(**asked).parse()
    cassette = taken(tmp_path, run)

    with checkrein.simulate(cassette), checkrein.run("raw"):
        answer = chat.chat.completions.with_raw_response.create(**asked)

    assert answer.status_code == 200
    assert said(answer.parse()) == said(recorded)


def test_another_request_is_told_and_one_too_many_is_refused(gateway, provider, chat, tmp_path):
    provider.answer(REFUND)
    with checkrein.run("other") as run:
        chat_create(chat)
    cassette = taken(tmp_path, run)

    with checkrein.simulate(cassette) as simulation, checkrein.run("other"):
        chat.chat.completions.create(model="m-2", messages=QUESTION)
        chat_create(chat)
        with pytest.raises(NotReplayable):
            chat_create(chat)

    assert not simulation.report.ok
    assert {one.kind for one in simulation.report.divergences} == {"extra"}
    assert len(provider.bodies) == 1


def test_outside_of_a_simulation_nothing_is_served(gateway, provider, claude):
    provider.answer(REFUND)

    assert messages_create(claude).content
    assert len(provider.bodies) == 1

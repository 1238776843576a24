"""A conversation that grows is sent once: each model call carries what is new."""

from __future__ import annotations

import random
import string
from typing import Any

import checkrein
from checkrein import run

Messages = list[dict[str, Any]]
TOOLS = [{"name": "search", "input_schema": {"type": "object"}}]


def words(size: int) -> str:
    """Text in which masking finds nothing."""
    return "".join(random.choices(string.ascii_letters, k=size))


def grown(steps: int, size: int = 400) -> list[Messages]:
    """The conversation as each step sends it: two messages more each time."""
    talk: Messages = [{"role": "user", "content": "begin"}]
    sent = []
    for n in range(steps):
        sent.append([*talk])
        talk += [
            {"role": "assistant", "content": f"answer {n} {words(size)}"},
            {"role": "user", "content": f"question {n} {words(size)}"},
        ]
    return sent


def calls(peer: Any) -> list[dict[str, Any]]:
    assert checkrein.flush(10)
    return [event for event in peer.events if event["type"] == "model_call"]


def whole(events: list[dict[str, Any]], call: dict[str, Any]) -> tuple[Any, Messages, Any]:
    """System prompt, messages and tools with what earlier calls had, as a reader does it."""
    before = call.get("continues")
    if before is None:
        return call.get("system"), call.get("messages", []), call.get("tools", [])
    [named] = [one for one in events if one["key"] == before["key"]]
    system, messages, tools = whole(events, named)
    return (
        system if before["system"] else call.get("system"),
        messages[: before["messages"]] + call.get("messages", []),
        tools if before["tools"] else call.get("tools", []),
    )


def test_a_hundred_steps_send_each_message_once(peer):
    talk = grown(100)
    with run("growing"):
        for messages in talk:
            checkrein.record_model_call(
                model="m", system="Be good.", messages=messages, tools=TOOLS, answer="yes"
            )
    events = calls(peer)

    new = sum(len(message["content"]) for message in talk[-1])
    # A few hundred bytes of each event are its own; sent whole, they would be fifty times as much.
    assert sum(map(len, peer.bodies)) < new + 100 * 600
    assert [whole(events, call) for call in events] == [
        ("Be good.", messages, TOOLS) for messages in talk
    ]


def test_conversations_in_turns_and_words_that_change(peer):
    one, other = grown(4), grown(4)
    with run("turns"):
        for n in range(4):
            checkrein.record_model_call(system=f"v{n // 2}", messages=one[n], tools=TOOLS)
            checkrein.record_model_call(system="other", messages=other[n])
        # Its beginning was rewritten, so it goes on from nowhere.
        checkrein.record_model_call(messages=[{"role": "user", "content": "anew"}, *one[3]])
    events = calls(peer)

    wanted = [
        each for n in range(4) for each in ((f"v{n // 2}", one[n], TOOLS), ("other", other[n], []))
    ]
    assert [whole(events, call) for call in events[:8]] == wanted
    assert len(events[6]["messages"]) == 2
    assert whole(events, events[8])[1][0]["content"] == "anew"


def test_what_was_lost_is_told_again(peer):
    """The gateway refuses a report: what it held is not to be referred to."""
    talk = grown(3)
    with run("lost") as r:
        checkrein.record_model_call(messages=talk[0])
        peer.reports = peer.plain(400, {})
        r.push()
        assert checkrein.flush(5)
        peer.reports = peer.plain(200, {})
        checkrein.record_model_call(messages=talk[1])
        checkrein.record_model_call(messages=talk[2])
    events = calls(peer)

    assert [call.get("continues") for call in events[:2]] == [None, None]
    assert events[1]["messages"] == talk[1]
    assert events[2]["continues"]["key"] == events[1]["key"]


def test_two_runs_share_nothing(peer):
    talk = grown(2)
    for messages in talk:
        with run("apart"):
            checkrein.record_model_call(messages=messages)

    assert [call["messages"] for call in calls(peer)] == talk

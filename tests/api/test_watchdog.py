"""S9: no body keeps the event loop of a served gateway to itself for long.

Time depends on the machine, so what is looked at is work and order: how many calls the interpreter
makes on the loop's thread from one beat of a heart to the next, and that the heart beats between
the parts of a check that can take long. Measured with these bodies and more, the longest stretch
took 38 ms of CPU when these parts followed each other, and 18 ms since.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import httpx2
import pytest
from msgspec import Struct

from gateway.api.check_action import LARGE_BYTES
from gateway.checking.limits import LIMITS
from gateway.policies.shipped import copy_shipped
from tests.api.live import Live, live_gateway

# A few steps for each of the values that a body may hold.
CALLS_MAX = 7 * LIMITS.nodes
# Where the parts begin: reading the body, working out the case, building the frame.
PARTS = ("decode_check", "open_case", "frame_of")
BEAT = "beat"
TOOL = "stripe.refund"


def call(arguments: dict[str, Any], **more: Any) -> bytes:
    body = {"action": {"tool": TOOL, "arguments": arguments}, **more}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def members(count: int, value: Any, begin: str = "k") -> dict[str, Any]:
    return {f"{begin}{number}": value for number in range(count)}


def past(count: int, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"tool": TOOL, "arguments": arguments} for _ in range(count)]


WORST: dict[str, bytes] = {
    "whole floats": call(members(19_000, 1.0)),
    "whole floats under names beyond ASCII": call(members(14_000, 1.0, "é")),
    "whole floats under names beyond the basic plane": call(members(12_500, 1.0, "\U0001f600")),
    "small floats": call({"a": [0.5] * 19_000}).replace(b"0.5", b"0.00001234"),
    "floats that are written differently": call({"a": [0.5] * 19_000}).replace(b"0.5", b"0.000001"),
    "small objects": call({"a": [{"é": 1.5, "a": 2.0}] * 6_600}),
    "a history like the call": call(members(90, 1.0), history=past(200, members(90, 1.0))),
    "a history of words": call({"x": 1}, history=past(256, {"a": "Ab 1 " * 190})),
    "a schema as well": json.dumps(
        {"action": {"tool": TOOL, "arguments": members(9_000, 1.0), "schema": members(9_000, 1.0)}},
        separators=(",", ":"),
    ).encode(),
    "many observations": call(
        {}, events=[{"type": "model_call", "id": "m", "messages": [1] * 15}] * 1000
    ),
    "a member twice at the end": call(members(19_000, 1))[:-3] + b',"k18999":1}}}',
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Under the shipped rules, which look at loops; the worker is another process elsewhere."""
    folder = tmp_path_factory.mktemp("watched")
    copy_shipped(folder / "policies")
    with live_gateway(folder, policies=folder / "policies", paused=True) as live:
        yield live


class Seen(Struct):
    """The most calls between two beats, and the order of the parts and of beats around them."""

    longest: int = 0
    order: list[str] = []


async def _look(until: asyncio.Event) -> Seen:
    seen = Seen()
    calls = 0

    def count(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        if event == "call":
            calls += 1
            if frame.f_code.co_name in PARTS:
                seen.order.append(frame.f_code.co_name)
        elif event == "c_call":
            calls += 1

    sys.setprofile(count)
    try:
        while not until.is_set():
            calls = 0
            await asyncio.sleep(0)
            seen.longest = max(seen.longest, calls)
            if seen.order[-1:] != [BEAT]:
                seen.order.append(BEAT)
    finally:
        sys.setprofile(None)
    return seen


def _watch(live: Live, ask: Callable[[], Any]) -> Seen:
    async def begin() -> tuple[asyncio.Event, asyncio.Task[Seen]]:
        until = asyncio.Event()
        return until, asyncio.create_task(_look(until))

    async def end() -> Seen:
        until.set()
        return await beating

    until, beating = live.run(begin())
    ask()
    return live.run(end())


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in WORST.items()])
def test_no_body_keeps_the_loop_to_itself(
    watched: Live, body: bytes, record_property: Callable[[str, object], None]
) -> None:
    assert LARGE_BYTES < len(body) <= LIMITS.body_bytes
    with watched.client() as client:
        answers: list[httpx2.Response] = []
        headers = {"content-type": "application/json"}
        seen = _watch(
            watched,
            lambda: answers.append(client.post("/v1/check-action", content=body, headers=headers)),
        )

    assert answers[0].status_code == 200 or answers[0].json()["code"] == "duplicate_key"
    record_property("calls", seen.longest)
    assert seen.longest < CALLS_MAX
    parts = PARTS if answers[0].status_code == 200 else PARTS[:1]
    assert seen.order == [BEAT, *(step for part in parts for step in (part, BEAT))]

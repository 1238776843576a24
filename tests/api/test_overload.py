"""More than the gateway can do: it says so at once, and stays small."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from gateway.ambient import SystemAmbient
from gateway.api.check_action import CheckAction
from gateway.api.exchange import whole_body
from gateway.api.parts import LastAppend
from gateway.api.places import Places
from gateway.errors import Unavailable
from gateway.storage.ports import Caller
from gateway.telemetry import Metrics
from tests.api.asking import body, check, problem
from tests.api.live import json, live_gateway

PATH = "/v1/check-action"


async def test_beyond_the_cap_checks_are_refused_and_nothing_is_decided(tmp_path: Path) -> None:
    """D5: work in flight is bounded; what comes on top is told when to come back."""
    with live_gateway(tmp_path, max_concurrent_checks=1) as live:
        headers = {"authorization": f"Bearer {live.keys['full']}"}
        async with httpx2.AsyncClient(base_url=live.url, headers=headers) as client:
            asked = [client.post(PATH, json=body(run={"id": "r"})) for _ in range(32)]
            answers = await asyncio.gather(*asked)
            events = json(await client.get("/v1/runs/r"))["events"]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 32
    for answer in refused:
        problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    assert events == 1 + 32 - len(refused)


def test_a_place_that_was_left_is_free_again(tmp_path: Path) -> None:
    """The cap counts what is in flight, also when it ends badly."""
    with live_gateway(tmp_path, max_concurrent_checks=1) as live, live.client() as client:
        check(client, run={"id": "r"}, id="act-1", arguments={"path": "a"})
        other = body(run={"id": "r"}, id="act-1", arguments={"path": "b"})
        for _ in range(3):
            problem(client.post(PATH, json=other), 409, "action_id_conflict")

        assert check(client)["enforced"] == "allow"


async def test_only_so_many_bodies_arrive_in_pieces_at_once() -> None:
    """D5: five hundred slow senders hold little more than five hundred connections."""
    slow = Places(2, "bodies are being read")
    arrives = asyncio.Event()
    reading = [asyncio.create_task(whole_body(_halting(arrives), 1000, slow)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refused:
        await whole_body(_halting(arrives), 1000, slow)
    at_once = await whole_body(_whole(b"{}"), 1000, slow)
    arrives.set()

    assert refused.value.code == "overloaded"
    assert at_once == b"{}"
    assert await asyncio.gather(*reading) == [b"begin end"] * 2


async def test_what_nobody_foresaw_is_an_answer_that_tells_nothing() -> None:
    """A bug is a 500 with an id; neither the answer nor the log repeats what an agent sent."""
    secret = "sk_live_4242"

    def broken(_: str | None) -> Caller:
        raise RuntimeError(f"cannot read {secret}")

    sent: list[Any] = []
    app = CheckAction(
        authenticate=broken,
        checker=None,  # type: ignore[arg-type]
        ambient=SystemAmbient(),
        metrics=Metrics(),
        judged=Places(1, "x"),
        slow=Places(1, "x"),
        last_append=LastAppend(),
    )
    with structlog.testing.capture_logs() as logs:
        await app({"method": "POST", "headers": []}, _whole(b"{}"), _into(sent))

    start, end = sent
    assert start["status"] == 500
    assert b'"code":"unexpected"' in end["body"]
    assert dict(start["headers"])[b"x-request-id"] == logs[0]["request_id"].encode()
    assert logs[0]["event"] == "request_failed"
    assert secret not in f"{sent}{logs}"


def _halting(arrives: asyncio.Event) -> Callable[[], Awaitable[Any]]:
    """A sender that stops after the first piece."""
    pieces = [b"begin"]

    async def receive() -> Any:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": True}
        await arrives.wait()
        return {"type": "http.request", "body": b" end", "more_body": False}

    return receive


def _whole(body: bytes) -> Callable[[], Awaitable[Any]]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _into(sent: list[Any]) -> Callable[[Any], Awaitable[None]]:
    async def send(message: Any) -> None:
        sent.append(message)

    return send

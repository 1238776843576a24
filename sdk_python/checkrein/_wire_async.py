"""HTTP to the gateway for coroutines: one client for each event loop, one deadline for everything.

A client's connections belong to the loop that opened them and must be closed in it. Nobody tells
us when a loop ends, except through its asynchronous generators: `asyncio.run` closes those, and
the one kept here closes the client.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple
from weakref import WeakKeyDictionary

import httpx2

from checkrein._http import Answer, Outgoing
from checkrein._trouble import Unreachable
from checkrein._wire import (
    CONNECT_SECONDS,
    Wire,
    check_size,
    retry_after,
    timeouts,
    trouble,
)


class _Kept(NamedTuple):
    wire: Wire
    client: httpx2.AsyncClient
    lifetime: AsyncGenerator[None, None]


_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()
_inherited: list[object] = []
_lock = threading.Lock()


async def send_async(wire: Wire, outgoing: Outgoing, deadline: float) -> Answer:
    """The answer, before `deadline` (a moment of time.monotonic()). Raises `Trouble`."""
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            client = await _client(wire)
            return await _perform(client, outgoing, deadline)
    except TimeoutError as error:
        raise Unreachable("no answer within the deadline") from error


async def _perform(client: httpx2.AsyncClient, outgoing: Outgoing, deadline: float) -> Answer:
    # A busy loop looks like a slow network, so connecting gets a larger part than in a thread.
    third = (deadline - time.monotonic()) / 3
    limits = timeouts(deadline, max(CONNECT_SECONDS, third))
    try:
        async with client.stream(
            outgoing.method, outgoing.path, content=outgoing.body, timeout=limits
        ) as response:
            chunks: list[bytes] = []
            total = 0
            async for chunk in response.aiter_raw():
                total += len(chunk)
                check_size(total)
                chunks.append(chunk)
            return Answer(response.status_code, b"".join(chunks), retry_after(response))
    except httpx2.HTTPError as error:
        raise trouble(error) from error


async def _client(wire: Wire) -> httpx2.AsyncClient:
    loop = asyncio.get_running_loop()
    with _lock:
        kept = _kept.get(loop)
    if kept is not None and kept.wire is wire:
        return kept.client
    if kept is not None:
        await kept.lifetime.aclose()
    client = wire.new_async()
    lifetime = _lifetime(client)
    await anext(lifetime)
    with _lock:
        _kept[loop] = _Kept(wire, client, lifetime)
    return client


async def _lifetime(client: httpx2.AsyncClient) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.aclose()


def forget() -> None:
    """After a fork: the child has none of these loops, and must not close their connections."""
    global _kept, _lock
    _inherited.append(_kept)
    _kept, _lock = WeakKeyDictionary(), threading.Lock()

"""Waiting for what other processes do in their own time, with a deadline as a guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
GUARD_SECONDS = 30.0


async def eventually(look: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
    """Look until what is seen is good. Fails with what was seen last."""
    loop = asyncio.get_running_loop()
    until = loop.time() + GUARD_SECONDS
    found = await look()
    while not good(found):
        assert loop.time() < until, found
        await asyncio.sleep(0.05)
        found = await look()
    return found

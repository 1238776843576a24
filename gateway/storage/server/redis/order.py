"""One append of a run at a time within a gateway: so they rarely meet in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.storage.server.redis.keys import Key
from gateway.storage.server.redis.lane import NotSent, OutcomeUnknown


class _Line:
    """Those who want to append to one run. `failures` counts the calls that Redis failed."""

    __slots__ = ("failures", "lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0
        self.failures = 0


class InOrder:
    """First come, first served; nobody waits for longer than `seconds`.

    When Redis fails one, those who waited behind it fail with it: else each of them would in turn
    wait for a deadline of its own.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lines: dict[Key, _Line] = {}

    @asynccontextmanager
    async def hold(self, key: Key) -> AsyncIterator[None]:
        """Raises NotSent when the turn does not come."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
        line.waiting += 1
        try:
            await self._turn(line)
            try:
                yield
            except (NotSent, OutcomeUnknown):
                line.failures += 1
                raise
            finally:
                line.lock.release()
        finally:
            line.waiting -= 1
            if line.waiting == 0:
                del self._lines[key]

    async def _turn(self, line: _Line) -> None:
        failures = line.failures
        if not line.lock.locked():
            await line.lock.acquire()
            return
        try:
            async with asyncio.timeout(self._seconds):
                await line.lock.acquire()
        except TimeoutError as late:
            raise NotSent("too many appends wait for this run") from late
        if line.failures != failures:
            line.lock.release()
            raise NotSent("the append before this one in its run failed")

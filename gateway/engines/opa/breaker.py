"""Whether it is worth asking: a dead server must not cost every check its whole deadline.

A failure only raises the suspicion. What opens the breaker is a probe of its own that fails, and
what closes it again one that succeeds; so rules that are slow, or made slow by an attacker, never
take the engine away from others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


class Breaker:
    """Closed while OPA answers. `probe` says whether it does, within a time of its own."""

    def __init__(self, probe: Callable[[], Awaitable[bool]]) -> None:
        self._probe = probe
        self._probing: asyncio.Task[None] | None = None
        self._closed = False
        self.is_open = False

    def suspect(self) -> None:
        """Something failed: find out, in the background, whether anything would succeed."""
        if self._probing is None and not self._closed:
            self._probing = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def _until_it_answers(self) -> None:
        failures = 0
        while not await self._probe():
            self.is_open = True
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1
        self.is_open = False
        self._probing = None

    async def close(self) -> None:
        """No probe from here on, whatever else fails."""
        self._closed = True
        if (probing := self._probing) is not None:
            self._probing = None
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)

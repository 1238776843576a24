"""Growing the projects' logs behind what is recorded, where several workers record at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gateway.errors import StorageFailure
from gateway.telemetry import logger

INTERVAL_SECONDS = 1.0

_log = logger("worker")


class Grower:
    """Asks the ledger to place a bounded piece of what has no place yet; one at a time does."""

    def __init__(self, grow: Callable[[], Awaitable[int]]) -> None:
        self._grow = grow

    async def step(self) -> int:
        """How many batches were placed."""
        return await self._grow()

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat until told to stop; at once while there is more."""
        while not stop.is_set():
            try:
                more = await self.step() > 0
            except StorageFailure as failure:
                _log.warning("log_not_grown", problem=str(failure))
                more = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05 if more else INTERVAL_SECONDS)

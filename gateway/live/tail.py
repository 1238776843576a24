"""The newest messages of one project, read from the ledger once for all who follow it here.

It is asked a few times a second, and only while somebody listens. What a follower wants beyond the
messages kept here it reads from the ledger itself, so its pace is its own affair.
"""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

from gateway.errors import StorageFailure
from gateway.live.pages import Item, Pages
from gateway.live.places import WHOLE, At
from gateway.telemetry import logger

AWAY_SECONDS: Final = 1.0
KEPT_ITEMS: Final = 1_000
KEPT_BYTES: Final = 256 * 1024

_log = logger("live")


class Tail:
    """Begins with the first follower at the feed's end, and is stopped after the last.

    `pause` says how many seconds to wait until the ledger is asked again.
    """

    def __init__(self, pages: Pages, pause: Callable[[], float]) -> None:
        self.pages = pages
        self._pause = pause
        self.followers = 0
        # Everything up to `reached` is known; of it, what lies behind `floor` is kept.
        self.reached: At = (0, WHOLE)
        self.floor: At = (0, WHOLE)
        self._kept: list[Item] = []
        self._bytes = 0
        self._beginning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    async def begin(self) -> None:
        """Raises StorageFailure when the ledger is away."""
        async with self._beginning:
            if self._task is None:
                self.reached = self.floor = await self.pages.end()
                self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def behind(self, at: At, most: int) -> Sequence[Item]:
        """The next messages behind a place that is not below the floor."""
        first = bisect_right(self._kept, at, key=_at)
        return self._kept[first : first + most]

    async def news(self, woken: asyncio.Future[None], seconds: float) -> None:
        """Until there is something new or somebody wakes, but no longer than that."""
        if self._task is not None and self._task.done():
            self._task.result()
        self._waiting.add(woken)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(woken, seconds)
        finally:
            self._waiting.discard(woken)

    async def step(self) -> bool:
        """Read one page, if there is any; whether there may be more."""
        end = await self.pages.end()
        if end <= self.reached:
            return False
        page = await self.pages.behind(self.reached)
        if page.began > self.reached:
            self._forget(len(self._kept), page.began)
        self._keep(page.items)
        self.reached = page.reached
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        return self.reached < end

    async def _run(self) -> None:
        away = False
        while True:
            try:
                pause = 0.0 if await self.step() else self._pause()
                away = False
            except StorageFailure as failure:
                if not away:
                    _log.warning("feed_away", problem=str(failure))
                away, pause = True, AWAY_SECONDS
            await asyncio.sleep(pause)

    def _keep(self, items: Sequence[Item]) -> None:
        self._kept += items
        self._bytes += sum(len(each.data) for each in items)
        too_many = max(0, len(self._kept) - KEPT_ITEMS)
        left = self._bytes - sum(len(each.data) for each in self._kept[:too_many])
        while left > KEPT_BYTES:
            left -= len(self._kept[too_many].data)
            too_many += 1
        if too_many:
            self._forget(too_many, self._kept[too_many - 1].at)

    def _forget(self, count: int, floor: At) -> None:
        self._bytes -= sum(len(each.data) for each in self._kept[:count])
        del self._kept[:count]
        self.floor = floor


def _at(item: Item) -> At:
    return item.at

"""One follower: where it is, and what comes next, from the shared tail or from the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.live.messages import LiveMessage
from gateway.live.pages import Item
from gateway.live.places import WHOLE, At
from gateway.live.tail import Tail

# What is sent in one go, so that what a connection buffers stays small.
BATCH_ITEMS: Final = 50
# One who is farther behind has a gap told and goes on from now: this is no way to read history.
BEHIND_MAX: Final = 20_000


class Following:
    """Messages behind `at`, each once, in order. `run_id` leaves out those of other runs.

    `end` is where the feed ended when it began.

    There is no queue: one who does not ask for more waits for nobody and costs nothing. Those who
    fell out of what the tail keeps read the ledger, a few of them at a time.
    """

    def __init__(
        self,
        tail: Tail,
        at: At,
        end: At,
        run_id: str | None,
        catching_up: asyncio.Semaphore,
        behind_max: int = BEHIND_MAX,
    ) -> None:
        self.at = at
        self._end = end
        self.gaps = 0
        self._tail = tail
        self._run_id = run_id
        self._catching_up = catching_up
        self._behind_max = behind_max
        self._first: list[Item] = []
        self._woken: asyncio.Future[None] | None = None

    def lost(self, end: At) -> None:
        """Where it is, is beyond the feed's end: what it was told is not what is recorded now."""
        self._first = [self._gap(end)]

    @property
    def has_all(self) -> bool:
        """Whether everything is behind it that was there when it began."""
        return self.at >= self._end

    async def more(self, seconds: float) -> Sequence[Item]:
        """What comes next; nothing, when nothing comes so soon. Raises StorageFailure."""
        if self._first:
            first, self._first = self._first, []
            return first
        if self.at < self._tail.floor:
            return await self._older()
        items = self._tail.behind(self.at, BATCH_ITEMS)
        if not items:
            self.at = max(self.at, self._tail.reached)
            self._woken = asyncio.get_running_loop().create_future()
            await self._tail.news(self._woken, seconds)
            if self.at < self._tail.floor:
                return ()
            items = self._tail.behind(self.at, BATCH_ITEMS)
        if items:
            self.at = items[-1].at
        return self._wanted(items)

    def wake(self) -> None:
        """Let what waits for more go on without."""
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def told(self, message: LiveMessage) -> Item:
        """A message about the stream itself, at the place where it is."""
        return self._tail.pages.item(self.at, message)

    async def _older(self) -> Sequence[Item]:
        if self._tail.reached[0] - self.at[0] > self._behind_max:
            return [self._gap(self._tail.reached)]
        async with self._catching_up:
            page = await self._tail.pages.behind(self.at)
        gap = [self._gap(page.began)] if page.began > self.at else []
        self.at = page.reached
        return [*gap, *self._wanted(page.items)]

    def _gap(self, to: At) -> Item:
        self.gaps += 1
        self.at = (to[0], WHOLE)
        return self.told(LiveMessage(id="", type="gap"))

    def _wanted(self, items: Sequence[Item]) -> Sequence[Item]:
        if self._run_id is None:
            return items
        return [each for each in items if each.run_id == self._run_id]

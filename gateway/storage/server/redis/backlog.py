"""How many events wait for the worker, and the limit beyond which none is taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.ambient import Ambient
from gateway.domain.events import Durability
from gateway.storage.ports import JournalFigures
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.keys import Partition, Places, pack
from gateway.storage.server.redis.lane import NotSent
from gateway.storage.server.redis.routes import Routes

FIGURES_SECONDS = 1.0


class Backlog:
    """The figures, read at most once a second; and the total limit, judged by them.

    `refuses` says why nothing at all may be taken in.
    """

    def __init__(
        self, routes: Routes, places: Places, ambient: Ambient, promised: Durability, most: int
    ) -> None:
        self._routes = routes
        self._places = places
        self._ambient = ambient
        self._most = most
        self._figures: JournalFigures | None = None
        self._until = 0.0
        self.durability: Durability = promised
        self.refuses = ""
        # Events taken in since the figures were read.
        self._taken = 0

    async def admit(self, events: int) -> None:
        """Raises NotSent while too much waits, or Redis must not be used.

        Counted again only when what this gateway took in since could have reached the limit.
        """
        if self.refuses:
            raise NotSent(self.refuses)
        self._taken += events
        known = self._figures.waiting if self._figures else 0
        if known + self._taken >= self._most:
            waiting = (await self.figures()).waiting
            if waiting >= self._most:
                raise full(waiting)

    async def figures(self, lane: str = "reads", seconds: float | None = None) -> JournalFigures:
        """Counted a moment ago at most. A check, which may wait for this, has a lane without those
        who wait long, and a call's deadline; others say what they have."""
        now = self._ambient.monotonic()
        if self._figures is None or now >= self._until:
            found = await asyncio.gather(
                *(self._look(each, lane, seconds) for each in self._places.partitions)
            )
            waiting = sum(count for count, _ in found)
            oldest = min((ns for _, ns in found if ns), default=0)
            age = (self._ambient.now_ns() - oldest) / 1e9 if oldest else 0.0
            self._figures = JournalFigures(waiting, max(0.0, age), self.durability)
            self._until = now + FIGURES_SECONDS
            self._taken = 0
        return self._figures

    async def _look(
        self, partition: Partition, lane: str, seconds: float | None
    ) -> tuple[int, int]:
        """(events that wait, when the oldest of them was taken in)."""
        count, first = await asyncio.gather(
            self._routes.call(partition.slot, pack("XLEN", partition.log), lane, seconds),
            self._routes.call(
                partition.slot,
                pack("XRANGE", partition.log, "-", "+", "COUNT", 1),
                lane,
                seconds,
            ),
        )
        return count, _taken_in(*first[0]) if first else 0


def _taken_in(entry: bytes, fields: Sequence[bytes]) -> int:
    """When a record was taken in. What cannot be read waits like any other, until a worker sets it
    aside: it has the time that Redis gave it."""
    try:
        return rows.decode_entry(fields[1]).recorded_ns
    except rows.UNREADABLE:
        return int(entry.partition(b"-")[0]) * 1_000_000


def full(waiting: int) -> NotSent:
    return NotSent(f"the journal is full: {waiting} events wait for a worker to record them")

"""Which partitions of the journal this worker owns: leases in Redis, each with a fencing token.

Workers that live share the partitions evenly. A worker that was silent for longer than its
leases last finds that what it then settles is refused: its token is of the past.
"""

from __future__ import annotations

import asyncio
import math
from zlib import crc32

from msgspec import Struct

from gateway.storage.server.redis.functions import BEAT, DISOWN, OWN
from gateway.storage.server.redis.keys import Partition, Places, pack
from gateway.storage.server.redis.routes import Routes

LEASE_SECONDS = 10.0
RENEWALS = 3


class Owned(Struct, frozen=True):
    """A partition this worker owns under a fencing token, until its lease ends by our clock."""

    partition: Partition
    fence: int
    until: float


class Owning:
    """Takes, renews and gives back leases. Times are of the event loop's clock."""

    def __init__(
        self, routes: Routes, places: Places, worker: str, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._routes = routes
        self._places = places
        self._worker = worker
        self._seconds = lease_seconds
        self._owned: dict[int, Owned] = {}
        self._renew_at = 0.0
        self._loop = asyncio.get_running_loop()

    async def owned(self) -> list[Owned]:
        """The partitions owned now; leases are renewed when a third of their time is over."""
        now = self._loop.time()
        if now >= self._renew_at:
            await self._share(now)
            self._renew_at = now + self._seconds / RENEWALS
        now = self._loop.time()
        return [each for each in self._owned.values() if each.until > now]

    def lost(self, owned: Owned) -> None:
        """Redis says that the token is of the past."""
        if self._owned.get(owned.partition.number) == owned:
            del self._owned[owned.partition.number]
        self._renew_at = 0.0

    def lease(self, number: int) -> Owned | None:
        """The lease on a partition, perhaps over by now: Redis compares the fencing token."""
        return self._owned.get(number)

    async def give_back(self) -> None:
        """Let the other workers have everything at once."""
        slot, key = self._places.workers()
        await self._routes.call(slot, pack("HDEL", key, self._worker), "slow")
        await asyncio.gather(*(self._release(each) for each in list(self._owned.values())))

    async def _share(self, now: float) -> None:
        """Renew what is ours, up to a fair share; take what is free, up to the same."""
        fair = math.ceil(len(self._places.partitions) / await self._workers())
        mine = list(self._owned.values())
        await asyncio.gather(*(self._release(each) for each in mine[fair:]))
        await asyncio.gather(*(self._take(each.partition, now) for each in mine[:fair]))
        free = [each for each in self._places.partitions if each.number not in self._owned]
        # Each worker begins elsewhere, so that two do not ask for the same ones.
        start = crc32(self._worker.encode()) % len(self._places.partitions)
        free.sort(key=lambda each: (each.number - start) % len(self._places.partitions))
        wanted = fair - len(self._owned)
        while free and wanted > 0:
            asked, free = free[:wanted], free[wanted:]
            await asyncio.gather(*(self._take(each, now) for each in asked))
            wanted = fair - len(self._owned)

    async def _workers(self) -> int:
        """How many workers have been heard of within a lease, this one included."""
        slot, key = self._places.workers()
        command = BEAT((key,), self._worker, round(1000 * self._seconds))
        return int(await self._routes.call(slot, command, "slow"))

    async def _take(self, partition: Partition, now: float) -> None:
        command = OWN(partition.keys, self._worker, round(1000 * self._seconds))
        fence = await self._routes.call(partition.slot, command, "slow")
        if fence:
            self._owned[partition.number] = Owned(partition, fence, now + self._seconds)
        else:
            self._owned.pop(partition.number, None)

    async def _release(self, owned: Owned) -> None:
        self._owned.pop(owned.partition.number, None)
        command = DISOWN(owned.partition.keys, self._worker, owned.fence)
        await self._routes.call(owned.partition.slot, command, "slow")

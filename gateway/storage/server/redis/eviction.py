"""Forgetting idle runs: what is drained and has been quiet lives on in the ledger alone."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.errors import StorageFailure
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.functions import EVICT, TIDY
from gateway.storage.server.redis.keys import Partition, Places, key_of, pack
from gateway.storage.server.redis.routes import Routes
from gateway.storage.server.redis.runs import Runs

# Marks of halts outlive every link that was looked up; voids every append under way.
MARKS_MS = 3_600_000
VOIDS_MS = 3_600_000
# Much longer than what was found in the ledger is believed.
GONE_SECONDS = 600


class Eviction:
    """Looks at the runs that were used longest ago, and removes those that may go."""

    def __init__(self, routes: Routes, places: Places, runs: Runs) -> None:
        self._routes = routes
        self._places = places
        self._runs = runs

    async def step(self, idle_before_ns: int, limit: int) -> int:
        """Forget at most `limit` runs; return how many."""
        partitions = self._places.partitions
        looked = await asyncio.gather(
            *(self._look(partition, idle_before_ns, limit) for partition in partitions)
        )
        await asyncio.gather(*(self._tidy(partition) for partition in partitions))
        gone = 0
        for partition, places in zip(partitions, looked, strict=True):
            for place in places:
                if gone == limit:
                    return gone
                gone += await self._forget(partition, place, idle_before_ns)
        return gone

    async def _look(self, partition: Partition, idle_before_ns: int, limit: int) -> list[bytes]:
        # A score is not exact to the nanosecond: the run itself says it exactly.
        until = b"%d" % idle_before_ns
        key = partition.key(b"idle")
        command = pack("ZRANGEBYSCORE", key, "-inf", until, "LIMIT", 0, limit)
        found: list[bytes] = await self._ask(partition, command)
        return found

    async def _forget(self, partition: Partition, place: bytes, idle_before_ns: int) -> int:
        run = partition.key(b"run", place)
        version, last_ns = await self._ask(partition, pack("HMGET", run, "v", "n"))
        idle = partition.key(b"idle")
        if version is None:
            await self._ask(partition, pack("ZREM", idle, place))
            return 0
        if int(last_ns) >= idle_before_ns:
            await self._ask(partition, pack("ZADD", idle, "XX", last_ns, place))
            return 0
        acts = await self._ask(partition, pack("HVALS", partition.key(b"acts", place)))
        try:
            decisions = [rows.decode_action(blob).decision_id for blob in acts]
        except rows.UNREADABLE as error:
            raise StorageFailure(f"an action cannot be read: {error}") from error
        project_id = key_of(place)[0]
        decided = [f"{project_id}/{decision}" for decision in decisions]
        gone = int(
            await self._ask(
                partition, EVICT(partition.keys, place, version, GONE_SECONDS, *decided)
            )
        )
        if gone:
            self._runs.drop(key_of(place))
        return gone

    async def _tidy(self, partition: Partition) -> None:
        await self._ask(partition, TIDY(partition.keys, MARKS_MS, VOIDS_MS))

    async def _ask(self, partition: Partition, command: bytes) -> Any:
        return await self._routes.call(partition.slot, command, "slow")

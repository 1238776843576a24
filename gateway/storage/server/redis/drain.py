"""The worker's end of the journal on Redis: several workers share its partitions.

Claims are plain reads of the oldest records of the partitions that this worker owns, so they are
given again until they are settled. Settling deletes what the ledger holds, one record at a time
and only under the partition's newest token; nothing else ever removes a record.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.ambient import Ambient
from gateway.errors import StorageFailure
from gateway.storage.ports import Claim
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.functions import OLDEST, SETTLE
from gateway.storage.server.redis.intake import placed_field
from gateway.storage.server.redis.journal import NAMESPACE, installed
from gateway.storage.server.redis.keys import PARTITIONS, Places, pack, place_of
from gateway.storage.server.redis.owning import LEASE_SECONDS, Owned, Owning
from gateway.storage.server.redis.routes import Routes
from gateway.telemetry import logger

# A worker has time, a check has not.
DRAIN_SECONDS = 5.0
# So much is read of each partition at least, so that a small batch is the oldest of all.
LEAST = 4
# All partitions together tell about so many bytes at once, and each a record at least.
CLAIMED_BYTES = 16 * 1024 * 1024
SETTLED_AT_ONCE = 1000
# Places of settled records are remembered for this long, for appends whose reply was lost.
PLACES_MS = 120_000

Record = tuple[bytes, bytes]

_log = logger("worker")


class Token(NamedTuple):
    """Settles one record: its partition, its place in the log, and its field among the places."""

    partition: int
    entry: bytes
    field: str


async def open_drain(
    url: str,
    ambient: Ambient,
    *,
    namespace: str = NAMESPACE,
    partitions: int = PARTITIONS,
    lease_seconds: float = LEASE_SECONDS,
    seconds: float = DRAIN_SECONDS,
) -> RedisDrain:
    """Connect as one more worker. Raises StorageFailure, ConfigInvalid."""
    routes = Routes(url, seconds)
    try:
        await routes.open()
        places = await installed(routes, namespace, partitions)
    except BaseException:
        await routes.close()
        raise
    owning = Owning(routes, places, ambient.new_id("wrk"), lease_seconds)
    return RedisDrain(routes, places, owning)


class RedisDrain:
    """Made by `open_drain`; owns a share of the partitions for as long as it claims."""

    def __init__(self, routes: Routes, places: Places, owning: Owning) -> None:
        self._routes = routes
        self._places = places
        self._owning = owning

    async def claim(self, limit: int) -> Sequence[Claim]:
        """The oldest records of the partitions owned, as far as a first look shows them.

        When only few partitions have any, these are read further.
        """
        owned = await self._owning.owned()
        if not owned:
            return []
        most = max(min(LEAST, limit), math.ceil(1.25 * limit / len(owned)))
        found = await self._read(owned, most)
        left = limit - sum(len(records) for records in found.values())
        longer = [each for each, records in found.items() if len(records) == most]
        if left > 0 and longer:
            found |= await self._read(longer, most + left)
        merged = [
            (_order(entry), each, entry, data)
            for each, records in found.items()
            for entry, data in records
        ]
        merged.sort(key=lambda record: record[0])
        claims = []
        for _, each, entry, data in merged[:limit]:
            claim = _claim(each, entry, data)
            if claim is None:
                await self._set_aside(each, entry, data)
            else:
                claims.append(claim)
        return claims

    async def settle(self, claims: Sequence[Claim]) -> None:
        """Remove what is recorded. What another worker owns by now it will be given again."""
        by_partition: dict[int, list[Token]] = {}
        for claim in claims:
            token = claim.token
            assert isinstance(token, Token)
            by_partition.setdefault(token.partition, []).append(token)
        asked = [
            (owned, command, self._routes.start(owned.partition.slot, command, "slow"))
            for number, tokens in by_partition.items()
            if (owned := self._owning.lease(number)) is not None
            for command in _settling(owned, tokens)
        ]
        for owned, command, reply in asked:
            if await self._routes.finish(owned.partition.slot, command, reply, "slow") < 0:
                _log.warning("partition_lost", partition=owned.partition.number)
                self._owning.lost(owned)

    async def secrets(self, runs: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        keys = list(runs)
        found = await asyncio.gather(*(self._secret(key) for key in keys))
        # An empty one was destroyed.
        return {key: secret for key, secret in zip(keys, found, strict=True) if secret}

    async def close(self) -> None:
        """Give the partitions back, then stop."""
        try:
            await self._owning.give_back()
        except StorageFailure as failure:
            _log.warning("leases_kept", problem=str(failure))
        await self._routes.close()

    async def _read(self, owned: Sequence[Owned], most: int) -> dict[Owned, list[Record]]:
        """All are asked before the first is answered, so that the questions leave together."""
        size = CLAIMED_BYTES // len(owned)
        asked = []
        for each in owned:
            slot, command = each.partition.slot, OLDEST(each.partition.keys, most, size)
            asked.append((each, slot, command, self._routes.start(slot, command, "slow")))
        found: dict[Owned, list[Record]] = {}
        for each, slot, command, reply in asked:
            answered = await self._routes.finish(slot, command, reply, "slow")
            if answered:
                found[each] = list(zip(answered[::2], answered[1::2], strict=True))
        return found

    async def _set_aside(self, owned: Owned, entry: bytes, data: bytes) -> None:
        """Keep bytes that do not say whose they are, out of the way of those behind them.

        The worker then finds a seq missing, and says so.
        """
        partition = owned.partition
        _log.error("record_set_aside", partition=partition.number, entry=entry.decode())
        aside = pack("XADD", partition.key(b"aside"), "*", "e", data)
        await self._routes.call(partition.slot, aside, "slow")
        command = SETTLE(partition.keys, owned.fence, PLACES_MS, entry, "")
        await self._routes.call(partition.slot, command, "slow")

    async def _secret(self, key: tuple[str, str]) -> bytes | None:
        partition = self._places.of(key)
        run = partition.key(b"run", place_of(key))
        found: bytes | None = await self._routes.call(
            partition.slot, pack("HGET", run, "w"), "slow"
        )
        return found


def _settling(owned: Owned, tokens: Sequence[Token]) -> Iterator[bytes]:
    """The commands that settle these records of a partition."""
    for start in range(0, len(tokens), SETTLED_AT_ONCE):
        words: list[bytes | str] = []
        for token in tokens[start : start + SETTLED_AT_ONCE]:
            words += [token.entry, token.field]
        yield SETTLE(owned.partition.keys, owned.fence, PLACES_MS, *words)


def _order(entry: bytes) -> tuple[int, int]:
    ms, _, rest = entry.partition(b"-")
    return int(ms), int(rest)


def _claim(owned: Owned, entry: bytes, data: bytes) -> Claim | None:
    """A record as a claim; None when not even whose it is can be read."""
    try:
        found = rows.decode_entry(data)
    except rows.UNREADABLE:
        return None
    field = placed_field(found.project_id, found.event_id)
    token = Token(owned.partition.number, entry, field)
    return Claim(token, found.project_id, found.environment, found.run_id, found.seq, found.raw)

"""The ledger on PostgreSQL: gateways read through row-level security, workers record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec

from gateway.domain.facts import Agent, ArtifactRow, FiledOfRun, Standing
from gateway.domain.projections import Indexed
from gateway.errors import StorageFailure
from gateway.storage.ports import Erased, FeedPage, Found, Persist, StoredEvent
from gateway.storage.server.postgres import across as ledger_across
from gateway.storage.server.postgres import erasing, log
from gateway.storage.server.postgres import feed as ledger_feed
from gateway.storage.server.postgres import finding as ledger_finding
from gateway.storage.server.postgres import reads as ledger_reads
from gateway.storage.server.postgres.database import (
    Connection,
    Database,
    Limits,
    Role,
    open_database,
)
from gateway.storage.server.postgres.filing import filed, refile
from gateway.storage.server.postgres.kept import Kept
from gateway.storage.server.postgres.writes import (
    LOCK,
    Contended,
    Stored,
    first_days,
    locks,
    store,
)
from gateway.storage.wanted import ArtifactFilter, RunFilter
from gateway.telemetry import logger

# A transaction holds at most so many events, and about so many bytes.
SLICE_EVENTS = 512
SLICE_BYTES = 16 * 1024 * 1024
ATTEMPTS = 4
DAYS_KNOWN = 8192
MAKE_DAY = "SELECT checkrein.make_day($1)"
TRIM_FEED = "SELECT checkrein.trim_feed($1)"
MAINTAIN = "SELECT made, dropped FROM checkrein.maintain($1, $2)"
# Work that only saves work later must not stand in anybody's way.
HASTE = "SELECT set_config('lock_timeout', '2000', true)"
DAYS_AHEAD = 7
# How long one who was away finds where it was in the feed.
FEED_KEPT = timedelta(days=7)

_log = logger("ledger")


async def open_ledger(
    url: str, role: Role = "gateway", *, prepared: bool = True, limits: Limits | None = None
) -> PostgresLedger:
    """The ledger in this migrated database, for one who reads or for one who records.

    Only a `worker` records, and only it sees all projects, for verification.
    """
    return PostgresLedger(await open_database(url, role, prepared=prepared, limits=limits), role)


class PostgresLedger:
    """The Ledger port on PostgreSQL."""

    def __init__(self, database: Database, role: Role) -> None:
        self._database = database
        self._role = role
        # Fixed by a run's first event, so what is known once stays true.
        self._run_days: dict[tuple[str, str], date] = {}
        self._days_made: set[date] = set()
        self._kept = Kept()

    async def knows(self, project_id: str, run_id: str) -> bool:
        """Whether the run has any event here."""
        return await self._day_known(project_id, run_id)

    async def record(
        self, batch: Sequence[Persist], secrets: Mapping[tuple[str, str], bytes]
    ) -> int:
        """Chain and store, in one transaction unless the batch is very large.

        When one fails, those before it have counted: what is sent again passes over them.
        """
        if self._role != "worker":
            raise StorageFailure("The ledger was opened for reading.")
        await self._make_days(first_days(batch) - self._days_made)
        recorded = 0
        for part in _slices(batch):
            stored = await self._store(part, secrets)
            for event in stored.twice:
                _log.error(
                    "seq_given_twice",
                    project_id=event.project_id,
                    run_id=event.run_id,
                    seq=event.seq,
                    epoch=event.epoch,
                )
            recorded += stored.recorded
        return recorded

    async def maintain(
        self, keep_days: int | None = None, ahead_days: int = DAYS_AHEAD
    ) -> tuple[int, int]:
        """Make partitions ahead and, past a retention, drop those behind; return how many of each.

        Everything is kept when `keep_days` is None. Raises StorageFailure when others are in the
        way: then it is to be tried again later.
        """
        async with self._database.across() as connection:
            await connection.fetchval(HASTE)
            found = await connection.fetchrow(MAINTAIN, keep_days, ahead_days)
            await connection.fetchval(TRIM_FEED, FEED_KEPT)
        return (0, 0) if found is None else (found["made"], found["dropped"])

    async def events(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        async with self._database.tenant(project_id) as connection:
            day = await self._day(connection, project_id, run_id)
            if day is None:
                return []
            return await ledger_reads.events(connection, project_id, run_id, day, after, limit)

    async def indexed(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[Indexed]:
        """The columns of the same page of events, for verification."""
        async with self._database.tenant(project_id) as connection:
            day = await self._day(connection, project_id, run_id)
            if day is None:
                return []
            return await ledger_reads.indexed(connection, project_id, run_id, day, after, limit)

    async def event_by_decision(self, project_id: str, decision_id: str) -> StoredEvent | None:
        async with self._database.tenant(project_id) as connection:
            return await ledger_reads.event_by_decision(connection, project_id, decision_id)

    async def decisions(
        self, project_id: str, environment: str, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        async with self._database.tenant(project_id) as connection:
            asked = (project_id, environment, before, limit)
            return await ledger_across.decisions(connection, *asked)

    async def feedback(
        self, project_id: str, run_ids: Sequence[str], per_run: int
    ) -> Sequence[Found]:
        async with self._database.tenant(project_id) as connection:
            return await ledger_across.feedback(connection, project_id, run_ids, per_run)

    async def blobs(self, project_id: str, run_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        async with self._database.tenant(project_id) as connection:
            day = await self._day(connection, project_id, run_id)
            if day is None:
                return {}
            return await ledger_reads.blobs(connection, project_id, run_id, day, keys)

    async def blobs_of_runs(
        self, project_id: str, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, bytes]]:
        async with self._database.tenant(project_id) as connection:
            found: dict[str, Mapping[str, bytes]] = {}
            for run_id, keys in wanted.items():
                day = await self._day(connection, project_id, run_id)
                if day is not None:
                    some = await ledger_reads.blobs(connection, project_id, run_id, day, keys)
                    found[run_id] = some
            return found

    async def secret(self, project_id: str, run_id: str) -> bytes | None:
        async with self._database.tenant(project_id) as connection:
            return await ledger_reads.secret(connection, project_id, run_id)

    async def erased(self, project_id: str, run_id: str) -> Erased | None:
        async with self._database.tenant(project_id) as connection:
            return await erasing.erased(connection, project_id, run_id)

    async def to_erase(
        self, project_id: str, user_id: str | None, after: str, limit: int
    ) -> Sequence[str]:
        async with self._database.tenant(project_id) as connection:
            return await erasing.to_erase(connection, project_id, user_id, after, limit)

    async def erase(self, project_id: str, run_ids: Sequence[str], erased: Erased) -> int:
        async with self._database.tenant(project_id) as connection:
            return await erasing.erase(connection, project_id, run_ids, erased)

    async def scrub(self) -> Sequence[str]:
        """A gateway may not: it says what is left to do."""
        return erasing.REMAINS

    async def leaves(self, project_id: str, after: int, limit: int) -> Sequence[bytes]:
        """The hashes of a project's events in commit order: the leaves of its Merkle tree."""
        async with self._database.tenant(project_id) as connection:
            return await log.leaves(connection, project_id, after, limit)

    async def log_sizes(self) -> Mapping[str, int]:
        async with self._database.across() as connection:
            return await log.sizes(connection)

    async def own_witnessing(self, worker: str, seconds: float) -> bool:
        """Ask to be the one worker who tells witnesses, for so long; 0 gives it up."""
        async with self._database.across() as connection:
            return await log.own_witnessing(connection, worker, seconds)

    async def place(self, project_id: str, run_id: str, seq: int, digest: bytes) -> int | None:
        """Where the hash of this event of the run stands in the log."""
        async with self._database.tenant(project_id) as connection:
            day = await self._day(connection, project_id, run_id)
            if day is None:
                return None
            return await log.place(connection, project_id, run_id, day, seq, digest)

    async def strays(self, project_id: str) -> int:
        """How many hashes stand in the project's log or with an event, and not in both."""
        async with self._database.tenant(project_id) as connection:
            return await log.strays(connection, project_id)

    async def grow(self) -> int:
        """Give places in the log to what was recorded; return to how many batches.

        Only a worker does, and only one at a time: the others return at once.
        """
        async with self._database.across() as connection:
            return await log.grow(connection)

    async def run(self, project_id: str, run_id: str) -> Mapping[str, Any] | None:
        async with self._database.tenant(project_id) as connection:
            row = await ledger_reads.run(connection, project_id, run_id)
        return None if row is None else msgspec.structs.asdict(row)

    async def runs(
        self, project_id: str, wanted: RunFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        async with self._database.tenant(project_id) as connection:
            rows = await ledger_finding.runs(connection, project_id, wanted, before, limit)
        return [msgspec.structs.asdict(row) for row in rows]

    async def refile(self, project_id: str, run_id: str) -> None:
        if self._role != "worker":
            raise StorageFailure("The ledger was opened for reading.")
        async with self._database.across() as connection:
            await connection.fetchval(LOCK, locks([(project_id, run_id)]))
            day = await self._day(connection, project_id, run_id)
            if day is not None:
                await refile(connection, project_id, run_id, day)

    async def filed(self, project_id: str, run_id: str) -> FiledOfRun:
        async with self._database.tenant(project_id) as connection:
            return await filed(connection, project_id, run_id)

    async def standing(
        self, project_id: str, runs: Sequence[tuple[str, str]]
    ) -> Mapping[str, Standing]:
        async with self._database.tenant(project_id) as connection:
            return await ledger_finding.standing(connection, project_id, runs)

    async def agents(self, project_id: str, prefix: str, limit: int) -> Sequence[Agent]:
        async with self._database.tenant(project_id) as connection:
            return await ledger_finding.agents(connection, project_id, prefix, limit)

    async def artifacts(
        self, project_id: str, wanted: ArtifactFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[ArtifactRow]:
        async with self._database.tenant(project_id) as connection:
            asked = (project_id, wanted, before, limit)
            return await ledger_finding.artifacts(connection, *asked)

    async def approvals(
        self, project_id: str, status: str | None, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        async with self._database.tenant(project_id) as connection:
            rows = await ledger_reads.approvals(connection, project_id, status, before, limit)
        return [msgspec.structs.asdict(row) for row in rows]

    async def approval(self, project_id: str, approval_id: str) -> Mapping[str, Any] | None:
        async with self._database.tenant(project_id) as connection:
            row = await ledger_reads.approval(connection, project_id, approval_id)
        return None if row is None else msgspec.structs.asdict(row)

    async def feed_end(self, project_id: str) -> int:
        async with self._database.tenant(project_id) as connection:
            return await ledger_feed.end(connection, project_id)

    async def feed(self, project_id: str, after: int, limit: int) -> FeedPage:
        async with self._database.tenant(project_id) as connection:
            return await ledger_feed.page(connection, project_id, after, limit)

    async def all_runs(self) -> Sequence[tuple[str, str]]:
        """Of all projects, which only a worker may see."""
        if self._role != "worker":
            raise StorageFailure("Only a worker sees the runs of all projects.")
        async with self._database.across() as connection:
            return await ledger_reads.all_runs(connection)

    async def last_seq(self, project_id: str, run_id: str) -> int:
        async with self._database.tenant(project_id) as connection:
            day = await self._day(connection, project_id, run_id)
            if day is None:
                return 0
            return await ledger_reads.last_seq(connection, project_id, run_id, day)

    async def close(self) -> None:
        await self._database.close()

    async def _store(self, part: Sequence[Persist], secrets: Mapping[Any, bytes]) -> Stored:
        """Store a slice; begin again when another worker was at the same runs."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return await self._store_once(part, secrets, asking=attempt > 0)
            except Contended:
                continue
        return await self._store_once(part, secrets, asking=True)

    async def _store_once(
        self, part: Sequence[Persist], secrets: Mapping[Any, bytes], *, asking: bool
    ) -> Stored:
        async with self._database.across() as connection:
            try:
                stored = await store(connection, part, secrets, self._kept, asking=asking)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                raise Contended("Two workers stood in each other's way.") from error
        for run in stored.kept:
            self._kept.keep(*run)
        return stored

    async def _make_days(self, days: set[date]) -> None:
        """Partitions for runs that begin; without one a day shares a partition with others."""
        for day in sorted(days):
            try:
                async with self._database.across() as connection:
                    await connection.fetchval(HASTE)
                    await connection.fetchval(MAKE_DAY, day)
            except StorageFailure as failure:
                _log.warning("partition_not_made", day=day.isoformat(), problem=str(failure))
            self._days_made.add(day)

    async def _day(self, connection: Connection, project_id: str, run_id: str) -> date | None:
        """The day on which the run began, None when it is not here."""
        place = (project_id, run_id)
        known = self._run_days.get(place)
        if known is None:
            known = await ledger_reads.day(connection, project_id, run_id)
            if known is None and self._role == "worker":
                return await ledger_reads.lost_day(connection, project_id, run_id)
            if known is not None:
                if len(self._run_days) >= DAYS_KNOWN:
                    self._run_days.clear()
                self._run_days[place] = known
        return known

    async def _day_known(self, project_id: str, run_id: str) -> bool:
        if (project_id, run_id) in self._run_days:
            return True
        async with self._database.tenant(project_id) as connection:
            return await self._day(connection, project_id, run_id) is not None


def _slices(batch: Sequence[Persist]) -> list[Sequence[Persist]]:
    """The batch in pieces that a transaction can hold."""
    slices: list[Sequence[Persist]] = []
    start = size = 0
    for at, persist in enumerate(batch):
        sealed = [len(blob.sealed) for _, blob in persist.blobs.values()]
        weight = len(persist.event.body) + sum(sealed)
        if at > start and (at - start >= SLICE_EVENTS or size + weight > SLICE_BYTES):
            slices.append(batch[start:at])
            start, size = at, 0
        size += weight
    if batch:
        slices.append(batch[start:])
    return slices

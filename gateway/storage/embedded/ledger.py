"""The embedded ledger: one SQLite file, one writing thread, reading threads beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.domain.facts import Agent, ArtifactRow, FiledOfRun, Standing
from gateway.domain.projections import Indexed
from gateway.errors import StorageFailure
from gateway.storage.embedded import (
    erasing,
    ledger_across,
    ledger_feed,
    ledger_filing,
    ledger_finding,
    ledger_reads,
)
from gateway.storage.embedded.connections import open_reader, open_writer
from gateway.storage.embedded.ledger_writes import write_slice
from gateway.storage.embedded.migrate import migrate
from gateway.storage.embedded.readers import Readers
from gateway.storage.embedded.writer import Writer
from gateway.storage.ports import Erased, FeedPage, Found, Persist, StoredEvent
from gateway.storage.wanted import ArtifactFilter, RunFilter
from gateway.telemetry import logger

_log = logger("ledger")


async def open_ledger(path: Path, *, writing: bool = True) -> EmbeddedLedger:
    """The ledger in this file, made and migrated when need be.

    Only the process that records opens it for `writing`; all others read.
    """
    connection = await asyncio.to_thread(open_writer, path)
    try:
        await asyncio.to_thread(migrate, connection, "ledger")
    except BaseException:
        connection.close()
        raise
    if not writing:
        connection.close()
    return EmbeddedLedger(path, Writer(connection, path) if writing else None)


class EmbeddedLedger:
    """The Ledger port on SQLite."""

    def __init__(self, path: Path, writer: Writer | None) -> None:
        self._path = path
        self._writer = writer
        self._readers = Readers(path)
        self._glance = open_reader(path)

    def knows(self, project_id: str, run_id: str) -> bool:
        """Whether the run has any event here. A glance by key, quicker than asking a thread."""
        try:
            return ledger_reads.last_seq(self._glance, project_id, run_id) > 0
        except sqlite3.Error as error:
            raise StorageFailure(f"{self._path.name}: {error}") from error

    async def record(
        self, batch: Sequence[Persist], secrets: Mapping[tuple[str, str], bytes]
    ) -> int:
        """Chain and store, in transactions of a few milliseconds each.

        When one fails, those before it have counted: what is sent again passes over them.
        """
        if self._writer is None:
            raise StorageFailure(f"{self._path.name} was opened for reading")
        recorded = 0
        left = batch
        while left:
            written = await self._writer.run(partial(write_slice, batch=left, secrets=secrets))
            for event in written.twice:
                _log.error(
                    "seq_given_twice",
                    project_id=event.project_id,
                    run_id=event.run_id,
                    seq=event.seq,
                    epoch=event.epoch,
                )
            recorded += written.recorded
            left = left[written.consumed :]
        return recorded

    async def events(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        return await self._readers.read(ledger_reads.events, project_id, run_id, after, limit)

    async def indexed(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[Indexed]:
        """The columns of the same page of events, for verification."""
        return await self._readers.read(ledger_reads.indexed, project_id, run_id, after, limit)

    async def event_by_decision(self, project_id: str, decision_id: str) -> StoredEvent | None:
        return await self._readers.read(ledger_reads.event_by_decision, project_id, decision_id)

    async def decisions(
        self, project_id: str, environment: str, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        asked = (project_id, environment, before, limit)
        return await self._readers.read(ledger_across.decisions, *asked)

    async def feedback(
        self, project_id: str, run_ids: Sequence[str], per_run: int
    ) -> Sequence[Found]:
        return await self._readers.read(ledger_across.feedback, project_id, run_ids, per_run)

    async def blobs(self, project_id: str, run_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        return await self._readers.read(ledger_reads.blobs, project_id, run_id, keys)

    async def blobs_of_runs(
        self, project_id: str, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, bytes]]:
        return await self._readers.read(ledger_reads.blobs_of_runs, project_id, wanted)

    async def secret(self, project_id: str, run_id: str) -> bytes | None:
        return await self._readers.read(ledger_reads.secret, project_id, run_id)

    async def erased(self, project_id: str, run_id: str) -> Erased | None:
        return await self._readers.read(erasing.erased, project_id, run_id)

    async def to_erase(
        self, project_id: str, user_id: str | None, after: str, limit: int
    ) -> Sequence[str]:
        return await self._readers.read(erasing.to_erase, project_id, user_id, after, limit)

    async def erase(self, project_id: str, run_ids: Sequence[str], erased: Erased) -> int:
        """On a connection of its own: it is the gateway that erases, and the worker that writes."""
        return await asyncio.to_thread(erasing.erase, self._path, project_id, run_ids, erased)

    async def scrub(self) -> Sequence[str]:
        return await asyncio.to_thread(erasing.scrub_secrets, self._path)

    async def run(self, project_id: str, run_id: str) -> Mapping[str, Any] | None:
        row = await self._readers.read(ledger_reads.run, project_id, run_id)
        return None if row is None else msgspec.structs.asdict(row)

    async def runs(
        self, project_id: str, wanted: RunFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        rows = await self._readers.read(ledger_finding.runs, project_id, wanted, before, limit)
        return [msgspec.structs.asdict(row) for row in rows]

    async def refile(self, project_id: str, run_id: str) -> None:
        """On a connection of its own, also while a gateway records into the file."""

        def work() -> None:
            connection = open_writer(self._path)
            try:
                ledger_filing.refile(connection, project_id, run_id)
            except sqlite3.Error as error:
                raise StorageFailure(f"{self._path.name}: {error}") from error
            finally:
                connection.close()

        await asyncio.to_thread(work)

    async def filed(self, project_id: str, run_id: str) -> FiledOfRun:
        return await self._readers.read(ledger_filing.filed, project_id, run_id)

    async def standing(
        self, project_id: str, runs: Sequence[tuple[str, str]]
    ) -> Mapping[str, Standing]:
        return await self._readers.read(ledger_finding.standing, project_id, runs)

    async def agents(self, project_id: str, prefix: str, limit: int) -> Sequence[Agent]:
        return await self._readers.read(ledger_finding.agents, project_id, prefix, limit)

    async def artifacts(
        self, project_id: str, wanted: ArtifactFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[ArtifactRow]:
        asked = (project_id, wanted, before, limit)
        return await self._readers.read(ledger_finding.artifacts, *asked)

    async def approvals(
        self, project_id: str, status: str | None, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        rows = await self._readers.read(ledger_reads.approvals, project_id, status, before, limit)
        return [msgspec.structs.asdict(row) for row in rows]

    async def approval(self, project_id: str, approval_id: str) -> Mapping[str, Any] | None:
        row = await self._readers.read(ledger_reads.approval, project_id, approval_id)
        return None if row is None else msgspec.structs.asdict(row)

    async def feed_end(self, project_id: str) -> int:
        return await self._readers.read(ledger_feed.end, project_id)

    async def feed(self, project_id: str, after: int, limit: int) -> FeedPage:
        return await self._readers.read(ledger_feed.page, project_id, after, limit)

    async def all_runs(self) -> Sequence[tuple[str, str]]:
        return await self._readers.read(ledger_reads.all_runs)

    async def leaves(self, project_id: str, after: int, limit: int) -> Sequence[bytes]:
        """The hashes of a project's events in commit order: the leaves of its Merkle tree."""
        return await self._readers.read(ledger_reads.leaves, project_id, after, limit)

    async def log_sizes(self) -> Mapping[str, int]:
        return await self._readers.read(ledger_reads.log_sizes)

    async def place(self, project_id: str, run_id: str, seq: int, digest: bytes) -> int | None:
        """Where the hash of this event of the run stands in the log."""
        return await self._readers.read(ledger_reads.place, project_id, run_id, seq, digest)

    async def grow(self) -> int:
        """Nothing to do: here the log grows with each event."""
        return 0

    async def strays(self, project_id: str) -> int:
        """How many hashes stand in the project's log or with an event, and not in both."""
        return await self._readers.read(ledger_reads.strays, project_id)

    async def last_seq(self, project_id: str, run_id: str) -> int:
        return await self._readers.read(ledger_reads.last_seq, project_id, run_id)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        await self._readers.close()
        self._glance.close()

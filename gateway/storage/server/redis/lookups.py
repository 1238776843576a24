"""Finding things by an id that does not say where they are, and what has come due.

An event's or a decision's partition cannot be told from its id. This gateway remembers those that
it appended itself; for the others it asks every partition, which nothing on the way of a check
waits for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.domain.run_state import ActionRecord
from gateway.errors import StorageFailure
from gateway.storage import record
from gateway.storage.ports import Append, OpenReservation, PendingApproval, RunEntry
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.functions import DECISION, EVENT
from gateway.storage.server.redis.intake import placed_field
from gateway.storage.server.redis.keys import (
    Key,
    Partition,
    Places,
    key_of,
    pack,
    place_of,
)
from gateway.storage.server.redis.routes import Routes
from gateway.storage.server.redis.runs import Runs

REMEMBERED_MAX = 20_000
# How many deadlines of a call a reader waits, who waits longer than that for the ledger anyhow.
READ_DEADLINES = 8


class Lookups:
    """Reads of the journal that are not on the way of a check."""

    def __init__(self, routes: Routes, places: Places, runs: Runs) -> None:
        self._routes = routes
        self._places = places
        self._runs = runs
        self._homes: OrderedDict[str, Partition] = OrderedDict()
        self._patience = READ_DEADLINES * routes.seconds

    def remember(self, append: Append, partition: Partition) -> None:
        """Where an append's events and decisions are."""
        for draft in append.drafts:
            self._homes[draft.id] = partition
        for change in append.changes:
            if change.action is not None:
                self._homes[change.action.decision_id] = partition
        while len(self._homes) > REMEMBERED_MAX:
            self._homes.popitem(last=False)

    async def action(self, project_id: str, decision_id: str) -> tuple[str, ActionRecord] | None:
        async def ask(partition: Partition) -> Any:
            field = placed_field(project_id, decision_id)
            return await self._ask(partition, DECISION(partition.keys, field), self._patience)

        found = await self._somewhere(decision_id, ask)
        if found is None:
            return None
        try:
            action = rows.decode_action(found[1])
        except rows.UNREADABLE as error:
            raise StorageFailure(f"an action cannot be read: {error}") from error
        return (key_of(found[0])[1], action) if action.decision_id == decision_id else None

    async def event(self, project_id: str, event_id: str) -> tuple[str, str, str | None] | None:
        async def ask(partition: Partition) -> Any:
            field = placed_field(project_id, event_id)
            return await self._ask(partition, EVENT(partition.keys, field))

        found = await self._somewhere(event_id, ask)
        if found is None:
            return None
        try:
            entry = rows.decode_entry(found[2])
            draft, _ = record.decode(entry.raw)
        except rows.UNREADABLE as error:
            raise StorageFailure(f"event {event_id} cannot be opened: {error}") from error
        return entry.run_id, entry.environment, draft.action_id

    async def entry(self, key: Key, event_id: str) -> RunEntry | None:
        partition = self._places.of(key)
        field = placed_field(key[0], event_id)
        # A check that is asked again waits for this, and not behind those who have time.
        found = await self._routes.call(partition.slot, EVENT(partition.keys, field), "reads")
        if found is None or found[0] != place_of(key):
            return None
        seen = await self._runs.read(key, "")
        if not seen.run.known:
            return None
        content_key = await self._runs.content_key(seen.run, None)
        try:
            draft, sealed = record.decode(rows.decode_entry(found[2]).raw)
            content = record.open_content(content_key, *key, draft.id, sealed)
        except rows.UNREADABLE as error:
            raise StorageFailure(f"event {event_id} cannot be opened: {error}") from error
        return RunEntry(int(found[1]), msgspec.structs.replace(draft, content=content))

    async def last_seq(self, key: Key) -> int:
        partition = self._places.of(key)
        run = partition.key(b"run", place_of(key))
        return int(await self._ask(partition, pack("HGET", run, "q"), self._patience) or 0)

    async def reservations(self, now_ns: int, limit: int) -> Sequence[OpenReservation]:
        found = []
        for key, environment, action_id in await self._due(b"due", now_ns, limit):
            partition = self._places.of(key)
            acts = partition.key(b"acts", place_of(key))
            blob = await self._ask(partition, pack("HGET", acts, action_id))
            if blob is None:
                continue
            try:
                action = rows.decode_action(blob)
            except rows.UNREADABLE as error:
                raise StorageFailure(f"an action cannot be read: {error}") from error
            found.append(OpenReservation(key[0], environment, key[1], action))
        return found

    async def approvals(self, now_ns: int, limit: int) -> Sequence[PendingApproval]:
        return [
            PendingApproval(key[0], environment, key[1], approval_id)
            for key, environment, approval_id in await self._due(b"expiring", now_ns, limit)
        ]

    async def _due(self, kind: bytes, now_ns: int, limit: int) -> list[tuple[Key, str, str]]:
        """What is due by then in all partitions, the oldest first."""
        until = rows.due_until(now_ns)
        asked = [
            self._ask(each, pack("ZRANGEBYLEX", each.key(kind), "-", until, "LIMIT", 0, limit))
            for each in self._places.partitions
        ]
        members = sorted(member for found in await asyncio.gather(*asked) for member in found)
        try:
            places = [rows.due_place(member)[1] for member in members[:limit]]
        except rows.UNREADABLE as error:
            raise StorageFailure(f"what is due cannot be read: {error}") from error
        return [((project, run), environment, name) for project, environment, run, name in places]

    async def _somewhere(self, id: str, ask: Any) -> Any:
        home = self._homes.get(id)
        if home is not None:
            found = await ask(home)
            if found is not None:
                return found
        answers = await asyncio.gather(*(ask(each) for each in self._places.partitions))
        return next((answer for answer in answers if answer is not None), None)

    async def _ask(self, partition: Partition, command: bytes, seconds: float | None = None) -> Any:
        return await self._routes.call(partition.slot, command, "slow", seconds)

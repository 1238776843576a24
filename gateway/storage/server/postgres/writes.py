"""Chaining and storing a batch in the transaction of its caller: lock, read, work out, write.

One statement for each table, whatever the size of the batch. The locks only save wasted work:
what forbids a fork is the primary key, and a writer that meets another's event begins again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from gateway.domain.events import Event
from gateway.domain.projections import (
    ApprovalClosed,
    ApprovalRow,
    RunRow,
    indexed,
    open_body,
)
from gateway.errors import EventRefused, StorageFailure
from gateway.storage.ports import Persist
from gateway.storage.server.postgres import feed, log
from gateway.storage.server.postgres import rows as ledger_rows
from gateway.storage.server.postgres.batch import (
    Head,
    Linked,
    Place,
    amounts_wanted,
    link_all,
    place_of,
    project,
    twice,
)
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.filing import file
from gateway.storage.server.postgres.kept import Kept
from gateway.storage.server.postgres.known import Known, amounts_of, columns, known_of

# What says that an event will never fit: a value, a constraint, or the size of an index entry.
REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
LOCK = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1::bigint[]) AS key"
# A batch has far fewer runs than rows, so a row names its run by its number in the batch.
RUN_NUMBERS = """unnest($1::text[], $2::date[], $3::text[])
            WITH ORDINALITY AS r (project_id, run_day, run_id, number)"""
# Events, and with them the places of those that are decisions.
INSERT_EVENTS = f"""
    WITH fresh AS MATERIALIZED (
        SELECT r.project_id, r.run_day, r.run_id, e.*
        FROM unnest($4::bigint[], $5::bigint[], $6::integer[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[],
            $16::bytea[], $17::bigint[])
            AS e (number, {ledger_rows.INDEXED_COLUMNS}, record, hash, blob_keys, leaves)
        JOIN {RUN_NUMBERS} USING (number)
    ),
    stored AS (
        INSERT INTO checkrein.event (project_id, run_day, run_id, {ledger_rows.INDEXED_COLUMNS},
            record, hash, blob_keys, leaves)
        SELECT project_id, run_day, run_id, {ledger_rows.INDEXED_COLUMNS}, record, hash, blob_keys,
            leaves
        FROM fresh
        ON CONFLICT DO NOTHING
        RETURNING 1
    ),
    decided AS (
        INSERT INTO checkrein.action (project_id, run_id, run_day, decision_id, epoch, seq,
            action_id, tool, enforced, recorded_at)
        SELECT project_id, run_id, run_day, decision_id, epoch, seq, action_id, tool, enforced,
            recorded_at
        FROM fresh WHERE type = 'decision'
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM stored
"""
INSERT_BLOBS = f"""
    INSERT INTO checkrein.blob (project_id, run_day, run_id, key, sealed)
    SELECT r.project_id, r.run_day, r.run_id, b.key, b.sealed
    FROM unnest($4::bigint[], $5::bytea[], $6::bytea[]) AS b (number, key, sealed)
    JOIN {RUN_NUMBERS} USING (number)
    ON CONFLICT DO NOTHING
"""
INSERT_SECRETS = """
    INSERT INTO checkrein.run_secret (project_id, run_id, wrapped)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
    ON CONFLICT DO NOTHING
"""
CLOSE_APPROVALS = """
    UPDATE checkrein.approval AS a SET status = w.status
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        AS w (project_id, run_id, approval_id, status)
    WHERE a.project_id = w.project_id AND a.approval_id = w.approval_id
        AND a.run_id = w.run_id AND a.status = 'pending'
"""

_SQL_TYPES = {"int": "bigint", "bool": "boolean"}


def _upsert(table: str, shape: type[Struct], key: tuple[str, ...], *more: tuple[str, str]) -> str:
    """The statement that puts rows of this shape in their places; `more` are columns that stay."""
    fields = [(name, _SQL_TYPES.get(str(kind), "text")) for name, kind in _typed(shape)]
    columns = [*fields, *more]
    arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(columns, 1))
    changes = ", ".join(f"{name} = excluded.{name}" for name, _ in fields if name not in key)
    return (
        f"INSERT INTO {table} ({', '.join(name for name, _ in columns)})"
        f" SELECT * FROM unnest({arrays})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def _typed(shape: type[Struct]) -> list[tuple[str, str]]:
    return [(name, shape.__annotations__[name]) for name in shape.__struct_fields__]


PUT_RUNS = _upsert("checkrein.run", RunRow, ("project_id", "run_id"), ("run_day", "date"))
PUT_APPROVALS = _upsert("checkrein.approval", ApprovalRow, ("project_id", "approval_id"))


class Contended(StorageFailure):
    """Another writer stored an event of the same run meanwhile."""


class Stored(Struct, frozen=True):
    """`recorded` events were new; `twice` are those whose seq had been given to another before.

    `kept` are, by run, the ends of its chain before and after, and the keys of its parts: to be
    told to `Kept` when the transaction has been committed.
    """

    recorded: int
    twice: tuple[Event, ...]
    kept: list[tuple[Place, Head | None, Head, set[str]]] = []


async def store(
    connection: Connection, batch: Sequence[Persist], secrets: Mapping[Place, bytes], kept: Kept
) -> Stored:
    """Chain and store the events of `batch` that are new, with those parts that are not `kept`.

    Raises EventRefused when one of them cannot be stored, Contended when another writer was faster:
    in either case the transaction must not be committed.
    """
    try:
        await connection.fetchval(LOCK, locks({place_of(each.event) for each in batch}))
        known = await known_of(connection, batch)
        linked = link_all(batch, known.heads, known.taken)
        if linked:
            await _write(connection, linked, known, secrets, kept)
        return Stored(len(linked), tuple(twice(linked, known.heads)), _to_keep(linked, known.heads))
    except REFUSED as error:
        # Its detail would name the row, and rows are nobody's business.
        raise EventRefused(f"an event cannot be stored (SQLSTATE {error.sqlstate})") from None
    except (msgspec.MsgspecError, OverflowError, ValueError) as error:
        raise EventRefused(f"an event cannot be stored: {type(error).__name__}") from error


def first_days(batch: Iterable[Persist]) -> set[date]:
    """The days of the runs that begin in this batch."""
    return {ledger_rows.day_of(each.event.recorded_at) for each in batch if each.event.seq == 1}


def locks(places: Iterable[Place]) -> list[int]:
    """In one order for all writers, so that none waits for one who waits for it."""
    digests = (hashlib.sha256("\x00".join(place).encode()).digest() for place in places)
    return sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})


async def _write(
    connection: Connection,
    linked: Sequence[Linked],
    known: Known,
    secrets: Mapping[Place, bytes],
    kept: Kept,
) -> None:
    events = [each.event for each in linked]
    bodies = [open_body(event) for event in events]
    amounts = await amounts_of(connection, known.days, amounts_wanted(events, bodies))
    projected = project(events, bodies, known.rows, amounts)
    numbers = {place: number for number, place in enumerate(projected.runs, 1)}
    runs = columns([(place[0], known.days[place], place[1]) for place in numbers], 3)
    leaves = await log.add(
        connection, [(each.event.project_id, bytes.fromhex(each.hash)) for each in linked]
    )
    rows = [
        [*_event_row(each, body, numbers), leaves[each.event.project_id]]
        for each, body in zip(linked, bodies, strict=True)
    ]
    stored = await connection.fetchval(INSERT_EVENTS, *runs, *columns(rows, 14))
    if stored != len(rows):
        raise Contended("Another worker recorded the same run at the same time.")
    stored_parts = {number: kept.of(at, known.heads.get(at)) for at, number in numbers.items()}
    blobs = _blob_rows(linked, numbers, stored_parts)
    if blobs:
        await connection.execute(INSERT_BLOBS, *runs, *zip(*blobs, strict=True))
    after = [[*ledger_rows.values(row), known.days[place]] for place, row in projected.runs.items()]
    await _put(connection, PUT_RUNS, after, len(RunRow.__struct_fields__) + 1)
    wrapped = [(*place, secrets[place]) for place in projected.runs if place in secrets]
    await _put(connection, INSERT_SECRETS, wrapped, 3)
    await _put(connection, CLOSE_APPROVALS, [_closing(*each) for each in projected.closed], 4)
    asked = [ledger_rows.values(row) for row in projected.approvals.values()]
    await _put(connection, PUT_APPROVALS, asked, len(ApprovalRow.__struct_fields__))
    await file(connection, projected.filed, known.days)
    # The last statement: it holds the end of the feed until the commit.
    await feed.extend(connection, linked, known.days)


async def _put(
    connection: Connection, statement: str, rows: Sequence[Sequence[Any]], width: int
) -> None:
    if rows:
        await connection.execute(statement, *columns(rows, width))


def _event_row(each: Linked, body: Any, numbers: Mapping[Place, int]) -> list[Any]:
    blobs = each.persist.blobs
    keys = bytes.fromhex("".join([blobs[name][1].key for name in sorted(blobs)]))
    columns = msgspec.structs.astuple(indexed(each.event, body))
    number = numbers[place_of(each.event)]
    return [number, *columns, each.record, bytes.fromhex(each.hash), keys]


def _blob_rows(
    linked: Sequence[Linked],
    numbers: Mapping[Place, int],
    stored: Mapping[int, AbstractSet[str]],
) -> list[tuple[Any, ...]]:
    """Each content part of a run once, and none that is stored."""
    sealed: dict[int, dict[str, bytes]] = defaultdict(dict)
    for each in linked:
        number = numbers[place_of(each.event)]
        of_run, there = sealed[number], stored[number]
        for _, blob in each.persist.blobs.values():
            if blob.key not in there:
                of_run.setdefault(blob.key, blob.sealed)
    return [
        (number, bytes.fromhex(key), content)
        for number, of_run in sealed.items()
        for key, content in of_run.items()
    ]


def _to_keep(
    linked: Sequence[Linked], heads: Mapping[Place, Head]
) -> list[tuple[Place, Head | None, Head, set[str]]]:
    keys: dict[Place, set[str]] = defaultdict(set)
    ends: dict[Place, Head] = {}
    for each in linked:
        place = place_of(each.event)
        keys[place].update(blob.key for _, blob in each.persist.blobs.values())
        ends[place] = Head(each.event.seq, each.event.epoch, each.hash)
    return [(place, heads.get(place), end, keys[place]) for place, end in ends.items()]


def _closing(place: Place, change: ApprovalClosed) -> tuple[str, ...]:
    return (*place, change.approval_id, change.status)

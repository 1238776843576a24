"""Chaining and storing a batch in the transaction of its caller: lock, read, work out, write.

One statement for each table, whatever the size of the batch. The locks only save wasted work:
what forbids a fork is the primary key, and a writer that meets another's event begins again.

What is new goes in without asking, since a row that may be there already costs the server a search
and a promise more. A writer that was wrong about that begins again as well, and then asks.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
from gateway.storage.ports import Persist, SealedBlob
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

# Content by its storage key.
Parts = dict[str, SealedBlob]

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
# The same for rows that are not there.
ADD_EVENTS, ADD_BLOBS = (
    statement.replace("ON CONFLICT DO NOTHING", "") for statement in (INSERT_EVENTS, INSERT_BLOBS)
)
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
    connection: Connection,
    batch: Sequence[Persist],
    secrets: Mapping[Place, bytes],
    kept: Kept,
    *,
    asking: bool = False,
) -> Stored:
    """Chain and store the events of `batch` that are new, with those parts that are not `kept`.

    Raises EventRefused when one of them cannot be stored, Contended when a row was there already,
    which cannot be so when `asking`, or another writer was faster: in either case the transaction
    must not be committed.
    """
    try:
        await connection.fetchval(LOCK, locks({place_of(each.event) for each in batch}))
        known = await known_of(connection, batch)
        linked = link_all(batch, known.heads, known.taken)
        parts = _parts_of(linked)
        if linked:
            await _write(connection, linked, parts, known, secrets, kept, asking=asking)
        to_keep = _to_keep(linked, parts, known.heads)
        return Stored(len(linked), tuple(twice(linked, known.heads)), to_keep)
    except REFUSED as error:
        if not asking and isinstance(error, asyncpg.UniqueViolationError):
            raise Contended("What was taken for new is stored already.") from None
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
    parts: Mapping[Place, Parts],
    known: Known,
    secrets: Mapping[Place, bytes],
    kept: Kept,
    *,
    asking: bool,
) -> None:
    events = [each.event for each in linked]
    bodies = [each.persist.opened or open_body(each.event) for each in linked]
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
    stored = await connection.fetchval(
        INSERT_EVENTS if asking else ADD_EVENTS, *runs, *columns(rows, 14)
    )
    if stored != len(rows):
        raise Contended("Another worker recorded the same run at the same time.")
    blobs = [
        (number, bytes.fromhex(key), blob.sealed)
        for at, number in numbers.items()
        for there in (kept.of(at, known.heads.get(at)),)
        for key, blob in parts[at].items()
        if key not in there
    ]
    if blobs:
        new = not asking and all(kept.whole(at, known.heads.get(at)) for at in numbers)
        await connection.execute(
            ADD_BLOBS if new else INSERT_BLOBS, *runs, *zip(*blobs, strict=True)
        )
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


def _parts_of(linked: Sequence[Linked]) -> dict[Place, Parts]:
    """Each content part of a run once, as it was sealed first: an event has dozens, and most were
    in the one before."""
    found: dict[Place, Parts] = defaultdict(dict)
    for each in reversed(linked):
        blobs = each.persist.blobs.values()
        found[place_of(each.event)].update({blob.key: blob for _, blob in blobs})
    return found


def _to_keep(
    linked: Iterable[Linked], parts: Mapping[Place, Parts], heads: Mapping[Place, Head]
) -> list[tuple[Place, Head | None, Head, set[str]]]:
    ends = {
        place_of(each.event): Head(each.event.seq, each.event.epoch, each.hash) for each in linked
    }
    return [(place, heads.get(place), end, set(parts[place])) for place, end in ends.items()]


def _closing(place: Place, change: ApprovalClosed) -> tuple[str, ...]:
    return (*place, change.approval_id, change.status)

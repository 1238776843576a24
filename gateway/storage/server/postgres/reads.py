"""What the ledger is asked: one function and its statement for each question.

Every statement names the project first, although row-level security would do: one guard may fail.
A run's day comes from its row, so that one partition is looked into.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from gateway.domain.projections import ApprovalRow, Indexed, RunRow
from gateway.storage.ports import StoredEvent
from gateway.storage.server.postgres import rows as ledger_rows
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.rows import (
    APPROVAL_COLUMNS,
    INDEXED_COLUMNS,
    RUN_COLUMNS,
    stored_text,
)

Cursor = tuple[str, str]

STORED = "record, hash, blob_keys"
DAY = "SELECT run_day FROM checkrein.run WHERE project_id = $1 AND run_id = $2"
# For verification, which also looks at a run whose row was taken away.
LOST_DAY = "SELECT min(run_day) FROM checkrein.event WHERE project_id = $1 AND run_id = $2"
LAST = """
    (SELECT seq FROM checkrein.event
     WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND epoch > 0
     ORDER BY epoch DESC, seq DESC LIMIT 1)
    UNION ALL
    (SELECT seq FROM checkrein.event
     WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND epoch = 0
     ORDER BY seq DESC LIMIT 1)
    LIMIT 1
"""
# All events of a seq stay on one page, also where it was given out twice.
PAGE = """
    SELECT {columns} FROM checkrein.event
    WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND seq > $4 AND seq <= (
        SELECT max(seq) FROM (
            SELECT seq FROM checkrein.event
            WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND seq > $4
            ORDER BY seq LIMIT $5
        ) AS page
    )
    ORDER BY seq, epoch
"""
ACTION = """
    SELECT run_id, run_day, seq, epoch FROM checkrein.action
    WHERE project_id = $1 AND decision_id = $2 ORDER BY epoch DESC LIMIT 1
"""
EVENT = f"""
    SELECT {STORED} FROM checkrein.event
    WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND seq = $4 AND epoch = $5
        AND decision_id = $6 AND type = 'decision'
"""
BLOBS = """
    SELECT key, sealed FROM checkrein.blob
    WHERE project_id = $1 AND run_id = $2 AND run_day = $3 AND key = ANY($4::bytea[])
"""
WRAPPED = "SELECT wrapped FROM checkrein.run_secret WHERE project_id = $1 AND run_id = $2"
RUN = f"SELECT {RUN_COLUMNS} FROM checkrein.run WHERE project_id = $1 AND run_id = $2"
APPROVALS = f"SELECT {APPROVAL_COLUMNS} FROM checkrein.approval WHERE project_id = $1"
APPROVAL = f"""
    SELECT {APPROVAL_COLUMNS} FROM checkrein.approval WHERE project_id = $1 AND approval_id = $2
"""
# For verification, which looks at everything: also runs whose projection is gone.
ALL_ROWS = "SELECT project_id, run_id FROM checkrein.run"
ALL_DAYS = """
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'checkrein.event'::regclass AND c.relname ~ '^event_\\d{8}$'
    ORDER BY 1
"""
# From run to run by the index: a day's runs are far fewer than its events.
ALL_OF_DAY = """
    WITH RECURSIVE found AS (
        (SELECT project_id, run_id FROM checkrein.event
         WHERE run_day = $1 ORDER BY project_id, run_id LIMIT 1)
        UNION ALL
        SELECT n.project_id, n.run_id
        FROM found AS f
        CROSS JOIN LATERAL (
            (SELECT e.project_id, e.run_id FROM checkrein.event AS e
             WHERE e.project_id = f.project_id AND e.run_day = $1 AND e.run_id > f.run_id
             ORDER BY e.run_id LIMIT 1)
            UNION ALL
            (SELECT e.project_id, e.run_id FROM checkrein.event AS e
             WHERE e.project_id > f.project_id AND e.run_day = $1
             ORDER BY e.project_id, e.run_id LIMIT 1)
            LIMIT 1
        ) AS n
    )
    SELECT project_id, run_id FROM found
"""
# The days without partitions of their own: few rows, or wrong clocks.
ALL_OTHERS = """
    SELECT DISTINCT project_id, run_id FROM checkrein.event
    WHERE run_day < $1 OR run_day > $2 OR run_day = ANY($3::date[])
"""

HAS_STATUS = "status = {}"


async def day(connection: Connection, project_id: str, run_id: str) -> date | None:
    found: date | None = await connection.fetchval(DAY, *_asked(project_id, run_id))
    return found


async def lost_day(connection: Connection, project_id: str, run_id: str) -> date | None:
    """The day of a run that has events and no row."""
    found: date | None = await connection.fetchval(LOST_DAY, *_asked(project_id, run_id))
    return found


async def last_seq(connection: Connection, project_id: str, run_id: str, day: date) -> int:
    return int(await connection.fetchval(LAST, *_asked(project_id, run_id), day) or 0)


async def events(
    connection: Connection, project_id: str, run_id: str, day: date, after: int, limit: int
) -> list[StoredEvent]:
    """In order of seq, then epoch; in a run with epochs a page may be longer than `limit`."""
    statement = PAGE.format(columns=STORED)
    rows = await connection.fetch(statement, *_asked(project_id, run_id), day, after, limit)
    return [ledger_rows.stored_event(*row) for row in rows]


async def indexed(
    connection: Connection, project_id: str, run_id: str, day: date, after: int, limit: int
) -> list[Indexed]:
    """The columns of the same page of events."""
    statement = PAGE.format(columns=INDEXED_COLUMNS)
    rows = await connection.fetch(statement, *_asked(project_id, run_id), day, after, limit)
    return [ledger_rows.indexed_row(tuple(row)) for row in rows]


async def event_by_decision(
    connection: Connection, project_id: str, decision_id: str
) -> StoredEvent | None:
    place = await connection.fetchrow(ACTION, *_asked(project_id, decision_id))
    if place is None:
        return None
    asked = _asked(decision_id)
    found = await connection.fetchrow(EVENT, stored_text(project_id), *place, *asked)
    return None if found is None else ledger_rows.stored_event(*found)


async def blobs(
    connection: Connection, project_id: str, run_id: str, day: date, keys: Collection[str]
) -> dict[str, bytes]:
    """Sealed bytes by storage key, those that are there."""
    wanted = [bytes.fromhex(key) for key in dict.fromkeys(keys)]
    rows = await connection.fetch(BLOBS, *_asked(project_id, run_id), day, wanted)
    return {key.hex(): sealed for key, sealed in rows}


async def secret(connection: Connection, project_id: str, run_id: str) -> bytes | None:
    found: bytes | None = await connection.fetchval(WRAPPED, *_asked(project_id, run_id))
    return found or None


async def run(connection: Connection, project_id: str, run_id: str) -> RunRow | None:
    found = await connection.fetchrow(RUN, *_asked(project_id, run_id))
    return None if found is None else ledger_rows.run_row(tuple(found))


async def approvals(
    connection: Connection, project_id: str, status: str | None, before: Cursor | None, limit: int
) -> list[ApprovalRow]:
    """Newest first, behind the cursor (requested_at, approval_id)."""
    text, asked = approvals_page(project_id, status, before, limit)
    return [ledger_rows.approval_row(tuple(row)) for row in await connection.fetch(text, *asked)]


async def approval(connection: Connection, project_id: str, approval_id: str) -> ApprovalRow | None:
    found = await connection.fetchrow(APPROVAL, *_asked(project_id, approval_id))
    return None if found is None else ledger_rows.approval_row(tuple(found))


async def all_runs(connection: Connection) -> list[tuple[str, str]]:
    days = [row[0] for row in await connection.fetch(ALL_DAYS)]
    first, last = (days[0], days[-1]) if days else (date.max, date.min)
    between = [first + timedelta(days=n) for n in range((last - first).days)] if days else []
    rows = await connection.fetch(ALL_ROWS)
    rows += await connection.fetch(ALL_OTHERS, first, last, sorted({*between} - {*days}))
    for day in days:
        rows += await connection.fetch(ALL_OF_DAY, day)
    return sorted({(ledger_rows.text_of(row[0]), ledger_rows.text_of(row[1])) for row in rows})


def approvals_page(
    project_id: str, status: str | None, before: Cursor | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement of a page of approvals, and what it is asked with."""
    conditions = [] if status is None else [(HAS_STATUS, status)]
    order = ("requested_at", "approval_id")
    return _newest(APPROVALS, project_id, conditions, order, before, limit)


def _newest(
    statement: str,
    project_id: str,
    conditions: list[tuple[str, str]],
    order: tuple[str, str],
    before: Cursor | None,
    limit: int,
) -> tuple[str, list[Any]]:
    """A page of a list, newest first."""
    when, name = order
    asked: list[Any] = [project_id, *(value for _, value in conditions)]
    terms = [term.format(f"${n}") for n, (term, _) in enumerate(conditions, 2)]
    if before is not None:
        terms.append(f"({when}, {name}) < (${len(asked) + 1}, ${len(asked) + 2})")
        asked += before
    text = "".join([statement, *(f" AND {term}" for term in terms)])
    text += f" ORDER BY {when} DESC, {name} DESC LIMIT ${len(asked) + 1}"
    return text, [*_asked(*asked), limit]


def _asked(*values: Any) -> list[Any]:
    return [stored_text(value) for value in values]

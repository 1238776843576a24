"""What the ledger is asked: one function and its statement for each question."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from gateway.domain.projections import ApprovalRow, Indexed, RunRow
from gateway.storage.embedded import ledger_rows
from gateway.storage.embedded.ledger_rows import APPROVAL_COLUMNS, INDEXED_COLUMNS, RUN_COLUMNS
from gateway.storage.ports import StoredEvent

Cursor = tuple[str, str]

STORED = "record, hash, blob_keys"
LAST = """
    SELECT seq, epoch FROM event WHERE project_id = ? AND run_id = ?
    ORDER BY epoch DESC, seq DESC LIMIT 1
"""
PAGE = """
    SELECT {columns} FROM event WHERE project_id = ? AND run_id = ? AND epoch = 0 AND seq > ?
    ORDER BY seq LIMIT ?
"""
# A run in which a seq was given out twice: all events of a seq stay on one page.
PAGE_OF_MANY = """
    SELECT {columns} FROM event WHERE project_id = ?1 AND run_id = ?2 AND seq > ?3 AND seq <= (
        SELECT max(seq) FROM (
            SELECT seq FROM event WHERE project_id = ?1 AND run_id = ?2 AND seq > ?3
            ORDER BY seq LIMIT ?4
        )
    )
    ORDER BY seq, epoch
"""
BY_DECISION = f"""
    SELECT {STORED} FROM event WHERE project_id = ? AND decision_id = ? AND type = 'decision'
    ORDER BY epoch DESC LIMIT 1
"""
BLOBS = """
    SELECT key, sealed FROM blob WHERE project_id = ? AND run_id = ? AND key IN ({marks})
"""
WRAPPED = "SELECT wrapped FROM run_secret WHERE project_id = ? AND run_id = ?"
RUN = f"SELECT {RUN_COLUMNS} FROM run WHERE project_id = ? AND run_id = ?"
APPROVALS = f"SELECT {APPROVAL_COLUMNS} FROM approval WHERE project_id = ? AND {{conditions}}"
APPROVAL = f"SELECT {APPROVAL_COLUMNS} FROM approval WHERE project_id = ? AND approval_id = ?"
# For verification, which looks at everything: also runs whose projection is gone.
ALL_RUNS = """
    SELECT project_id, run_id FROM event
    UNION SELECT project_id, run_id FROM run ORDER BY project_id, run_id
"""
PLACE = """
    WITH found AS (
        SELECT rowid AS event, project_id, hash FROM event
        WHERE project_id = ? AND run_id = ? AND epoch = ? AND seq = ? AND hash = ?
    )
    SELECT place FROM found CROSS JOIN leaf_of USING (event)
        CROSS JOIN leaf USING (project_id, place, hash)
"""
LEAVES = "SELECT hash FROM leaf WHERE project_id = ? AND place >= ? ORDER BY place LIMIT ?"
# From project to project by the key: there are far fewer of them than leaves.
SIZES = """
    WITH RECURSIVE project (id) AS (
        SELECT min(project_id) FROM leaf
        UNION ALL
        SELECT (SELECT min(project_id) FROM leaf WHERE project_id > project.id)
        FROM project WHERE id IS NOT NULL
    )
    SELECT id, (SELECT max(place) + 1 FROM leaf WHERE project_id = id)
    FROM project WHERE id IS NOT NULL
"""
# Hashes that are in the log alone, and those of events alone; one statement sees one moment.
STRAYS = """
    SELECT (SELECT count(*) FROM (SELECT hash FROM leaf WHERE project_id = ?1
                                  EXCEPT SELECT hash FROM event WHERE project_id = ?1))
         + (SELECT count(*) FROM (SELECT hash FROM event WHERE project_id = ?1
                                  EXCEPT SELECT hash FROM leaf WHERE project_id = ?1))
"""

BLOBS_AT_ONCE = 500

HAS_STATUS = "status = ?"


def last_seq(connection: sqlite3.Connection, project_id: str, run_id: str) -> int:
    found = connection.execute(LAST, (project_id, run_id)).fetchone()
    return 0 if found is None else int(found[0])


def events(
    connection: sqlite3.Connection, project_id: str, run_id: str, after: int, limit: int
) -> list[StoredEvent]:
    """In order of seq, then epoch; in a run with epochs a page may be longer than `limit`."""
    rows = _page(connection, STORED, project_id, run_id, after, limit)
    return [ledger_rows.stored_event(*row) for row in rows]


def indexed(
    connection: sqlite3.Connection, project_id: str, run_id: str, after: int, limit: int
) -> list[Indexed]:
    """The columns of the same page of events."""
    rows = _page(connection, INDEXED_COLUMNS, project_id, run_id, after, limit)
    return [ledger_rows.indexed_row(row) for row in rows]


def event_by_decision(
    connection: sqlite3.Connection, project_id: str, decision_id: str
) -> StoredEvent | None:
    found = connection.execute(BY_DECISION, (project_id, decision_id)).fetchone()
    return None if found is None else ledger_rows.stored_event(*found)


def blobs(
    connection: sqlite3.Connection, project_id: str, run_id: str, keys: Collection[str]
) -> dict[str, bytes]:
    """Sealed bytes by storage key, those that are there."""
    wanted = [bytes.fromhex(key) for key in dict.fromkeys(keys)]
    found: dict[str, bytes] = {}
    for at in range(0, len(wanted), BLOBS_AT_ONCE):
        some = wanted[at : at + BLOBS_AT_ONCE]
        statement = BLOBS.format(marks=", ".join("?" * len(some)))
        for key, sealed in connection.execute(statement, (project_id, run_id, *some)):
            found[key.hex()] = sealed
    return found


def blobs_of_runs(
    connection: sqlite3.Connection, project_id: str, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, bytes]]:
    return {run_id: blobs(connection, project_id, run_id, keys) for run_id, keys in wanted.items()}


def secret(connection: sqlite3.Connection, project_id: str, run_id: str) -> bytes | None:
    found = connection.execute(WRAPPED, (project_id, run_id)).fetchone()
    return bytes(found[0]) if found is not None and found[0] else None


def run(connection: sqlite3.Connection, project_id: str, run_id: str) -> RunRow | None:
    found = connection.execute(RUN, (project_id, run_id)).fetchone()
    return None if found is None else ledger_rows.run_row(found)


def approvals(
    connection: sqlite3.Connection,
    project_id: str,
    status: str | None,
    before: Cursor | None,
    limit: int,
) -> list[ApprovalRow]:
    """Newest first, behind the cursor (requested_at, approval_id)."""
    conditions = [] if status is None else [(HAS_STATUS, status)]
    order = ("requested_at", "approval_id")
    rows = _newest(connection, APPROVALS, project_id, conditions, order, before, limit)
    return [ledger_rows.approval_row(row) for row in rows]


def approval(
    connection: sqlite3.Connection, project_id: str, approval_id: str
) -> ApprovalRow | None:
    found = connection.execute(APPROVAL, (project_id, approval_id)).fetchone()
    return None if found is None else ledger_rows.approval_row(found)


def all_runs(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return [(project_id, run_id) for project_id, run_id in connection.execute(ALL_RUNS)]


def leaves(connection: sqlite3.Connection, project_id: str, after: int, limit: int) -> list[bytes]:
    """The hashes of a project's events in commit order, from place `after` on."""
    return [bytes(digest) for (digest,) in connection.execute(LEAVES, (project_id, after, limit))]


def log_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """How many leaves the log of each project has."""
    return dict(connection.execute(SIZES).fetchall())


def place(
    connection: sqlite3.Connection, project_id: str, run_id: str, seq: int, digest: bytes
) -> int | None:
    """Where the hash of this event of the run stands in the project's log."""
    last = connection.execute(LAST, (project_id, run_id)).fetchone()
    # Nearly always there is one epoch.
    for epoch in range(last[1] + 1 if last else 0):
        asked = (project_id, run_id, epoch, seq, digest)
        if found := connection.execute(PLACE, asked).fetchone():
            return int(found[0])
    return None


def strays(connection: sqlite3.Connection, project_id: str) -> int:
    """How many hashes stand in the log or with an event, and not in both."""
    return int(connection.execute(STRAYS, (project_id,)).fetchone()[0])


def _page(
    connection: sqlite3.Connection,
    columns: str,
    project_id: str,
    run_id: str,
    after: int,
    limit: int,
) -> list[Any]:
    last = connection.execute(LAST, (project_id, run_id)).fetchone()
    statement = PAGE if last is None or last[1] == 0 else PAGE_OF_MANY
    asked = (project_id, run_id, after, limit)
    return connection.execute(statement.format(columns=columns), asked).fetchall()


def _newest(
    connection: sqlite3.Connection,
    statement: str,
    project_id: str,
    conditions: list[tuple[str, str]],
    order: tuple[str, str],
    before: Cursor | None,
    limit: int,
) -> list[Any]:
    """A page of a list, newest first."""
    when, name = order
    terms = [term for term, _ in conditions]
    values: list[Any] = [value for _, value in conditions]
    if before is not None:
        terms.append(f"({when}, {name}) < (?, ?)")
        values += before
    text = statement.format(conditions=" AND ".join(terms or ["TRUE"]))
    text += f" ORDER BY {when} DESC, {name} DESC LIMIT ?"
    return connection.execute(text, (project_id, *values, limit)).fetchall()

"""What the ledger is asked across runs: the newest decisions, and what people said of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.storage.embedded import ledger_rows
from gateway.storage.ports import Found

Cursor = tuple[str, str]

COLUMNS = "run_id, record, hash, blob_keys, wrapped, recorded_at, decision_id"
# The order of the joins is the index's: the newest first, and no further than the page.
DECISIONS = f"""
    SELECT {COLUMNS} FROM event INDEXED BY event_judged
    CROSS JOIN run USING (project_id, run_id) LEFT JOIN run_secret USING (project_id, run_id)
    WHERE project_id = ? AND type = 'decision' AND environment = ?
"""
BEHIND = " AND (recorded_at, decision_id) < (?, ?)"
NEWEST = " ORDER BY recorded_at DESC, decision_id DESC LIMIT ?"
FEEDBACK = f"""
    SELECT {COLUMNS} FROM event INDEXED BY event_feedback
    LEFT JOIN run_secret USING (project_id, run_id)
    WHERE project_id = ? AND type = 'feedback' AND run_id = ?
    ORDER BY epoch DESC, seq DESC LIMIT ?
"""
PARTS = """
    WITH wanted (run_id, key) AS (VALUES {marks})
    SELECT run_id, key, sealed FROM wanted CROSS JOIN blob USING (run_id, key)
    WHERE project_id = ?
"""
AT_ONCE = 500


def decisions(
    connection: sqlite3.Connection,
    project_id: str,
    environment: str,
    before: Cursor | None,
    limit: int,
) -> list[Found]:
    """A page of decisions, newest first, with their frames."""
    statement = DECISIONS + ("" if before is None else BEHIND) + NEWEST
    asked = (project_id, environment, *(before or ()), limit)
    return _with_parts(connection, project_id, connection.execute(statement, asked), "frame")


def feedback(
    connection: sqlite3.Connection, project_id: str, run_ids: Sequence[str], per_run: int
) -> list[Found]:
    """What was said in each of these runs; a run with nothing said costs a look at the index."""
    rows: list[Any] = []
    for run_id in dict.fromkeys(run_ids):
        found = connection.execute(FEEDBACK, (project_id, run_id, per_run)).fetchall()
        rows += reversed(found)
    return _with_parts(connection, project_id, rows, "observation")


def _with_parts(
    connection: sqlite3.Connection, project_id: str, rows: Iterable[Any], part: str
) -> list[Found]:
    found = [
        Found(run_id, ledger_rows.stored_event(*stored), wrapped or None, (at, decision_id or ""))
        for run_id, *stored, wrapped, at, decision_id in rows
    ]
    wanted = [(each, key) for each in found if (key := each.stored.blob_keys.get(part)) is not None]
    for at in range(0, len(wanted), AT_ONCE):
        some = {(each.run_id, key): each for each, key in wanted[at : at + AT_ONCE]}
        values = [value for run_id, key in some for value in (run_id, bytes.fromhex(key))]
        statement = PARTS.format(marks=", ".join(["(?, ?)"] * len(some)))
        for run_id, key, sealed in connection.execute(statement, (*values, project_id)):
            some[run_id, key.hex()].sealed[key.hex()] = sealed
    return found

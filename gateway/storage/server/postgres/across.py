"""What the ledger is asked across runs: the newest decisions, and what people said of them.

Each row is looked up in its own day's partition, one by one: a join that hashes would read all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.storage.ports import Found
from gateway.storage.server.postgres import rows as ledger_rows
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.rows import stored_text, text_of

Cursor = tuple[str, str]

PAGE = """
    SELECT a.run_id, a.run_day, a.seq, a.epoch, a.recorded_at, a.decision_id
    FROM checkrein.action AS a
    JOIN LATERAL (
        SELECT environment FROM checkrein.run
        WHERE project_id = $1 AND run_id = a.run_id LIMIT 1
    ) AS r ON r.environment = $2
    WHERE a.project_id = $1
"""
BEHIND = " AND (a.recorded_at, a.decision_id) < ($4, $5)"
NEWEST = " ORDER BY a.recorded_at DESC, a.decision_id DESC LIMIT $3"
DECISIONS = """
    SELECT p.run_id, p.run_day, e.record, e.hash, e.blob_keys, s.wrapped, p.recorded_at,
        p.decision_id
    FROM ({page}) AS p
    JOIN LATERAL (
        SELECT record, hash, blob_keys FROM checkrein.event
        WHERE project_id = $1 AND run_day = p.run_day AND run_id = p.run_id AND seq = p.seq
            AND epoch = p.epoch
        LIMIT 1
    ) AS e ON true
    LEFT JOIN LATERAL (
        SELECT wrapped FROM checkrein.run_secret
        WHERE project_id = $1 AND run_id = p.run_id LIMIT 1
    ) AS s ON true
    ORDER BY p.recorded_at DESC, p.decision_id DESC
"""
FEEDBACK = """
    SELECT r.run_id, r.run_day, e.record, e.hash, e.blob_keys, s.wrapped, e.recorded_at,
        e.decision_id
    FROM unnest($2::text[]) WITH ORDINALITY AS w(run_id, place)
    JOIN LATERAL (
        SELECT run_id, run_day FROM checkrein.run
        WHERE project_id = $1 AND run_id = w.run_id LIMIT 1
    ) AS r ON true
    JOIN LATERAL (
        SELECT record, hash, blob_keys, recorded_at, decision_id, seq, epoch FROM checkrein.event
        WHERE project_id = $1 AND run_day = r.run_day AND run_id = r.run_id AND type = 'feedback'
        ORDER BY epoch DESC, seq DESC LIMIT $3
    ) AS e ON true
    LEFT JOIN LATERAL (
        SELECT wrapped FROM checkrein.run_secret
        WHERE project_id = $1 AND run_id = r.run_id LIMIT 1
    ) AS s ON true
    ORDER BY w.place, e.epoch, e.seq
"""
PARTS = """
    SELECT w.place, b.sealed
    FROM unnest($2::text[], $3::date[], $4::bytea[])
        WITH ORDINALITY AS w(run_id, run_day, key, place)
    JOIN LATERAL (
        SELECT sealed FROM checkrein.blob
        WHERE project_id = $1 AND run_day = w.run_day AND run_id = w.run_id AND key = w.key LIMIT 1
    ) AS b ON true
"""


async def decisions(
    connection: Connection, project_id: str, environment: str, before: Cursor | None, limit: int
) -> list[Found]:
    """A page of decisions, newest first, with their frames."""
    text, asked = decisions_page(project_id, environment, before, limit)
    return await _with_parts(connection, project_id, await connection.fetch(text, *asked), "frame")


async def feedback(
    connection: Connection, project_id: str, run_ids: Sequence[str], per_run: int
) -> list[Found]:
    """What was said in each of these runs, in order."""
    names = [stored_text(run_id) for run_id in dict.fromkeys(run_ids)]
    rows = await connection.fetch(FEEDBACK, stored_text(project_id), names, per_run)
    return await _with_parts(connection, project_id, rows, "observation")


def decisions_page(
    project_id: str, environment: str, before: Cursor | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement of a page of decisions, and what it is asked with."""
    text = DECISIONS.format(page=PAGE + ("" if before is None else BEHIND) + NEWEST)
    asked = [project_id, environment, limit, *(before or ())]
    return text, [stored_text(value) for value in asked]


async def _with_parts(
    connection: Connection, project_id: str, rows: Sequence[Any], part: str
) -> list[Found]:
    found = [
        Found(
            text_of(run_id),
            ledger_rows.stored_event(*stored),
            wrapped or None,
            (text_of(at), text_of(decision_id) or ""),
        )
        for run_id, _, *stored, wrapped, at, decision_id in rows
    ]
    wanted = [
        (each, key, row[1])
        for each, row in zip(found, rows, strict=True)
        if (key := each.stored.blob_keys.get(part)) is not None
    ]
    parts = await connection.fetch(
        PARTS,
        stored_text(project_id),
        [stored_text(each.run_id) for each, _, _ in wanted],
        [day for _, _, day in wanted],
        [bytes.fromhex(key) for _, key, _ in wanted],
    )
    for place, sealed in parts:
        each, key, _ = wanted[place - 1]
        each.sealed[key] = sealed
    return found

"""A project's log in PostgreSQL: hashes by the batch, in the order in which they got their places.

Batches are stored by any number of workers at once. One at a time, whoever has the lock, places
them; a batch that is committed late is placed late. So the order is one for all, and without gaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from gateway.audit.log.merkle import HASH_BYTES
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.rows import stored_text

PLACED_AT_ONCE = 2000

INSERT = """
    INSERT INTO checkrein.leaves (project_id, count, hashes)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bytea[])
    RETURNING project_id, number
"""
LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('checkrein.log', 0))"
GROW = """
    WITH fresh AS (
        SELECT number, project_id, count FROM checkrein.leaves
        WHERE first IS NULL ORDER BY number LIMIT $1
    ),
    ends AS (
        SELECT p.project_id, coalesce((
            SELECT l.first + l.count FROM checkrein.leaves AS l
            WHERE l.project_id = p.project_id AND l.first IS NOT NULL
            ORDER BY l.first DESC LIMIT 1
        ), 0) AS size
        FROM (SELECT DISTINCT project_id FROM fresh) AS p
    ),
    placed AS (
        SELECT number, size - count
            + sum(count) OVER (PARTITION BY project_id ORDER BY number) AS first
        FROM fresh JOIN ends USING (project_id)
    )
    UPDATE checkrein.leaves AS l SET first = placed.first
    FROM placed WHERE l.number = placed.number
"""
LEAVES = """
    SELECT first, hashes FROM checkrein.leaves
    WHERE project_id = $1 AND first < $3 AND first >= coalesce((
        SELECT max(first) FROM checkrein.leaves WHERE project_id = $1 AND first <= $2
    ), 0)
    ORDER BY first
"""
# From project to project by the index: there are far fewer of them than batches.
SIZES = """
    WITH RECURSIVE project (id) AS (
        SELECT min(project_id) FROM checkrein.leaves
        UNION ALL
        SELECT (SELECT min(l.project_id) FROM checkrein.leaves AS l WHERE l.project_id > project.id)
        FROM project WHERE id IS NOT NULL
    )
    SELECT id, last.size FROM project, LATERAL (
        SELECT l.first + l.count AS size FROM checkrein.leaves AS l
        WHERE l.project_id = id AND l.first IS NOT NULL ORDER BY l.first DESC LIMIT 1
    ) AS last
"""
# One row, and the lock of a statement: whoever comes first has it until its time is over.
OWN = """
    INSERT INTO checkrein.witnessing AS w (worker, until)
    VALUES ($1, now() + make_interval(secs => $2))
    ON CONFLICT (sole) DO UPDATE SET worker = excluded.worker, until = excluded.until
    WHERE w.worker = excluded.worker OR w.until <= now()
"""
EACH = """
    SELECT l.first + n AS place, substr(l.hashes, 1 + 32 * n, 32) AS hash
    FROM checkrein.leaves AS l, generate_series(0, l.count - 1) AS n
    WHERE l.project_id = $1
"""
PLACE = """
    SELECT e.leaves, l.first, position(e.hash IN l.hashes) AS found
    FROM checkrein.event AS e
    LEFT JOIN checkrein.leaves AS l ON l.project_id = e.project_id AND l.number = e.leaves
    WHERE e.project_id = $1 AND e.run_day = $3 AND e.run_id = $2 AND e.seq = $4 AND e.hash = $5
    ORDER BY e.epoch DESC LIMIT 1
"""
# Of an event that does not say in which row: some hundred megabytes a second.
PLACE_ANYWHERE = """
    SELECT first, position($2::bytea IN hashes) AS found FROM checkrein.leaves
    WHERE project_id = $1 AND first IS NOT NULL AND position($2::bytea IN hashes) % 32 = 1
    ORDER BY first LIMIT 1
"""
STRAYS = f"""
    SELECT count(*) FROM ({EACH}) AS leaf
    FULL JOIN (SELECT hash FROM checkrein.event WHERE project_id = $1) AS event USING (hash)
    WHERE leaf.hash IS NULL OR event.hash IS NULL
"""


async def add(connection: Connection, hashes: Sequence[tuple[str, bytes]]) -> dict[str, int]:
    """Add (project, hash) of new events, in order, in the transaction that stores them.

    Returns the number of each project's row, which its events remember.
    """
    found: dict[str, list[bytes]] = defaultdict(list)
    for project_id, digest in hashes:
        found[project_id].append(digest)
    joined = [b"".join(each) for each in found.values()]
    added = await connection.fetch(
        INSERT, list(found), [len(each) for each in found.values()], joined
    )
    return {row[0]: row[1] for row in added}


async def grow(connection: Connection) -> int:
    """Place what has no place yet, unless somebody else is at it. How many batches."""
    if not await connection.fetchval(LOCK):
        return 0
    done: str = await connection.execute(GROW, PLACED_AT_ONCE)
    return int(done.rsplit(maxsplit=1)[-1])


async def leaves(connection: Connection, project_id: str, after: int, limit: int) -> list[bytes]:
    found: list[bytes] = []
    for row in await connection.fetch(LEAVES, project_id, after, after + limit):
        skipped = max(0, after - row["first"])
        found += [
            row["hashes"][at : at + HASH_BYTES]
            for at in range(skipped * HASH_BYTES, len(row["hashes"]), HASH_BYTES)
        ]
    return found[:limit]


async def sizes(connection: Connection) -> dict[str, int]:
    """How many leaves have a place in the log of each project."""
    return {row[0]: row[1] for row in await connection.fetch(SIZES)}


async def own_witnessing(connection: Connection, worker: str, seconds: float) -> bool:
    """Whether this worker is now the one who tells witnesses, for so long."""
    done: str = await connection.execute(OWN, worker, seconds)
    return done == "INSERT 0 1"


async def place(
    connection: Connection, project_id: str, run_id: str, day: date, seq: int, digest: bytes
) -> int | None:
    asked = (project_id, stored_text(run_id), day, seq, digest)
    row = await connection.fetchrow(PLACE, *asked)
    if row is not None and row["leaves"] is None:
        row = await connection.fetchrow(PLACE_ANYWHERE, project_id, digest)
    if row is None or row["first"] is None or row["found"] % HASH_BYTES != 1:
        return None
    return int(row["first"] + row["found"] // HASH_BYTES)


async def strays(connection: Connection, project_id: str) -> int:
    return int(await connection.fetchval(STRAYS, project_id))

"""Destroying secrets in PostgreSQL, through functions of the owner that do nothing else.

A row that was changed stays in its file as it was until the table is written anew, which only the
owner of the tables may ask for; and in the write-ahead log until its segments are used again.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from gateway.errors import StorageFailure
from gateway.storage.ports import Erased
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.errors import CONNECT_SECONDS, DRIVER, failure
from gateway.storage.server.postgres.rows import stored_text

ERASE = "SELECT checkrein.erase_runs($1, $2, $3)"
ERASED = "SELECT erased FROM checkrein.run_secret WHERE project_id = $1 AND run_id = $2"
TO_ERASE = """
    SELECT run_id FROM checkrein.run LEFT JOIN checkrein.run_secret USING (project_id, run_id)
    WHERE project_id = $1 AND ($2::text IS NULL OR user_id = $2) AND run_id > $3 AND erased IS NULL
    ORDER BY run_id LIMIT $4
"""
REMAINS = (
    "the tables of PostgreSQL: until their owner has run `checkrein erase scrub`",
    "the write-ahead log and the backups of PostgreSQL: until they are written over and destroyed",
)
SCRUB = (
    "VACUUM FULL checkrein.run_secret",
    "VACUUM FULL checkrein.wrapped_key",
    "CHECKPOINT",
)


async def erase(
    connection: Connection, project_id: str, run_ids: Sequence[str], erased: Erased
) -> int:
    note = msgspec.json.encode(erased).decode()
    return int(await connection.fetchval(ERASE, project_id, list(run_ids), note))


async def erased(connection: Connection, project_id: str, run_id: str) -> Erased | None:
    found = await connection.fetchval(ERASED, project_id, stored_text(run_id))
    return None if found is None else msgspec.json.decode(found, type=Erased)


async def to_erase(
    connection: Connection, project_id: str, user_id: str | None, after: str, limit: int
) -> list[str]:
    user = None if user_id is None else stored_text(user_id)
    found = await connection.fetch(TO_ERASE, project_id, user, after, limit)
    return [row["run_id"] for row in found]


async def scrub(url: str) -> list[str]:
    """Write the tables of secrets and keys anew, as their owner; say what remains.

    A checkpoint may be refused to an owner who is no superuser: then it is the server's next one.
    """
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, statement_cache_size=0)
        try:
            for statement in SCRUB[:2]:
                await connection.execute(statement)
            try:
                await connection.execute(SCRUB[2])
            except asyncpg.InsufficientPrivilegeError:
                return ["the old files of the tables: until the next checkpoint", REMAINS[1]]
        finally:
            connection.terminate()
    except asyncpg.InsufficientPrivilegeError as error:
        raise StorageFailure("Only the owner of the tables can have them written anew.") from error
    except (TimeoutError, ValueError, *DRIVER) as error:
        raise failure(error) from error
    return [REMAINS[1]]

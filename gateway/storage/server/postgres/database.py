"""The way to PostgreSQL: a small pool, and transactions that carry their own limits.

Nothing is left behind in a session: project, timeouts and durability are set within each
transaction. So a pooler in transaction mode may stand in between, and no connection ever comes
back speaking for somebody else's project.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import Struct

from gateway.errors import StorageFailure
from gateway.storage.server.postgres.errors import CONNECT_SECONDS, DRIVER, connection_lost, failure
from gateway.storage.server.postgres.migrate import shipped

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Role = Literal["gateway", "worker"]

CLOSE_SECONDS = 5.0
ROLLBACK_SECONDS = 1.0

BEGIN = "BEGIN"
LIMITS = """
    SELECT set_config('checkrein.project', $1, true),
        set_config('statement_timeout', $2, true),
        set_config('lock_timeout', $2, true),
        set_config('idle_in_transaction_session_timeout', $3, true),
        set_config('synchronous_commit', 'on', true)
"""
# A superuser is a member of every role, so the first column is looked at first.
WHO = """
    SELECT rolsuper OR rolbypassrls AS unbound,
        pg_has_role(current_user, 'checkrein_gateway', 'USAGE') AS gateway,
        pg_has_role(current_user, 'checkrein_worker', 'USAGE') AS worker,
        pg_has_role(current_user, n.nspowner, 'USAGE') AS owner
    FROM pg_roles, pg_namespace AS n
    WHERE rolname = current_user AND n.nspname = 'checkrein'
"""
DONE = "SELECT name FROM checkrein.migration"
NOT_MIGRATED = "The database has no tables of Checkrein's: run `checkrein migrate` first."
BEHIND = "The database lacks what this release needs: run `checkrein migrate` first."


class Limits(Struct, frozen=True):
    """`statement_seconds` bounds a statement in the server, `call_seconds` a whole transaction
    here, the wait for a connection included."""

    connections: int
    statement_seconds: float
    call_seconds: float


LIMITS_OF: dict[Role, Limits] = {
    "gateway": Limits(connections=4, statement_seconds=3.0, call_seconds=5.0),
    "worker": Limits(connections=2, statement_seconds=30.0, call_seconds=60.0),
}


async def open_database(
    url: str, role: Role, *, prepared: bool = True, limits: Limits | None = None
) -> Database:
    """Connect as this role. `prepared` is False behind a pooler that knows no prepared statements.

    Raises StorageFailure when the server is away, not migrated, or the user has other rights than
    the role: one that passes row-level security is never used.
    """
    bounds = limits or LIMITS_OF[role]
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=bounds.connections,
            timeout=CONNECT_SECONDS,
            statement_cache_size=256 if prepared else 0,
            reset=_keep,
            server_settings={"application_name": f"checkrein-{role}"},
        )
        database = Database(pool, bounds)
        try:
            await _check_role(database, role)
            await _check_tables(database)
        except BaseException:
            await database.close()
            raise
    except (*DRIVER, ValueError) as error:
        raise StorageFailure("The database's address cannot be used.") from error
    return database


class Database:
    """Hands out connections, each within a transaction that ends with the block."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], limits: Limits) -> None:
        self._pool = pool
        self._limits = limits

    @asynccontextmanager
    async def tenant(self, project_id: str) -> AsyncIterator[Connection]:
        """A transaction that speaks for one project. Raises StorageFailure."""
        async with self._transaction(project_id) as connection:
            yield connection

    @asynccontextmanager
    async def across(self) -> AsyncIterator[Connection]:
        """A transaction that speaks for no project: to a gateway, no tenant's row shows in it."""
        async with self._transaction("") as connection:
            yield connection

    async def close(self) -> None:
        """Wait for what is under way, but not for ever."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._pool.close()
        except (TimeoutError, *DRIVER):
            self._pool.terminate()

    @asynccontextmanager
    async def _transaction(self, project_id: str) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(self._limits.call_seconds):
                connection = await self._pool.acquire()
                try:
                    await self._begin(connection, project_id)
                    yield connection
                    await connection.execute("COMMIT")
                except BaseException as error:
                    await _abandon(connection, error)
                    raise
                finally:
                    await self._pool.release(connection)
        except (TimeoutError, *DRIVER) as error:
            raise failure(error) from error

    async def _begin(self, connection: Connection, project_id: str) -> None:
        statement = str(round(self._limits.statement_seconds * 1000))
        idle = str(round(self._limits.call_seconds * 1000))
        await connection.execute(BEGIN)
        await connection.fetchrow(LIMITS, project_id, statement, idle)


async def _keep(connection: object) -> None:
    """Nothing was left in the session, so there is nothing to reset."""


async def _abandon(connection: Connection, error: BaseException) -> None:
    """End a transaction that failed; a connection whose state is unknown is ended with it."""
    if isinstance(error, Exception) and not connection_lost(error):
        with contextlib.suppress(TimeoutError, *DRIVER):
            async with asyncio.timeout(ROLLBACK_SECONDS):
                await connection.execute("ROLLBACK")
                return
    # One that the server has left may be out of the pool's hands already.
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _check_role(database: Database, role: Role) -> None:
    async with database.across() as connection:
        try:
            found = await connection.fetchrow(WHO)
        except asyncpg.UndefinedObjectError as error:
            raise StorageFailure(NOT_MIGRATED) from error
    if found is None:
        raise StorageFailure(NOT_MIGRATED)
    if found["unbound"] or found["owner"]:
        raise StorageFailure(
            "The database user passes row-level security or owns the tables: "
            f"log in as checkrein_{role} or as a member of that role."
        )
    other: Role = "worker" if role == "gateway" else "gateway"
    if not found[role] or found[other]:
        raise StorageFailure(f"The database user must be a member of checkrein_{role} alone.")


async def _check_tables(database: Database) -> None:
    """All migrations of this release were applied. Those of a newer one suit it."""
    async with database.across() as connection:
        done = {row["name"] for row in await connection.fetch(DONE)}
    if not {file.name for file in shipped()} <= done:
        raise StorageFailure(BEHIND)

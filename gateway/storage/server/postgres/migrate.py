"""The migration runner for PostgreSQL: numbered SQL files, forward only, remembered with digests.

Each file is a transaction of its own, under a lock that lets one runner in at a time and with
limits on how long it may wait and work. It connects as the role that owns the tables, directly
and not through a pooler.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from typing import Literal

import asyncpg
from msgspec import Struct

from gateway.errors import StorageFailure
from gateway.storage.server.postgres.errors import CONNECT_SECONDS, DRIVER, failure

PACKAGE = "gateway.storage.server.postgres"
WAIT = "60s"
LOCK_WAIT = "5s"
WORK = "300s"
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('checkrein.migration', 0))"
EXISTS = "SELECT to_regclass('checkrein.migration') IS NOT NULL"
MAKE = """
    CREATE SCHEMA IF NOT EXISTS checkrein;
    CREATE TABLE IF NOT EXISTS checkrein.migration (
        name text PRIMARY KEY,
        digest text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    );
"""
DONE = "SELECT name, digest FROM checkrein.migration"
REMEMBER = "INSERT INTO checkrein.migration (name, digest) VALUES ($1, $2)"

State = Literal["current", "behind", "ahead", "edited"]


class Migration(Struct, frozen=True):
    """One file: what it is called and what it does."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


class Checked(Struct, frozen=True):
    """How a database stands to this release. `detail` is a sentence for a person.

    `ahead` means that a newer release changed it, which suits the release before.
    """

    state: State
    detail: str
    pending: tuple[str, ...] = ()


async def migrate(url: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing; return the names.

    Raises StorageFailure when the database does not fit these files; those before stay applied.
    """
    files = list(migrations if migrations is not None else shipped())
    applied: list[str] = []
    connection = await _connect(url)
    try:
        while True:
            name = await _apply_next(connection, files)
            if name is None:
                return applied
            applied.append(name)
    except (TimeoutError, *DRIVER) as error:
        raise _refused(error) from error
    finally:
        connection.terminate()


async def plan(url: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """What `migrate` would apply, in order. Changes nothing. Raises like it."""
    files = list(migrations if migrations is not None else shipped())
    done = await _done_at(url)
    _refuse_strangers(done, files)
    return [file for file in files if file.name not in done]


async def check(url: str, migrations: Sequence[Migration] | None = None) -> Checked:
    """Whether the database suits this release. Changes nothing; any role may ask."""
    files = list(migrations if migrations is not None else shipped())
    done = await _done_at(url)
    pending = tuple(file.name for file in files if file.name not in done)
    edited = [file.name for file in files if done.get(file.name, file.digest) != file.digest]
    newer = sorted(done.keys() - {file.name for file in files})
    if edited:
        return Checked("edited", f"Migration {edited[0]} was edited after it had been applied.")
    if pending:
        return Checked("behind", f"{len(pending)} migrations are missing.", pending)
    if newer:
        return Checked("ahead", f"A newer release has applied {newer[0]}.")
    return Checked("current", "The database is as this release makes it.")


def shipped() -> list[Migration]:
    """The migrations of this release, in order."""
    files = resources.files(PACKAGE).joinpath("migrations").iterdir()
    found = [
        Migration(file.name, file.read_text("utf-8"))
        for file in files
        if _NAME.fullmatch(file.name)
    ]
    return sorted(found, key=lambda migration: migration.name)


async def _apply_next(
    connection: asyncpg.Connection[asyncpg.Record], files: list[Migration]
) -> str | None:
    """Apply the first file that is missing, under the lock; None when there is none."""
    async with connection.transaction():
        await _bound(connection, lock=WAIT, statement=WAIT)
        await connection.execute(LOCK)
        await _bound(connection, lock=LOCK_WAIT, statement=WORK)
        if not await connection.fetchval(EXISTS):
            await connection.execute(MAKE)
        done = {row["name"]: row["digest"] for row in await connection.fetch(DONE)}
        _refuse_strangers(done, files)
        for file in files:
            if file.name not in done:
                await connection.execute(file.sql)
                await connection.execute(REMEMBER, file.name, file.digest)
                return file.name
    return None


async def _bound(
    connection: asyncpg.Connection[asyncpg.Record], *, lock: str, statement: str
) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = '{lock}'")
    await connection.execute(f"SET LOCAL statement_timeout = '{statement}'")


async def _done_at(url: str) -> dict[str, str]:
    connection = await _connect(url)
    try:
        if not await connection.fetchval(EXISTS):
            return {}
        return {row["name"]: row["digest"] for row in await connection.fetch(DONE)}
    except (TimeoutError, *DRIVER) as error:
        raise failure(error) from error
    finally:
        connection.terminate()


async def _connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS, statement_cache_size=0)
    except (TimeoutError, ValueError, *DRIVER) as error:
        raise failure(error) from error


def _refused(error: BaseException) -> StorageFailure:
    """What a migration's own statement ran into; its words are the schema's, not a row's."""
    if isinstance(error, asyncpg.PostgresError):
        return StorageFailure(f"A migration failed (SQLSTATE {error.sqlstate}): {error.message}")
    return failure(error)


def _refuse_strangers(done: dict[str, str], files: list[Migration]) -> None:
    known = {file.name: file.digest for file in files}
    for name, digest in done.items():
        if name not in known:
            raise StorageFailure(
                f"The database was changed by a newer release (migration {name}): "
                "start that release, or restore a backup from before it."
            )
        if digest != known[name]:
            raise StorageFailure(f"Migration {name} was edited after it had been applied.")
    last = max(done, default="")
    for name in known:
        if name not in done and name < last:
            raise StorageFailure(f"Migration {name} comes before {last}, which has been applied.")

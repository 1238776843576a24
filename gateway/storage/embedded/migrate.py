"""The migration runner: numbered SQL files, forward only, remembered with their digests.

A file that was edited after it ran, or a database that a newer release has already changed,
is refused before anything is touched.
"""

from __future__ import annotations

import re
import sqlite3
from hashlib import sha256
from importlib import resources

from msgspec import Struct

from gateway.errors import StorageFailure

PACKAGE = "gateway.storage.embedded"
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_REMEMBER = "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, digest TEXT NOT NULL)"


class Migration(Struct, frozen=True):
    """One file: what it is called and what it does."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def migrate(connection: sqlite3.Connection, folder: str) -> list[str]:
    """Apply what is missing of `migrations/<folder>` in one transaction; return the names.

    Raises StorageFailure when the database does not fit these files.
    """
    return apply(connection, shipped(folder))


def shipped(folder: str) -> list[Migration]:
    """The migrations of a folder, in order."""
    files = resources.files(PACKAGE).joinpath("migrations", folder).iterdir()
    found = [
        Migration(file.name, file.read_text("utf-8"))
        for file in files
        if _NAME.fullmatch(file.name)
    ]
    return sorted(found, key=lambda migration: migration.name)


def apply(connection: sqlite3.Connection, migrations: list[Migration]) -> list[str]:
    """Apply the migrations the database does not remember. The connection is in autocommit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_REMEMBER)
        done = dict(connection.execute("SELECT name, digest FROM migration").fetchall())
        _refuse_strangers(done, migrations)
        fresh = [migration for migration in migrations if migration.name not in done]
        for migration in fresh:
            for statement in _statements(migration):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migration (name, digest) VALUES (?, ?)",
                (migration.name, migration.digest),
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return [migration.name for migration in fresh]


def _refuse_strangers(done: dict[str, str], migrations: list[Migration]) -> None:
    known = {migration.name: migration.digest for migration in migrations}
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


def _statements(migration: Migration) -> list[str]:
    """One by one: `executescript` would commit the transaction that holds them together."""
    found: list[str] = []
    text = ""
    for line in migration.sql.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in text.splitlines()):
        raise StorageFailure(f"Migration {migration.name} ends within a statement.")
    return found

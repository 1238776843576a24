"""Destroying secrets in SQLite files, and wiping what the files still hold of them.

SQLite leaves the bytes of a row that is gone where they were, in pages and in the log. Here they
are overwritten: by `secure_delete` where a row goes, by writing a table or a small file anew where
copies may lie in pages that were split or freed before.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_writer
from gateway.storage.ports import Erased

LOOKS = 20
ANEW_BYTES = 256 * 1024 * 1024

ERASE = """
    INSERT INTO run_secret (project_id, run_id, wrapped, erased) VALUES (?, ?, x'', ?)
    ON CONFLICT DO UPDATE SET wrapped = x'', erased = excluded.erased WHERE erased IS NULL
"""
ERASED = "SELECT erased FROM run_secret WHERE project_id = ? AND run_id = ?"
TO_ERASE = """
    SELECT run_id FROM run LEFT JOIN run_secret USING (project_id, run_id)
    WHERE project_id = ? AND (? IS NULL OR user_id = ?) AND run_id > ? AND erased IS NULL
    ORDER BY run_id LIMIT ?
"""
AGAIN = (
    "CREATE TEMP TABLE again AS SELECT * FROM main.run_secret",
    "DELETE FROM main.run_secret",
    "INSERT INTO main.run_secret SELECT * FROM again",
)


def erase(path: Path, project_id: str, run_ids: Sequence[str], erased: Erased) -> int:
    """Empty the secrets of these runs in the ledger, whoever else is writing to it."""
    note = msgspec.json.encode(erased).decode()
    with _shredder(path) as connection:
        before = connection.total_changes
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(ERASE, [(project_id, run_id, note) for run_id in run_ids])
        connection.execute("COMMIT")
        return connection.total_changes - before


def erased(connection: sqlite3.Connection, project_id: str, run_id: str) -> Erased | None:
    found = connection.execute(ERASED, (project_id, run_id)).fetchone()
    if found is None or found[0] is None:
        return None
    return msgspec.json.decode(found[0], type=Erased)


def to_erase(
    connection: sqlite3.Connection, project_id: str, user_id: str | None, after: str, limit: int
) -> list[str]:
    asked = (project_id, user_id, user_id, after, limit)
    return [run_id for (run_id,) in connection.execute(TO_ERASE, asked)]


def scrub_secrets(path: Path) -> list[str]:
    """Write the ledger's table of secrets anew: all its old pages are overwritten with zeros."""
    with _shredder(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in AGAIN:
            connection.execute(statement)
        connection.execute("COMMIT")
        return _emptied(connection, path)


def scrub_file(path: Path) -> list[str]:
    """Write a small file anew, as it is: the journal, or that of keys. Others wait meanwhile."""
    if path.stat().st_size > ANEW_BYTES:
        return [f"{path.name}, too large to be written anew at once: until its rows have gone"]
    with _shredder(path) as connection:
        connection.execute("VACUUM")
        return _emptied(connection, path)


def _emptied(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Move the log into the file and cut it; whoever reads just then is waited for."""
    for _ in range(LOOKS):
        with contextlib.suppress(sqlite3.OperationalError):
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0:
                return []
    return [f"{path.name}-wal, which others read just now: until it is written over"]


@contextmanager
def _shredder(path: Path) -> Iterator[sqlite3.Connection]:
    """A writing connection of its own that overwrites what it takes away."""
    connection: sqlite3.Connection | None = None
    try:
        connection = open_writer(path)
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        yield connection
    except sqlite3.Error as error:
        raise StorageFailure(f"{path.name}: {error}") from error
    finally:
        if connection is not None:
            connection.close()

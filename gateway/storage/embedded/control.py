"""Projects, API keys, wrapped keys and policy versions on one SQLite file.

Used by the gateway, the worker and the command line at the same time; everything here is rare
and small, so each call is its own transaction on one thread.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.ambient import Ambient
from gateway.errors import StorageFailure
from gateway.storage.embedded import erasing
from gateway.storage.embedded.connections import open_writer
from gateway.storage.embedded.migrate import migrate
from gateway.storage.ports import KeyRecord

T = TypeVar("T")

# The columns are in the order of KeyRecord's fields.
KEYS = """
    SELECT id, project_id, environment, name, digest, scopes, created_at, agent_id, expires_at,
        revoked_at
    FROM api_key ORDER BY created_at, id
"""
ADD_KEY = "INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REVOKE_KEY = "UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
EXPIRE_KEY = """
    UPDATE api_key SET expires_at = ? WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)
"""
CHANGED = "UPDATE change SET number = number + 1"
CHANGES = "SELECT number FROM change"
ERASED = "UPDATE change SET number = number + 1, erasures = erasures + 1"
ERASURES = "SELECT erasures FROM change"
PROJECT = "SELECT id FROM project WHERE name = ?"
ADD_PROJECT = "INSERT INTO project (id, name) VALUES (?, ?)"
WRAPPED = "SELECT wrapped FROM wrapped_key WHERE project_id = ? AND subject = ?"
ADD_WRAPPED = """
    INSERT INTO wrapped_key (project_id, subject, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""
DESTROY = "DELETE FROM wrapped_key WHERE project_id = ? AND subject = ?"
DESTROY_ALL = "DELETE FROM wrapped_key WHERE project_id = ?"
ADD_VERSION = """
    INSERT INTO policy_version (digest, commit_id, saved_at, files) VALUES (?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
VERSION_FILES = "SELECT files FROM policy_version WHERE digest = ?"
VERSIONS = (
    "SELECT digest, commit_id, saved_at FROM policy_version ORDER BY saved_at DESC, rowid DESC"
)


class EmbeddedControl:
    """Raises StorageFailure when the file does not fit."""

    def __init__(self, path: Path, ambient: Ambient) -> None:
        self._path = path
        self._ambient = ambient
        try:
            self._connection = open_writer(path)
            migrate(self._connection, "control")
        except sqlite3.Error as error:
            raise StorageFailure(f"{path.name}: {error}") from error
        self._thread = ThreadPoolExecutor(1, f"control {path.name}")

    async def keys(self) -> Sequence[KeyRecord]:
        found = await self._read(KEYS)
        return [_key_record(row) for row in found]

    async def add_key(self, record: KeyRecord) -> None:
        row = (
            record.id,
            record.project_id,
            record.environment,
            record.name,
            record.digest,
            " ".join(record.scopes),
            record.created_at,
            record.agent_id,
            record.expires_at,
            record.revoked_at,
        )

        def work(db: sqlite3.Connection) -> None:
            db.execute(ADD_KEY, row)
            db.execute(CHANGED)

        await self._write(work)

    async def revoke_key(self, key_id: str, at: str) -> bool:
        """False when there is no such key, or it was revoked before."""

        def work(db: sqlite3.Connection) -> bool:
            revoked = db.execute(REVOKE_KEY, (at, key_id)).rowcount == 1
            if revoked:
                db.execute(CHANGED)
            return revoked

        return await self._write(work)

    async def expire_key(self, key_id: str, at: str) -> bool:
        """False when there is no such key, or it ends sooner already."""

        def work(db: sqlite3.Connection) -> bool:
            expired = db.execute(EXPIRE_KEY, (at, key_id, at)).rowcount == 1
            if expired:
                db.execute(CHANGED)
            return expired

        return await self._write(work)

    async def changes(self) -> int:
        return int((await self._read(CHANGES))[0][0])

    async def erasures(self) -> int:
        return int((await self._read(ERASURES))[0][0])

    async def project(self, name: str) -> str:
        def work(db: sqlite3.Connection) -> str:
            found = db.execute(PROJECT, (name,)).fetchall()
            if found:
                return str(found[0][0])
            project_id = self._ambient.new_id("prj")
            db.execute(ADD_PROJECT, (project_id, name))
            db.execute(CHANGED)
            return project_id

        return await self._write(work)

    async def wrapped_key(self, project_id: str, subject: str | None) -> bytes | None:
        found = await self._read(WRAPPED, project_id, _subject(subject))
        return found[0][0] if found else None

    async def put_wrapped_key(self, project_id: str, subject: str | None, wrapped: bytes) -> bytes:
        place = (project_id, _subject(subject))

        def work(db: sqlite3.Connection) -> bytes:
            db.execute(ADD_WRAPPED, (*place, wrapped))
            return bytes(db.execute(WRAPPED, place).fetchall()[0][0])

        return await self._write(work)

    async def destroy_keys(self, project_id: str, subject: str | None) -> int:
        assert project_id

        def work(db: sqlite3.Connection) -> int:
            db.execute("PRAGMA secure_delete = ON")
            if subject is None:
                count = db.execute(DESTROY_ALL, (project_id,)).rowcount
            else:
                count = db.execute(DESTROY, (project_id, _subject(subject))).rowcount
            db.execute(ERASED)
            return count

        return await self._write(work)

    async def scrub(self) -> Sequence[str]:
        return await self._call(lambda: erasing.scrub_file(self._path))

    async def save_version(
        self, digest: str, files: Mapping[str, str], commit: str | None, at: str
    ) -> None:
        row = (digest, commit, at, json.dumps(dict(files)))
        await self._write(lambda db: db.execute(ADD_VERSION, row))

    async def version_files(self, digest: str) -> Mapping[str, str] | None:
        found = await self._read(VERSION_FILES, digest)
        return json.loads(found[0][0]) if found else None

    async def versions(self) -> Sequence[Mapping[str, Any]]:
        found = await self._read(VERSIONS)
        return [dict(zip(("digest", "commit", "saved_at"), row, strict=True)) for row in found]

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    async def _read(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return await self._call(lambda: self._connection.execute(statement, parameters).fetchall())

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run the work in a transaction of its own."""
        return await self._call(lambda: self._transaction(work))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StorageFailure(f"{self._path.name}: {error}") from error

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise
        return result


def _key_record(row: tuple[Any, ...]) -> KeyRecord:
    values = dict(zip(KeyRecord.__struct_fields__, row, strict=True))
    return KeyRecord(**{**values, "scopes": tuple(values["scopes"].split())})


def _subject(subject: str | None) -> str:
    """'' stands for the project; a user's id may be any text, so it gets a prefix."""
    return "" if subject is None else f"user:{subject}"

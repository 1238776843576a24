"""Projects, API keys, wrapped keys and policy versions on PostgreSQL.

A gateway has no right to read keys or projects as tables: it calls functions of the owner, each
of which does one narrow thing. `changes` reads one row, so many gateways may ask every second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.ambient import Ambient
from gateway.storage.ports import KeyRecord
from gateway.storage.server.postgres.database import Database, Limits, Role, open_database
from gateway.storage.server.postgres.rows import stored_text, text_of

# The keys of the installation itself belong to no project; no project has this id.
INSTALLATION = "*"

# The columns are in the order of KeyRecord's fields.
KEYS = """
    SELECT id, project_id, environment, name, digest, scopes, created_at, agent_id, expires_at,
        revoked_at
    FROM checkrein.keys()
"""
ADD_KEY = """
    INSERT INTO checkrein.api_key (project_id, id, environment, name, digest, scopes, created_at,
        agent_id, expires_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
REVOKE_KEY = "SELECT checkrein.revoke_key($1, $2)"
EXPIRE_KEY = "SELECT checkrein.expire_key($1, $2)"
CHANGES = "SELECT number FROM checkrein.change"
ERASURES = "SELECT erasures FROM checkrein.change"
PROJECT = "SELECT checkrein.project_named($1, $2)"
WRAPPED = "SELECT wrapped FROM checkrein.wrapped_key WHERE project_id = $1 AND subject = $2"
ADD_WRAPPED = """
    INSERT INTO checkrein.wrapped_key (project_id, subject, wrapped) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING
"""
DESTROY_KEYS = "SELECT checkrein.destroy_keys($1, $2)"
ADD_VERSION = """
    INSERT INTO checkrein.policy_version (digest, commit_id, saved_at, files)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
VERSION_FILES = "SELECT files FROM checkrein.policy_version WHERE digest = $1"
VERSIONS = """
    SELECT digest, commit_id, saved_at FROM checkrein.policy_version
    ORDER BY saved_at DESC, number DESC
"""


async def open_control(
    url: str,
    ambient: Ambient,
    role: Role = "gateway",
    *,
    prepared: bool = True,
    limits: Limits | None = None,
) -> PostgresControl:
    """Control in this migrated database. A worker's reads and adds wrapped keys, nothing else."""
    database = await open_database(url, role, prepared=prepared, limits=limits)
    return PostgresControl(database, ambient)


class PostgresControl:
    """The Control port on PostgreSQL. Raises StorageFailure."""

    def __init__(self, database: Database, ambient: Ambient) -> None:
        self._database = database
        self._ambient = ambient

    async def keys(self) -> Sequence[KeyRecord]:
        async with self._database.across() as connection:
            found = await connection.fetch(KEYS)
        return [_key_record(tuple(row)) for row in found]

    async def add_key(self, record: KeyRecord) -> None:
        row = (
            record.project_id,
            record.id,
            record.environment,
            record.name,
            record.digest,
            " ".join(record.scopes),
            record.created_at,
            record.agent_id,
            record.expires_at,
            record.revoked_at,
        )
        async with self._database.tenant(record.project_id) as connection:
            await connection.execute(ADD_KEY, *map(stored_text, row))

    async def revoke_key(self, key_id: str, at: str) -> bool:
        """False when there is no such key, or it was revoked before."""
        return bool(await self._value(REVOKE_KEY, key_id, at))

    async def expire_key(self, key_id: str, at: str) -> bool:
        """False when there is no such key, or it ends sooner already."""
        return bool(await self._value(EXPIRE_KEY, key_id, at))

    async def changes(self) -> int:
        return int(await self._value(CHANGES))

    async def erasures(self) -> int:
        return int(await self._value(ERASURES))

    async def project(self, name: str) -> str:
        found: str = await self._value(PROJECT, stored_text(name), self._ambient.new_id("prj"))
        return found

    async def wrapped_key(self, project_id: str, subject: str | None) -> bytes | None:
        owner = project_id or INSTALLATION
        async with self._database.tenant(owner) as connection:
            found: bytes | None = await connection.fetchval(WRAPPED, owner, _subject(subject))
        return found

    async def put_wrapped_key(self, project_id: str, subject: str | None, wrapped: bytes) -> bytes:
        owner = project_id or INSTALLATION
        async with self._database.tenant(owner) as connection:
            await connection.execute(ADD_WRAPPED, owner, _subject(subject), wrapped)
            return bytes(await connection.fetchval(WRAPPED, owner, _subject(subject)))

    async def destroy_keys(self, project_id: str, subject: str | None) -> int:
        whose = None if subject is None else _subject(subject)
        async with self._database.tenant(project_id) as connection:
            return int(await connection.fetchval(DESTROY_KEYS, project_id, whose))

    async def scrub(self) -> Sequence[str]:
        """A gateway may not write tables anew: the ledger says what is left to do."""
        return ()

    async def save_version(
        self, digest: str, files: Mapping[str, str], commit: str | None, at: str
    ) -> None:
        async with self._database.across() as connection:
            await connection.execute(ADD_VERSION, digest, commit, at, json.dumps(dict(files)))

    async def version_files(self, digest: str) -> Mapping[str, str] | None:
        found = await self._value(VERSION_FILES, digest)
        return None if found is None else json.loads(found)

    async def versions(self) -> Sequence[Mapping[str, Any]]:
        async with self._database.across() as connection:
            found = await connection.fetch(VERSIONS)
        return [
            dict(zip(("digest", "commit", "saved_at"), tuple(row), strict=True)) for row in found
        ]

    async def close(self) -> None:
        await self._database.close()

    async def _value(self, statement: str, *asked: str) -> Any:
        async with self._database.across() as connection:
            return await connection.fetchval(statement, *asked)


def _key_record(row: tuple[Any, ...]) -> KeyRecord:
    values = dict(zip(KeyRecord.__struct_fields__, map(text_of, row), strict=True))
    return KeyRecord(**{**values, "scopes": tuple(values["scopes"].split())})


def _subject(subject: str | None) -> bytes:
    """Empty for the project; a user's id may be any text, so it gets a prefix."""
    return b"" if subject is None else f"user:{subject}".encode()

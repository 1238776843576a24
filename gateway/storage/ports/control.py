"""Projects, keys and policy versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


class Caller(Struct, frozen=True):
    """Who asks: what an API key stands for. `agent_id` is set when the key is bound to an agent."""

    key_id: str
    project_id: str
    environment: str
    scopes: frozenset[str]
    agent_id: str | None = None


class KeyRecord(Struct, frozen=True):
    """An API key as stored: never the key, only a keyed digest of it. Times RFC 3339."""

    id: str
    project_id: str
    environment: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created_at: str
    agent_id: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None


class Control(Protocol):
    """Projects, API keys, wrapped encryption keys and policy versions."""

    async def keys(self) -> Sequence[KeyRecord]: ...

    async def add_key(self, record: KeyRecord) -> None: ...

    async def revoke_key(self, key_id: str, at: str) -> bool: ...

    async def expire_key(self, key_id: str, at: str) -> bool:
        """Let a key end then, unless it ends sooner already."""
        ...

    async def changes(self) -> int:
        """A number that differs whenever keys or projects changed."""
        ...

    async def erasures(self) -> int:
        """A number that differs whenever keys of content were destroyed; `changes` differs too."""
        ...

    async def project(self, name: str) -> str:
        """The id of the project of that name, made when it is new."""
        ...

    async def wrapped_key(self, project_id: str, subject: str | None) -> bytes | None: ...

    async def put_wrapped_key(self, project_id: str, subject: str | None, wrapped: bytes) -> bytes:
        """Store the first one and return it; later ones are ignored, and the first returned."""
        ...

    async def destroy_keys(self, project_id: str, subject: str | None) -> int:
        """Destroy a subject's key, or all keys of a project; return how many. Counts as a change.

        A key that is needed again is made anew, and opens nothing that was sealed before.
        """
        ...

    async def scrub(self) -> Sequence[str]:
        """Wipe what the files still hold of destroyed keys; say where copies stay, if any."""
        ...

    async def save_version(
        self, digest: str, files: Mapping[str, str], commit: str | None, at: str
    ) -> None: ...

    async def version_files(self, digest: str) -> Mapping[str, str] | None: ...

    async def versions(self) -> Sequence[Mapping[str, Any]]:
        """Newest first: digest, commit, saved_at."""
        ...

    async def close(self) -> None: ...

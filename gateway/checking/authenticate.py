"""Who asks: an API key against the keys in memory, without a look at any store.

Keys are read again when Control says that something changed, asked once a second, so that a
revoked key stops working within five.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from msgspec import Struct

from gateway.ambient import Ambient
from gateway.domain import api_keys, sealing
from gateway.errors import StorageFailure, Unauthenticated
from gateway.storage.ports import Caller, Control, KeyRecord

REFRESH_SECONDS = 1.0
# Connections that died unnoticed, which may be all of a pool's four, must together cost less than a
# revocation may take: after one the next is asked at once.
CHANGES_SECONDS = 0.9
AGAIN_SECONDS = 0.05
PROVED_MAX = 4096
_log = structlog.get_logger()


class _Known(Struct, frozen=True):
    """A key ready to be compared. `expires_ns` since the epoch."""

    digest: bytes
    caller: Caller
    expires_ns: int | None
    revoked: bool


def pepper(master: bytes) -> bytes:
    """The secret under which keys are digested, from the master key."""
    return sealing.derive(master, "api-keys")


class KeyCache:
    """Authenticates from memory. Empty until the first `refresh`.

    A header that proved its key is known again by a salted digest, which costs a fraction of taking
    the key apart; whatever changes a key forgets all of them. `on_change` is called when anything
    in Control changed: encryption keys that were destroyed are among it.
    """

    def __init__(
        self,
        control: Control,
        pepper: bytes,
        ambient: Ambient,
        on_change: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._control = control
        self._on_change = on_change
        self._pepper = pepper
        self._ambient = ambient
        self._known: dict[str, _Known] = {}
        self._proved: dict[bytes, _Known] = {}
        self._salt = os.urandom(16)
        self._changes: int | None = None

    def authenticate(self, header: str | None) -> Caller:
        """The caller behind an `Authorization: Bearer` header. Raises Unauthenticated."""
        text = header or ""
        seen = hashlib.blake2b(text.encode(), key=self._salt, digest_size=32).digest()
        known = self._proved.get(seen)
        if known is None:
            known = self._prove(text)
            if len(self._proved) < PROVED_MAX:
                self._proved[seen] = known
        return self._current(known)

    def still(self, key_id: str) -> Caller:
        """The caller behind a key that was proved before. Raises Unauthenticated when it ended."""
        known = self._known.get(key_id)
        if known is None:
            raise Unauthenticated("key_revoked", "This API key is gone.")
        return self._current(known)

    def _current(self, known: _Known) -> Caller:
        if known.revoked:
            raise Unauthenticated("key_revoked", "This API key was revoked.")
        if known.expires_ns is not None and known.expires_ns <= self._ambient.now_ns():
            raise Unauthenticated("key_expired", "This API key has expired.")
        return known.caller

    def _prove(self, header: str) -> _Known:
        """The key that the header holds. Raises Unauthenticated."""
        scheme, _, text = header.partition(" ")
        parts = api_keys.parse(text) if scheme.lower() == "bearer" else None
        known = self._known.get(parts.id) if parts else None
        if known is None or not api_keys.same(known.digest, api_keys.digest(self._pepper, text)):
            raise Unauthenticated(detail="Send `Authorization: Bearer <API key>` with a valid key.")
        return known

    async def refresh(self) -> bool:
        """Read the keys again if they changed; return whether. Raises StorageFailure."""
        try:
            async with asyncio.timeout(CHANGES_SECONDS):
                changes = await self._control.changes()
        except TimeoutError as error:
            raise StorageFailure("The store of keys did not answer in time.") from error
        if changes == self._changes:
            return False
        self._known = {record.id: _known(record) for record in await self._control.keys()}
        self._proved = {}
        if self._on_change is not None:
            await self._on_change()
        self._changes = changes
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh once a second until told to stop. While Control is away the known keys stay."""
        pause = REFRESH_SECONDS
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = REFRESH_SECONDS
            try:
                await self.refresh()
            except StorageFailure as failure:
                _log.warning("keys_not_refreshed", problem=str(failure))
                if isinstance(failure.__cause__, TimeoutError):
                    pause = AGAIN_SECONDS


def _known(record: KeyRecord) -> _Known:
    caller = Caller(
        key_id=record.id,
        project_id=record.project_id,
        environment=record.environment,
        scopes=frozenset(record.scopes),
        agent_id=record.agent_id,
    )
    expires_ns = None
    if record.expires_at is not None:
        expires_ns = int(datetime.fromisoformat(record.expires_at).timestamp()) * 1_000_000_000
    return _Known(record.digest, caller, expires_ns, record.revoked_at is not None)

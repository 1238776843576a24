"""One lock for each key that is in use now: checks of one action, or of one contended run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from msgspec import Struct


class _Entry(Struct):
    lock: asyncio.Lock
    users: int = 0


class KeyedLocks:
    """Locks that come and go with their users, so that their number is that of work in flight."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        entry = self._entries.setdefault(key, _Entry(asyncio.Lock()))
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if entry.users == 0:
                del self._entries[key]

    async def passed(self, key: Hashable) -> None:
        """Wait until nobody holds the key."""
        if key in self._entries:
            async with self.hold(key):
                return

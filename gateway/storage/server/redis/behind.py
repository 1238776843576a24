"""What lies behind Redis, for the checks that need it: runs that only the ledger holds, and keys.

Both are on PostgreSQL. Being away it may not hold up a check for longer than an answer is worth
waiting for, nor pass for a Redis that is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.errors import RecordAway, StorageFailure
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Reloaded

# A caller waits for its answer for a second, or less.
SECONDS = 0.5

Reload = Callable[[str, str], Awaitable[Reloaded | None]]
Knows = Callable[[str, str], Awaitable[bool]]


class Behind:
    """Asks within the time. Raises RecordAway. `knows` tells whether the ledger holds a run, which
    is quickly said; a run that it does hold may take longer to read."""

    def __init__(self, keyring: Keyring, reload: Reload, knows: Knows | None = None) -> None:
        self._keyring = keyring
        self._reload = reload
        self._knows = knows

    async def reload(self, project_id: str, run_id: str) -> Reloaded | None:
        """The run as the ledger holds it; None when it does not."""
        if self._knows is not None:
            async with _in_time():
                if not await self._knows(project_id, run_id):
                    return None
        async with _in_time(None):
            return await self._reload(project_id, run_id)

    async def run_secret(self, project_id: str, wrapped: bytes) -> bytes:
        async with _in_time():
            return await self._keyring.run_secret(project_id, wrapped)

    async def run_secret_wrap(self, project_id: str, user_id: str | None, secret: bytes) -> bytes:
        async with _in_time():
            return await self._keyring.run_secret_wrap(project_id, user_id, secret)


@asynccontextmanager
async def _in_time(seconds: float | None = SECONDS) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RecordAway("The record behind the journal did not answer in time.") from error
    except StorageFailure as failure:
        raise RecordAway(str(failure)) from failure

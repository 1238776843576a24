"""Bringing runs into memory: from disk, from the ledger, and with their keys.

The only part of the journal that waits before an append is decided. Whoever it returns to may
act at once: nothing waits between its last look and its return.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.domain import sealing
from gateway.errors import StorageFailure
from gateway.storage.embedded.eviction import Eviction
from gateway.storage.embedded.hot_runs import UNREADABLE, HotRun, HotRuns, Key
from gateway.storage.keyring import Keyring, opened_secret
from gateway.storage.ports import Append, Reloaded

ROUNDS_MAX = 100

Reload = Callable[[str, str], Awaitable[Reloaded | None]]


async def nothing_to_reload(_project_id: str, _run_id: str) -> Reloaded | None:
    """For a journal without a ledger behind it."""
    return None


class Presence:
    """`reload` folds a run from the ledger; None when the ledger does not know it either."""

    def __init__(self, runs: HotRuns, eviction: Eviction, keyring: Keyring, reload: Reload) -> None:
        self._runs = runs
        self._eviction = eviction
        self._keyring = keyring
        self._reload = reload

    async def present(self, key: Key, environment: str, parent_run_id: str | None) -> HotRun:
        """The run, with those above it in memory as well. Raises StorageFailure."""
        for _ in range(ROUNDS_MAX):
            try:
                missing = self._runs.missing(key, parent_run_id)
                hot = self._runs.get(key)
            except UNREADABLE as error:
                raise StorageFailure(f"the run's state cannot be read: {error}") from error
            if missing is None and hot is not None:
                return hot
            await self._bring(missing or key, environment)
        raise StorageFailure("overloaded")

    async def ready(self, append: Append) -> HotRun:
        """The run as `present` gives it, with its content key. Raises StorageFailure."""
        key = (append.project_id, append.run_id)
        for _ in range(ROUNDS_MAX):
            hot = await self.present(key, append.environment, append.parent_run_id)
            if hot.content_key is not None:
                return hot
            try:
                await self.content_key(hot, append.user_id)
            except ValueError as error:
                raise StorageFailure(f"the run's secret cannot be opened: {error}") from error
        raise StorageFailure("overloaded")

    async def content_key(self, hot: HotRun, user_id: str | None) -> bytes:
        """The run's content key. A new run gets a secret, once. Raises SealBroken."""
        if hot.content_key is not None:
            return hot.content_key
        project_id = hot.state.project_id
        if hot.wrapped is not None:
            secret = await opened_secret(self._keyring.run_secret, project_id, hot.wrapped)
            hot.content_key = sealing.content_key(secret)
            return hot.content_key
        secret = sealing.new_secret()
        wrapped = await self._keyring.run_secret_wrap(project_id, user_id, secret)
        # Somebody else may have been first meanwhile.
        if hot.content_key is None:
            hot.wrapped, hot.content_key = wrapped, sealing.content_key(secret)
        return hot.content_key

    async def _bring(self, key: Key, environment: str) -> None:
        await self._eviction.passed(key)
        reloaded = await self._reload(*key)
        self._runs.bring(key, environment, reloaded)

"""The stores under contract, opened as the gateway opens them. One class a backend."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from gateway.ambient import Ambient
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Control, Drain, Journal, Reloaded
from gateway.storage.server.redis.drain import open_drain
from gateway.storage.server.redis.journal import open_journal as open_redis_journal
from tests.make import FixedAmbient
from tests.servers import redis

MASTER = bytes(range(32))
# Two cores are shared with whatever else runs: a deadline here is a guard, not a promise.
PATIENT_SECONDS = 5.0
Reload = Callable[[str, str], Awaitable[Reloaded | None]]


class Hot(Protocol):
    """A journal with the worker's end of it and its keys."""

    journal: Journal
    drain: Drain
    control: Control
    keyring: Keyring
    ambient: FixedAmbient

    async def open(self) -> Hot: ...

    async def close(self) -> None: ...

    async def reopen(self) -> None:
        """Stop in an orderly way and start again on what is stored."""
        ...


class EmbeddedHot:
    """SQLite files in a folder. `memory` bounds the runs kept in memory."""

    def __init__(self, folder: Path, reload: Reload | None = None, memory: int = 1024) -> None:
        self.folder = folder
        self.ambient = FixedAmbient()
        self._options = {"hot_runs_max": memory, **({"reload": reload} if reload else {})}

    async def open(self) -> EmbeddedHot:
        self.control: Control = EmbeddedControl(self.folder / "control.db", self.ambient)
        self.keyring = Keyring(self.control, MASTER)
        await self.keyring.verify()
        self.journal: Journal = open_journal(
            self.folder, self.keyring, self.ambient, **self._options
        )
        self.drain: Drain = EmbeddedDrain(self.folder / "journal.db")
        return self

    async def close(self) -> None:
        await self.journal.close()
        await self.drain.close()
        await self.control.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()


def open_journal(folder: Path, keyring: Keyring, ambient: Ambient, **options) -> Journal:
    return EmbeddedJournal(folder / "journal.db", keyring=keyring, ambient=ambient, **options)


class RedisHot:
    """A namespace of its own on a real Redis that all tests share."""

    _count = itertools.count()

    def __init__(
        self, folder: Path, reload: Reload | None = None, memory: int = 1024, **options
    ) -> None:
        self.folder = folder
        self.ambient = FixedAmbient()
        self.namespace = f"test{next(self._count)}"
        self.options = {"hot_runs_max": memory, "seconds": PATIENT_SECONDS, **options}
        if reload is not None:
            self.options["reload"] = reload

    def url(self) -> str:
        return redis.shared().url

    async def open(self) -> RedisHot:
        self.control: Control = EmbeddedControl(self.folder / "control.db", self.ambient)
        self.keyring = Keyring(self.control, MASTER)
        await self.keyring.verify()
        self.journal: Journal = await self.open_journal()
        self.drain: Drain = await open_drain(self.url(), self.ambient, namespace=self.namespace)
        return self

    async def open_journal(self) -> Journal:
        """One more gateway on the same Redis."""
        return await open_redis_journal(
            self.url(),
            keyring=self.keyring,
            ambient=self.ambient,
            namespace=self.namespace,
            **self.options,
        )

    async def close(self) -> None:
        await self.journal.close()
        await self.drain.close()
        await self.control.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()


class RedisClusterHot(RedisHot):
    """The same on a cluster of three primaries."""

    def url(self) -> str:
        return redis.shared_cluster()[0].url


BACKENDS: dict[str, Callable[..., Hot]] = {
    "embedded": EmbeddedHot,
    "redis": RedisHot,
    "redis cluster": RedisClusterHot,
}

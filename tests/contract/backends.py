"""The stores under contract, opened as the gateway opens them. One class a backend."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from gateway.ambient import Ambient
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.hot_runs import Reloaded
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Control, Drain, Journal
from tests.make import FixedAmbient

MASTER = bytes(range(32))
Reload = Callable[[str, str], Awaitable[Reloaded | None]]


class Hot(Protocol):
    """A journal with the worker's end of it and its keys."""

    journal: Journal
    drain: Drain
    control: Control
    keyring: Keyring
    ambient: FixedAmbient

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


BACKENDS = {"embedded": EmbeddedHot}

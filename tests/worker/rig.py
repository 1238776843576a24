"""A journal, a ledger and what stands between them, on real files; and stores that break."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway.domain.events import Draft, Event
from gateway.errors import StorageFailure
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Append, Appended, Claim
from gateway.worker.recorder import Recorder
from tests.ledger.events import PROJECT
from tests.make import FixedAmbient

MASTER = bytes(range(32))


class Rig:
    """Stores in a folder, opened as the gateway and its worker open them."""

    def __init__(self, folder: Path, master: bytes = MASTER) -> None:
        self.folder = folder
        self.ambient = FixedAmbient()
        self._master = master

    async def open(self) -> Rig:
        self.control = EmbeddedControl(self.folder / "control.db", self.ambient)
        self.keyring = Keyring(self.control, self._master)
        await self.keyring.verify()
        self.journal = EmbeddedJournal(
            self.folder / "journal.db", keyring=self.keyring, ambient=self.ambient
        )
        self.drain = EmbeddedDrain(self.folder / "journal.db")
        self.ledger = await open_ledger(self.folder / "ledger.db")
        return self

    async def close(self) -> None:
        await self.ledger.close()
        await self.drain.close()
        await self.journal.close()
        await self.control.close()

    def recorder(self, **options: Any) -> Recorder:
        stores = {"drain": self.drain, "ledger": self.ledger, **options}
        drain, ledger = stores.pop("drain"), stores.pop("ledger")
        secrets = stores.pop("open_secret", self.keyring.run_secret)
        return Recorder(drain, ledger, secrets, self.ambient, **stores)

    async def append(self, run_id: str, *drafts: Draft) -> int:
        appended = await self.journal.append(Append(PROJECT, "production", run_id, drafts))
        assert isinstance(appended, Appended)
        return appended.first_seq

    async def stored(self, run_id: str) -> list[Event]:
        return [
            msgspec.json.decode(each.record, type=Event)
            for each in await self.ledger.events(PROJECT, run_id)
        ]

    async def stored_ids(self, run_id: str) -> list[str]:
        return [event.id for event in await self.stored(run_id)]

    async def waiting(self) -> int:
        return len(await self.drain.claim(10_000))


class Crash(Exception):
    """The worker died here."""


class Flaky:
    """A store around whose calls the worker dies: before the call, or after it was carried out."""

    def __init__(self, store: Any, chance: random.Random, odds: float = 0.15) -> None:
        self._store = store
        self._chance = chance
        self._odds = odds

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._maybe_die()
            found = await getattr(self._store, name)(*args, **kwargs)
            self._maybe_die()
            return found

        return call

    def _maybe_die(self) -> None:
        if self._chance.random() < self._odds:
            raise self._chance.choice([Crash(), StorageFailure("away")])


class Unruly:
    """A drain that hands out again what was settled, twice at once, and in another order."""

    def __init__(self, drain: Any, chance: random.Random) -> None:
        self._drain = drain
        self._chance = chance
        self._handed_out: list[Claim] = []

    async def claim(self, limit: int) -> Sequence[Claim]:
        claims = list(await self._drain.claim(self._chance.randint(1, limit)))
        again = self._chance.sample(
            self._handed_out, self._chance.randint(0, min(5, len(self._handed_out)))
        )
        self._handed_out = [*self._handed_out, *claims][-200:]
        claims += again
        self._chance.shuffle(claims)
        return claims

    async def settle(self, claims: Sequence[Claim]) -> None:
        await self._drain.settle(claims)

    async def secrets(self, runs: set[tuple[str, str]]) -> Any:
        return await self._drain.secrets(runs)

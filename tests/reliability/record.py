"""What a data folder holds, read as `checkrein verify` reads it: no gateway is needed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gateway.ambient import SystemAmbient
from gateway.domain.events import Event
from gateway.replay.opening import keys_of, open_event
from gateway.storage import master_key
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.ledger import EmbeddedLedger, open_ledger
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Ledger
from gateway.wiring.stores import RecordStores

PAGE = 500


class Opened(NamedTuple):
    """The stores of a data folder."""

    ledger: EmbeddedLedger
    control: EmbeddedControl
    keyring: Keyring


class Entry(NamedTuple):
    """An event with its body and its content in clear."""

    event: Event
    body: dict[str, Any]
    content: dict[str, Any]


Runs = dict[str, list[Entry]]


@asynccontextmanager
async def opened(data: Path) -> AsyncIterator[Opened]:
    """The stores, for reading."""
    async with AsyncExitStack() as stack:
        control = EmbeddedControl(data / "control.db", SystemAmbient())
        stack.push_async_callback(control.close)
        ledger = await open_ledger(data / "ledger.db", writing=False)
        stack.push_async_callback(ledger.close)
        keyring = Keyring(control, master_key.from_file(data / "master.key"))
        yield Opened(ledger, control, keyring)


def read_runs(data: Path) -> Runs:
    """Every event of every run, in the order of their seqs."""
    return asyncio.run(_read_runs(data))


async def _read_runs(data: Path) -> Runs:
    async with opened(data) as stores:
        return await all_of(stores.ledger, stores.keyring)


async def all_of(ledger: Ledger, keyring: Keyring) -> Runs:
    """Every event of every run of a ledger, whatever it is on."""
    found: Runs = {}
    for project_id, run_id in await ledger.all_runs():
        found[run_id] = [entry async for entry in _entries(ledger, keyring, project_id, run_id)]
    return found


async def entries(
    stores: Opened | RecordStores, project_id: str, run_id: str
) -> AsyncIterator[Entry]:
    """Every event of a run, in the order of their seqs."""
    async for entry in _entries(stores.ledger, stores.keyring, project_id, run_id):
        yield entry


async def _entries(
    ledger: Ledger, keyring: Keyring, project_id: str, run_id: str
) -> AsyncIterator[Entry]:
    keys = await keys_of(ledger, keyring.run_secret, project_id, run_id)
    after = 0
    while page := await ledger.events(project_id, run_id, after, PAGE):
        wanted = {key for event in page for key in event.blob_keys.values()}
        sealed = await ledger.blobs(project_id, run_id, sorted(wanted))
        for stored in page:
            found = open_event(stored, sealed, keys)
            assert found.whole, f"{run_id} seq {found.event.seq}: {found.erased} {found.broken}"
            after = found.event.seq
            content = {name: msgspec.json.decode(data) for name, data in found.content.items()}
            yield Entry(found.event, msgspec.json.decode(found.event.body), content)


def of_type(runs: Runs, kind: str) -> list[Entry]:
    return [entry for events in runs.values() for entry in events if entry.event.type == kind]


def gaps(runs: Runs) -> list[str]:
    """Runs whose events are not 1, 2, 3 ... each once, of one epoch."""
    return [
        run_id
        for run_id, events in runs.items()
        if [entry.event.seq for entry in events] != list(range(1, len(events) + 1))
        or any(entry.event.epoch for entry in events)
    ]


def waiting(data: Path) -> int:
    """Events that are in the journal still."""
    return int(query(data / "journal.db", "SELECT count(*) FROM event")[0][0])


def query(path: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path, timeout=30)
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()

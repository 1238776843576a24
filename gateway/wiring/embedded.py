"""The stores of one data folder: SQLite files, a lock for its one gateway, its master key."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from gateway.ambient import Ambient
from gateway.config import Settings
from gateway.errors import ConfigInvalid
from gateway.policies.shipped import copy_shipped
from gateway.replay.recalling import Recalling
from gateway.storage import master_key
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Reloaded
from gateway.wiring.stores import ControlStores, GatewayStores, RecordStores, WorkerStores
from gateway.worker.lease import lease


class DataFolderBusy(ConfigInvalid):
    """Another gateway works on this data folder."""


@asynccontextmanager
async def gateway_stores(
    settings: Settings, ambient: Ambient, base_url: str
) -> AsyncIterator[GatewayStores]:
    """Open the folder as its one gateway. Raises DataFolderBusy, ConfigInvalid, StorageFailure."""
    folder = Path(settings.data)
    async with AsyncExitStack() as stack:
        stack.enter_context(_owned(folder))
        master = _master(folder, settings)
        control = EmbeddedControl(folder / "control.db", ambient)
        stack.push_async_callback(control.close)
        keyring = Keyring(control, master)
        await keyring.verify()
        ledger = await open_ledger(folder / "ledger.db", writing=False)
        stack.push_async_callback(ledger.close)
        recalling = Recalling(ledger, keyring, base_url)

        async def reload(project_id: str, run_id: str) -> Reloaded | None:
            if not ledger.knows(project_id, run_id):
                return None
            found = await recalling.run(project_id, run_id)
            if found is None:
                return None
            state, wrapped, actions = found
            return Reloaded(state=state, wrapped_secret=wrapped, actions=actions)

        journal = EmbeddedJournal(
            folder / "journal.db", keyring=keyring, ambient=ambient, reload=reload
        )
        recalling.journal = journal
        stack.push_async_callback(journal.close)
        yield GatewayStores(
            master=master,
            control=control,
            keyring=keyring,
            ledger=ledger,
            journal=journal,
            recalling=recalling,
        )


@asynccontextmanager
async def worker_stores(settings: Settings, ambient: Ambient) -> AsyncIterator[WorkerStores]:
    """A folder that a gateway made, for its one worker. Raises ConfigInvalid, StorageFailure."""
    folder = Path(settings.data)
    key = known_master(folder, settings)
    if not (folder / "journal.db").exists():
        raise ConfigInvalid(f"There is no journal in {folder}: a gateway makes it when it starts.")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lease(folder))
        control = EmbeddedControl(folder / "control.db", ambient)
        stack.push_async_callback(control.close)
        keyring = Keyring(control, key)
        # Under another key every record would look as if it could not be read any more.
        await keyring.verify()
        drain = EmbeddedDrain(folder / "journal.db")
        stack.push_async_callback(drain.close)
        ledger = await open_ledger(folder / "ledger.db")
        stack.push_async_callback(ledger.close)
        yield WorkerStores(control=control, keyring=keyring, drain=drain, ledger=ledger)


@asynccontextmanager
async def control_stores(settings: Settings, ambient: Ambient) -> AsyncIterator[ControlStores]:
    """The folder's keys, also while a gateway is at work on it."""
    folder = Path(settings.data)
    control = EmbeddedControl(folder / "control.db", ambient)
    try:
        yield ControlStores(master=known_master(folder, settings), control=control)
    finally:
        await control.close()


@asynccontextmanager
async def record_stores(
    settings: Settings,
    ambient: Ambient,
    *,
    everything: bool,  # noqa: ARG001 - a folder is one user's
) -> AsyncIterator[RecordStores]:
    """The folder's record for reading, always all of it, also while a gateway is at work."""
    async with control_stores(settings, ambient) as keys:
        ledger = await open_ledger(Path(settings.data) / "ledger.db", writing=False)
        try:
            keyring = Keyring(keys.control, keys.master)
            yield RecordStores(control=keys.control, keyring=keyring, ledger=ledger)
        finally:
            await ledger.close()


def policy_folder(settings: Settings) -> Path:
    """The policy folder; the shipped packs are copied into the data folder where none is named."""
    if settings.policies is not None:
        return Path(settings.policies)
    own = Path(settings.data) / "policies"
    if not own.exists():
        copy_shipped(own)
    return own


def known_master(folder: Path, settings: Settings) -> bytes:
    """The master key that must be there: the one that settings name, otherwise the folder's own."""
    if settings.master_key is not None:
        return master_key.from_text(settings.master_key)
    return master_key.from_file(Path(settings.master_key_file or folder / "master.key"))


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """The data folder, made when it is new, for this process alone. Raises DataFolderBusy."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise DataFolderBusy(
            f"Another gateway is using {folder}. Stop it, or give this one another --data."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _master(folder: Path, settings: Settings) -> bytes:
    """The master key: from settings, else the folder's own, made on the first start.

    A folder that has data and no key raises ConfigInvalid: a new key would open none of it.
    """
    path = folder / "master.key"
    if settings.master_key or settings.master_key_file or path.exists():
        return known_master(folder, settings)
    if (folder / "control.db").exists():
        raise ConfigInvalid(f"{path} is missing, and without it nothing in {folder} can be read.")
    return master_key.make(path)

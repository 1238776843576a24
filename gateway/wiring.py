"""Which implementation stands behind each port: the only place that picks any."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from msgspec import Struct

from gateway.ambient import Ambient, SystemAmbient
from gateway.api.app import build
from gateway.api.exchange import App
from gateway.api.parts import Parts
from gateway.checking.authenticate import KeyCache, pepper
from gateway.checking.checker import Checker
from gateway.checking.context_memory import ContextMemory
from gateway.checking.reporter import Reporter
from gateway.checking.spool_drain import SpoolDrain
from gateway.checking.timers import Timers
from gateway.config import Settings
from gateway.domain import sealing
from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.engines.embedded.limits import MIB, Limits
from gateway.errors import ConfigInvalid
from gateway.policies.rulebook import Rulebook
from gateway.policies.shipped import copy_shipped
from gateway.replay.recalling import Recalling
from gateway.storage import master_key
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.embedded.drain import EmbeddedDrain
from gateway.storage.embedded.hot_runs import Reloaded
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.embedded.ledger import open_ledger
from gateway.storage.keyring import Keyring
from gateway.storage.spool import FileSpool
from gateway.telemetry import Metrics
from gateway.worker.auditing import Auditor
from gateway.worker.lease import lease
from gateway.worker.recorder import Recorder

PROJECT = "default"


class DataFolderBusy(ConfigInvalid):
    """Another gateway works on this data folder."""


class Gateway(Struct, frozen=True, kw_only=True):
    """An opened gateway: its application, and the loops that must run beside it."""

    app: App
    parts: Parts
    rulebook: Rulebook
    keys: KeyCache
    timers: Timers
    spool_drain: SpoolDrain
    engine: EmbeddedEngine
    master: bytes
    project_id: str


class Stopping(Struct):
    """Whether the gateway wants no new requests."""

    now: bool = False

    def __call__(self) -> bool:
        return self.now


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    *,
    ambient: Ambient | None = None,
    metrics: Metrics | None = None,
    base_url: str = "",
    stopping: Stopping | None = None,
) -> AsyncIterator[Gateway]:
    """The embedded gateway over a data folder, closed in the reverse order.

    Raises ConfigInvalid when the folder is busy, or its key or settings are wrong. A policy
    folder that is broken raises nothing: the gateway is then not ready and says why.
    """
    world = ambient or SystemAmbient()
    counted = metrics or Metrics()
    folder = Path(settings.data)
    url = settings.base_url or base_url
    async with AsyncExitStack() as stack:
        stack.enter_context(_owned(folder))
        master = _master(folder, settings)
        control = EmbeddedControl(folder / "control.db", world)
        stack.push_async_callback(control.close)
        keyring = Keyring(control, master)
        await keyring.verify()
        ledger = await open_ledger(folder / "ledger.db", writing=False)
        stack.push_async_callback(ledger.close)
        recalling = Recalling(ledger, keyring, url)

        async def reload(project_id: str, run_id: str) -> Reloaded | None:
            if not ledger.knows(project_id, run_id):
                return None
            found = await recalling.run(project_id, run_id)
            if found is None:
                return None
            state, wrapped, actions = found
            return Reloaded(state=state, wrapped_secret=wrapped, actions=actions)

        journal = EmbeddedJournal(
            folder / "journal.db", keyring=keyring, ambient=world, reload=reload
        )
        recalling.journal = journal
        stack.push_async_callback(journal.close)
        engine = EmbeddedEngine(
            Limits(memory_bytes=settings.evaluator_memory_mb * MIB), counted.evaluator_replaced.inc
        )
        stack.push_async_callback(engine.close)
        rulebook = Rulebook(
            _policies(folder, settings),
            engine,
            control,
            world,
            settings.policy_poll_seconds,
            on_reload=lambda outcome: counted.policy_reloads.labels(outcome).inc(),
        )
        await rulebook.reload()
        keys = KeyCache(control, pepper(master), world)
        await keys.refresh()
        context = ContextMemory()
        spool = FileSpool(Path(settings.spool or folder / "spool"), master, settings.spool_bytes)
        stack.push_async_callback(spool.close)
        checker = Checker(
            current=rulebook.current,
            engine=engine,
            journal=journal,
            ambient=world,
            metrics=counted,
            recall=recalling.reply,
            context=context,
            spool=spool,
            base_url=url,
        )
        await checker.outage.recover()
        spool_drain = SpoolDrain(
            spool=spool,
            journal=journal,
            outage=checker.outage,
            knows=recalling.knows,
            ambient=world,
            metrics=counted,
        )
        parts = Parts(
            authenticate=keys.authenticate,
            checker=checker,
            reporter=Reporter(
                current=rulebook.current,
                journal=journal,
                ambient=world,
                metrics=counted,
                find_older=recalling.find_action,
                is_spooled=checker.outage.waiting.knows,
                context=context,
            ),
            journal=journal,
            ledger=ledger,
            control=control,
            keyring=keyring,
            rulebook=rulebook,
            ambient=world,
            metrics=counted,
            cursor_key=sealing.derive(master, "cursors"),
            max_concurrent_checks=settings.max_concurrent_checks,
            stopping=stopping or Stopping(),
        )
        yield Gateway(
            app=build(parts),
            parts=parts,
            rulebook=rulebook,
            keys=keys,
            timers=Timers(journal, world),
            spool_drain=spool_drain,
            engine=engine,
            master=master,
            project_id=await control.project(PROJECT),
        )


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


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[tuple[Recorder, Auditor]]:
    """The worker of a data folder that a gateway made. Raises ConfigInvalid, StorageFailure."""
    ambient = SystemAmbient()
    folder = Path(settings.data)
    key = _known_master(folder, settings)
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
        recorder = Recorder(drain, ledger, keyring.run_secret, ambient)
        yield recorder, Auditor(ledger, keyring.run_secret, recorder.figures)


def _master(folder: Path, settings: Settings) -> bytes:
    """The master key: from settings, else the folder's own, made on the first start.

    A folder that has data and no key raises ConfigInvalid: a new key would open none of it.
    """
    path = folder / "master.key"
    if settings.master_key or settings.master_key_file or path.exists():
        return _known_master(folder, settings)
    if (folder / "control.db").exists():
        raise ConfigInvalid(f"{path} is missing, and without it nothing in {folder} can be read.")
    return master_key.make(path)


def _known_master(folder: Path, settings: Settings) -> bytes:
    """The master key that must be there."""
    if settings.master_key is not None:
        return master_key.from_text(settings.master_key)
    return master_key.from_file(Path(settings.master_key_file or folder / "master.key"))


def _policies(folder: Path, settings: Settings) -> Path:
    """The policy folder; the shipped packs are copied into the data folder where none is named."""
    if settings.policies is not None:
        return Path(settings.policies)
    own = folder / "policies"
    if not own.exists():
        copy_shipped(own)
    return own

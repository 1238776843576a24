"""The stores that gateways and workers share: the journal on Redis, the rest on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.config import Settings
from gateway.errors import ConfigInvalid
from gateway.replay.recalling import Recalling
from gateway.storage import master_key
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Control, Reloaded
from gateway.storage.server.postgres.control import open_control
from gateway.storage.server.postgres.database import Role
from gateway.storage.server.postgres.ledger import PostgresLedger, open_ledger
from gateway.storage.server.redis.drain import open_drain
from gateway.storage.server.redis.journal import open_journal
from gateway.wiring.stores import ControlStores, GatewayStores, RecordStores, WorkerStores

# Reading and settling ask every partition once, however much they find there.
BATCH = 4096
# A transaction costs a handful of statements and a sync, however many events it holds.
AT_ONCE = 512
# Under traffic: three hundred events a second would else be twenty batches.
GATHERING_SECONDS = 0.2


@asynccontextmanager
async def gateway_stores(
    settings: Settings, ambient: Ambient, base_url: str
) -> AsyncIterator[GatewayStores]:
    """Open the servers as one of any number of gateways. Raises ConfigInvalid, StorageFailure."""
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(_record(settings, ambient, "gateway"))
        await record.keyring.verify()
        recalling = Recalling(record.ledger, record.keyring, base_url)

        async def reload(project_id: str, run_id: str) -> Reloaded | None:
            found = await recalling.run(project_id, run_id)
            if found is None:
                return None
            state, wrapped, actions = found
            return Reloaded(state=state, wrapped_secret=wrapped, actions=actions)

        journal = await open_journal(
            redis_url(settings),
            keyring=record.keyring,
            ambient=ambient,
            reload=reload,
            seconds=settings.redis_seconds,
            waiting_max=settings.journal_waiting_max,
            knows=record.ledger.knows,
        )
        stack.push_async_callback(journal.close)
        recalling.journal = journal
        yield GatewayStores(
            master=master(settings),
            control=record.control,
            keyring=record.keyring,
            ledger=record.ledger,
            journal=journal,
            recalling=recalling,
        )


@asynccontextmanager
async def worker_stores(settings: Settings, ambient: Ambient) -> AsyncIterator[WorkerStores]:
    """Open the servers as one of any number of workers. Raises ConfigInvalid, StorageFailure."""
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(_record(settings, ambient, "worker"))
        # Under another key every record would look as if it could not be read any more.
        await record.keyring.verify()
        drain = await open_drain(redis_url(settings), ambient)
        stack.push_async_callback(drain.close)
        yield WorkerStores(
            control=record.control,
            keyring=record.keyring,
            drain=drain,
            ledger=record.ledger,
            maintain=record.ledger.maintain,
            grow=record.ledger.grow,
            own_witnessing=partial(record.ledger.own_witnessing, ambient.new_id("wrk")),
            batch=BATCH,
            at_once=AT_ONCE,
            gathering_seconds=GATHERING_SECONDS,
        )


@asynccontextmanager
async def control_stores(settings: Settings, ambient: Ambient) -> AsyncIterator[ControlStores]:
    """The keys of the installation."""
    control = await open_control(
        _database_url(settings), ambient, "gateway", prepared=settings.database_prepared
    )
    try:
        yield ControlStores(master=master(settings), control=control)
    finally:
        await control.close()


@asynccontextmanager
async def record_stores(
    settings: Settings, ambient: Ambient, *, everything: bool
) -> AsyncIterator[RecordStores]:
    """The record for reading: a project's, as a gateway sees it, or everybody's, as a worker."""
    async with _record(settings, ambient, "worker" if everything else "gateway") as record:
        yield RecordStores(control=record.control, keyring=record.keyring, ledger=record.ledger)


def policy_folder(settings: Settings) -> Path:
    """The policy folder, which somebody has to name: there is no folder of one's own here."""
    if settings.policies is None:
        raise ConfigInvalid("Name the policy folder: --policies DIR, or CHECKREIN_POLICIES.")
    return Path(settings.policies)


def redis_url(settings: Settings) -> str:
    if settings.redis_url is None:
        raise ConfigInvalid("CHECKREIN_REDIS_URL is not set: gateways and workers share a Redis.")
    return settings.redis_url


def master(settings: Settings) -> bytes:
    """The master key, which all gateways and workers of an installation share."""
    if settings.master_key is not None:
        return master_key.from_text(settings.master_key)
    if settings.master_key_file is not None:
        return master_key.from_file(Path(settings.master_key_file))
    raise ConfigInvalid(
        "CHECKREIN_MASTER_KEY_FILE is not set: all gateways and workers share one master key. "
        "`head -c 32 /dev/urandom > master.key` makes one."
    )


class _Record(Struct, frozen=True):
    control: Control
    keyring: Keyring
    ledger: PostgresLedger


@asynccontextmanager
async def _record(settings: Settings, ambient: Ambient, role: Role) -> AsyncIterator[_Record]:
    """What lies on PostgreSQL, as one of its two roles."""
    url, prepared = _database_url(settings), settings.database_prepared
    key = master(settings)
    async with AsyncExitStack() as stack:
        control = await open_control(url, ambient, role, prepared=prepared)
        stack.push_async_callback(control.close)
        ledger = await open_ledger(url, role, prepared=prepared)
        stack.push_async_callback(ledger.close)
        yield _Record(control, Keyring(control, key), ledger)


def _database_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise ConfigInvalid("CHECKREIN_DATABASE_URL is not set.")
    return settings.database_url

"""A worker from its stores: what records, what verifies and tells witnesses beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from gateway.ambient import SystemAmbient
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from gateway.config import Settings
from gateway.wiring.backend import backend
from gateway.wiring.witnesses import witnesses_of
from gateway.worker.auditing import Auditor
from gateway.worker.growing import Grower
from gateway.worker.recorder import Recorder
from gateway.worker.witnessing import Witnessing


class Worker(Struct, frozen=True):
    """An opened worker, and the loops that it consists of."""

    recorder: Recorder
    auditor: Auditor
    maintain: Callable[[], Awaitable[object]] | None
    grower: Grower | None = None
    witnessing: Witnessing | None = None


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[Worker]:
    """The worker of stores that a gateway made. Raises ConfigInvalid, StorageFailure."""
    ambient = SystemAmbient()
    async with backend(settings).worker_stores(settings, ambient) as stores:
        secret = stores.keyring.run_secret
        recorder = Recorder(
            stores.drain,
            stores.ledger,
            secret,
            ambient,
            batch=stores.batch,
            at_once=stores.at_once,
            gathering_seconds=stores.gathering_seconds,
        )
        auditor = Auditor(stores.ledger, secret, recorder.figures)
        grower = Grower(stores.grow) if stores.grow else None
        told = witnesses_of(settings, ambient)
        witnessing = Witnessing(
            ledger=stores.ledger,
            signing=SigningKeys(stores.control, stores.keyring.derived(PURPOSE)),
            witnesses=told,
            figures=recorder.figures,
            ambient=ambient,
            interval_seconds=settings.checkpoint_seconds,
            own=stores.own_witnessing,
        )
        yield Worker(recorder, auditor, stores.maintain, grower, witnessing if told else None)

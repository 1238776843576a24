"""A worker from its stores: what records, and what verifies beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.ambient import SystemAmbient
from gateway.config import Settings
from gateway.wiring import embedded
from gateway.worker.auditing import Auditor
from gateway.worker.recorder import Recorder


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[tuple[Recorder, Auditor]]:
    """The worker of stores that a gateway made. Raises ConfigInvalid, StorageFailure."""
    ambient = SystemAmbient()
    async with embedded.worker_stores(settings, ambient) as stores:
        secret = stores.keyring.run_secret
        recorder = Recorder(stores.drain, stores.ledger, secret, ambient)
        yield recorder, Auditor(stores.ledger, secret, recorder.figures)

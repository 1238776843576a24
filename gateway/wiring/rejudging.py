"""Re-judgement over stores that are only read, with an engine of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config import Settings
from gateway.domain.ruleset import Ruleset
from gateway.policies.versions import kept
from gateway.replay.rejudging import Rejudging
from gateway.wiring.engine import engine_of
from gateway.wiring.stores import RecordStores

# Nobody else asks this engine.
AT_ONCE = 64


@asynccontextmanager
async def open_rejudging(settings: Settings, stores: RecordStores) -> AsyncIterator[Rejudging]:
    """Judges again what these stores hold. Policy versions are compiled once each."""
    engine = engine_of(settings)
    versions: dict[str, Ruleset] = {}

    async def find(digest: str) -> Ruleset:
        if digest not in versions:
            versions[digest] = await kept(stores.control, digest)
        return versions[digest]

    secret = stores.keyring.run_secret
    try:
        yield Rejudging(stores.ledger, secret, engine, find, at_once=AT_ONCE)
    finally:
        await engine.close()

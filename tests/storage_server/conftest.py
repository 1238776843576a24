"""A database for each test, on the PostgreSQL that all tests share."""

from __future__ import annotations

import pytest

from gateway.storage.server.ledger import open_ledger
from tests.servers import postgres


@pytest.fixture
async def place():
    async with postgres.emptied(postgres.shared()) as found:
        yield found


@pytest.fixture
async def worker(place):
    """The ledger as one who records opens it."""
    ledger = await open_ledger(place.worker, "worker")
    yield ledger
    await ledger.close()


@pytest.fixture
async def reader(place):
    """The ledger as a gateway opens it."""
    ledger = await open_ledger(place.gateway)
    yield ledger
    await ledger.close()

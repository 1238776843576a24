"""Every test of the Ledger port runs on every backend."""

from __future__ import annotations

import pytest

from gateway.storage.embedded import ledger as embedded
from gateway.storage.server.postgres import ledger as server
from tests.servers import postgres


@pytest.fixture(params=["embedded", "postgres"])
async def opened(request, tmp_path):
    """Opens the same ledger again and again, as one who records."""
    if request.param == "embedded":
        yield lambda: embedded.open_ledger(tmp_path / "ledger.db")
        return
    async with postgres.emptied(postgres.shared()) as place:
        yield lambda: server.open_ledger(place.worker, "worker")


@pytest.fixture
async def ledger(opened):
    ledger = await opened()
    yield ledger
    await ledger.close()

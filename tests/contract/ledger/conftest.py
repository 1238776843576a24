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


@pytest.fixture(params=["embedded", "postgres"])
async def both(request, tmp_path):
    """The same ledger as one who records has it, and as a gateway, which reads and erases."""
    if request.param == "embedded":
        pair = [
            await embedded.open_ledger(tmp_path / "ledger.db", writing=writing)
            for writing in (True, False)
        ]
        yield pair
        for each in pair:
            await each.close()
        return
    async with postgres.emptied(postgres.shared()) as place:
        recording = await server.open_ledger(place.worker, "worker")
        asking = await server.open_ledger(place.gateway, "gateway")
        yield recording, asking
        await recording.close()
        await asking.close()


@pytest.fixture
async def ledger(opened):
    ledger = await opened()
    yield ledger
    await ledger.close()

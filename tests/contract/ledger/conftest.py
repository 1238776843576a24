"""Every test of the Ledger port runs on every backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.storage.embedded.ledger import EmbeddedLedger, open_ledger


async def embedded(folder: Path) -> EmbeddedLedger:
    return await open_ledger(folder / "ledger.db")


LEDGERS = {"embedded": embedded}


@pytest.fixture(params=sorted(LEDGERS))
def opened(request, tmp_path):
    """Opens the same ledger again and again."""
    return lambda: LEDGERS[request.param](tmp_path)


@pytest.fixture
async def ledger(opened):
    ledger = await opened()
    yield ledger
    await ledger.close()

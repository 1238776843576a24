"""The embedded engine, and the shipped policy read once."""

from __future__ import annotations

import pytest

from gateway.engines.embedded.engine import EmbeddedEngine
from gateway.policies import source
from gateway.policies.source import Source
from tests.policies.folders import SHIPPED


@pytest.fixture
async def engine():
    started = EmbeddedEngine()
    yield started
    await started.close()


@pytest.fixture(scope="session")
def shipped() -> Source:
    return source.read(SHIPPED)

"""One OPA server for these tests, and others for those that stop them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.engines.opa import Limits, OpaEngine
from tests.servers.opa import OpaServer, running


@pytest.fixture(scope="session")
def opa_server() -> Iterator[OpaServer]:
    with running() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[OpaServer]:
    """A server that the test may stop."""
    with running() as server:
        yield server


@pytest.fixture
async def opa(opa_server: OpaServer) -> AsyncIterator[OpaEngine]:
    started = OpaEngine(opa_server.url, Limits(timeout=20))
    yield started
    await started.close()

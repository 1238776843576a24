"""One gateway for all tests of the API: they differ in what they ask, not in whom."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.api.live import Live, live_gateway


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("gateway")) as served:
        yield served


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as asking:
        yield asking

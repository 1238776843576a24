"""A gateway with a loose policy: what is scored must have run."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.api.live import Live, live_gateway
from tests.lineage.recording import POLICY


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("determinism"), policy=POLICY) as opened:
        yield opened


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as asking:
        yield asking

"""One gateway for all tests of the API: they differ in what they ask, not in whom.

What is about answers is asked of a gateway on servers too, which must give the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.api.live import Live, live_gateway
from tests.api.on_servers import opened_servers

# These tests are about answers: how soon Redis gives its own is the machine's affair.
PATIENT_SECONDS = 5.0
ON_BOTH = frozenset(
    {
        *("test_tenants", "test_check_action", "test_reads", "test_reports", "test_cursor"),
        *("test_intent", "test_recording", "test_rejudge"),
    }
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "live" in metafunc.fixturenames:
        both = Path(metafunc.module.__file__).stem in ON_BOTH
        backends = ["embedded", "servers"] if both else ["embedded"]
        metafunc.parametrize("live", backends, indirect=True, scope="session")


@pytest.fixture(scope="session")
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("gateway")
    with ExitStack() as stack:
        on_servers = request.param == "servers"
        servers = stack.enter_context(opened_servers()) if on_servers else None
        patient = live_gateway(folder, servers=servers, redis_seconds=PATIENT_SECONDS)
        yield stack.enter_context(patient)


@pytest.fixture
def client(live: Live) -> Iterator[httpx2.Client]:
    with live.client() as asking:
        yield asking

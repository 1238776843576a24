"""One gateway on each backend for all tests that only follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.api.live import Live, live_gateway
from tests.api.on_servers import opened_servers
from tests.live.reading import TRANSPORTS, Reader

Follow = Callable[..., Reader]


@pytest.fixture(scope="session", params=["embedded", "servers"])
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    with ExitStack() as stack:
        on_servers = request.param == "servers"
        servers = stack.enter_context(opened_servers()) if on_servers else None
        folder = tmp_path_factory.mktemp("live")
        yield stack.enter_context(live_gateway(folder, servers=servers, redis_seconds=5.0))


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def follow(live: Live, transport: str) -> Iterator[Follow]:
    """Follow with a key of this name, behind `ready`; whoever was made is closed in the end."""
    with ExitStack() as stack:

        def make(key: str = "full", **more: object) -> Reader:
            reader = TRANSPORTS[transport](live.url, live.keys[key], **more)
            stack.enter_context(reader)
            assert reader.next()["type"] == "ready"
            return reader

        yield make

"""One installation for all of these tests, and two gateways on it that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.many.gateways import Installation, Key, Served, knows, policies_in
from tests.servers.production import production

Make = Callable[..., Served]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with production(quick=True) as servers, servers.worker():
        yield Installation(servers, tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return policies_in(tmp_path_factory.mktemp("policies") / "policies")


@pytest.fixture(scope="session")
def key(installation: Installation) -> Key:
    """A key of production."""
    return installation.key()


@pytest.fixture(scope="session")
def two(installation: Installation, policies: Path, key: Key) -> Iterator[list[Served]]:
    """Two gateways that are left as they were found."""
    gateways = [installation.gateway(name, policies) for name in ("first", "second")]
    try:
        for each in gateways:
            each.key = key.text
            each.launch()
        for each in gateways:
            each.wait_ready()
            knows(each, key)
        yield gateways
    finally:
        for each in gateways:
            each.end()


@pytest.fixture
def gateway(installation: Installation, policies: Path, key: Key) -> Iterator[Make]:
    """Make gateways of the test's own, not started yet; their names are its own too."""
    made: list[Served] = []

    def make(name: str, folder: Path = policies, **settings: object) -> Served:
        made.append(installation.gateway(name, folder, **settings))
        made[-1].key = key.text
        return made[-1]

    yield make
    for each in made:
        each.end()

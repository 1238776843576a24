"""Gateways for the proofs; none of their processes outlives its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability.process import GatewayProcess

Make = Callable[..., GatewayProcess]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Make]:
    """Make gateways, by default on the shipped policies in production; not started yet."""
    made: list[GatewayProcess] = []

    def make(data: Path | None = None, **settings: object) -> GatewayProcess:
        settings.setdefault("environment", "production")
        made.append(GatewayProcess(data or tmp_path / "data", **settings))
        return made[-1]

    yield make
    for each in made:
        each.end()

"""Engines that are started for a test and gone after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.engines.embedded import EmbeddedEngine
from gateway.engines.opa import Limits, OpaEngine
from tests.servers.opa import OpaServer, running

# Gateways that other tests of the session share have evaluators too.
_others: set[int] = set()


@pytest.fixture(autouse=True)
def _only_own_children() -> None:
    _others.clear()
    _others.update(children())


@pytest.fixture(scope="session")
def opa_server() -> Iterator[OpaServer]:
    with running() as server:
        yield server


@pytest.fixture(params=["embedded", "opa"])
async def each(request, opa_server) -> AsyncIterator[EmbeddedEngine | OpaEngine]:
    """Either engine. What a busy machine does to a deadline is not what such a test is about."""
    opening = opened_embedded() if request.param == "embedded" else opened_opa(opa_server)
    async with opening as started:
        yield started


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    """What these tests are about; a module for both engines has `each` instead."""
    async with opened_embedded() as started:
        yield started


@asynccontextmanager
async def opened_embedded() -> AsyncIterator[EmbeddedEngine]:
    started = EmbeddedEngine()
    yield started
    await started.close()
    assert children() == []


@asynccontextmanager
async def opened_opa(server: OpaServer) -> AsyncIterator[OpaEngine]:
    started = OpaEngine(server.url, Limits(timeout=20))
    yield started
    await started.close()


async def both_ready(engine: EmbeddedEngine) -> tuple[int, ...]:
    while len(engine.pids) < 2:  # noqa: ASYNC110 - the engine tells nobody
        await asyncio.sleep(0.01)
    return engine.pids


def children() -> list[int]:
    """Processes, also zombies, that this test has started and not waited for."""
    found: list[int] = []
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += [int(pid) for pid in task.read_text().split()]
    return [pid for pid in found if pid not in _others]

"""Engines that are started for a test and gone after it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.engines.embedded import EmbeddedEngine

# Gateways that other tests of the session share have evaluators too.
_others: set[int] = set()


@pytest.fixture(autouse=True)
def _only_own_children() -> None:
    _others.clear()
    _others.update(children())


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    started = EmbeddedEngine()
    yield started
    await started.close()
    assert children() == []


async def both_ready(engine: EmbeddedEngine) -> tuple[int, ...]:
    while len(engine.pids) < 2:  # noqa: ASYNC110 - the engine tells nobody
        await asyncio.sleep(0.01)
    return engine.pids


def children() -> list[int]:
    """Processes, also zombies, that this test has started and not waited for."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    found = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in found if pid not in _others]

"""Engines that are started for a test and gone after it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.engines.embedded import EmbeddedEngine


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    started = EmbeddedEngine()
    yield started
    await started.close()
    assert children() == []


def children() -> list[int]:
    """Processes, also zombies, that this process has started and not waited for."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]

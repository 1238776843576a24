"""Assessors that are started for a test and gone after it, on the smallest real evaluator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.assessing import ChildAssessor, Evaluated, Limits
from gateway.intent.evidence import Evidence

EVALUATORS = str(Path(__file__).parent / "evaluators")
# A starved machine may hold a child up for longer than a gateway would wait.
WALL = 2.0
PLAN_ONLY = Evaluated(module="plan_only", folder=EVALUATORS)


class Watched:
    """An assessor with what it told of itself."""

    def __init__(self, **limits: Any) -> None:
        self.troubles: list[str] = []
        self.replaced = 0
        self.assessor = ChildAssessor(
            Limits(**{"wall": WALL, **limits}),
            PLAN_ONLY,
            on_failed=self.troubles.append,
            on_replaced=self._replaced,
        )

    def _replaced(self) -> None:
        self.replaced += 1

    async def both_ready(self) -> tuple[int, ...]:
        for _ in range(1000):
            if len(self.assessor.pids) == 2:
                break
            await asyncio.sleep(0.02)
        assert len(self.assessor.pids) == 2
        return self.assessor.pids


@asynccontextmanager
async def opened(**limits: Any) -> AsyncIterator[Watched]:
    watched = Watched(**limits)
    await watched.assessor.start()
    try:
        yield watched
    finally:
        await watched.assessor.close()


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    async with opened() as found:
        yield found


def evidence(request: str = "pay", **fields: Any) -> Evidence:
    return Evidence(tool="bank.pay", arguments={"amount": 5}, request=request, **fields)


DIFFERS = evidence(plan_arguments={"amount": 4})

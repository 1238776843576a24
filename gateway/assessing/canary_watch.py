"""Planted cases, tried at the start and each hour: whether the guard still sees what it must."""

from __future__ import annotations

import asyncio
import contextlib

from gateway.assessing.assessor import ChildAssessor
from gateway.telemetry import Metrics, logger

INTERVAL_SECONDS = 3600.0
# A child that could not answer is tried again sooner.
AGAIN_SECONDS = 60.0


class CanaryWatch:
    """Counts the planted cases that the serving child gets wrong."""

    def __init__(self, assessor: ChildAssessor | None, metrics: Metrics) -> None:
        self._assessor = assessor
        self._metrics = metrics
        self._log = logger("canaries")

    async def step(self) -> bool:
        """Try all of them once; whether there was an answer."""
        if self._assessor is None:
            return True
        outcomes = await self._assessor.canaries()
        if outcomes is None:
            return False
        wrong = [name for name, _, _, right in outcomes if not right]
        self._metrics.intent_canaries_failed.set(len(wrong))
        if wrong:
            self._log.warning("canaries_failed", names=wrong, version=self._assessor.version)
        return True

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            answered = await self.step()
            with contextlib.suppress(TimeoutError):
                pause = INTERVAL_SECONDS if answered else AGAIN_SECONDS
                await asyncio.wait_for(stop.wait(), pause)

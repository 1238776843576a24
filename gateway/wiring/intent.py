"""The Intent Guard of a gateway: the assessor that the settings name, and its planted cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.assessing import ChildAssessor, Evaluated, Limits
from gateway.assessing.limits import MIB
from gateway.config import Settings
from gateway.telemetry import Metrics

# How much longer than its share of the processor an assessment may take on a busy machine.
WALL_FACTOR = 5


@asynccontextmanager
async def opened_assessor(
    settings: Settings, metrics: Metrics
) -> AsyncIterator[ChildAssessor | None]:
    """The loaded assessor, None where it is switched off. Raises ConfigInvalid."""
    if settings.intent == "off":
        yield None
        return
    seconds = settings.intent_ms / 1000
    assessor = ChildAssessor(
        Limits(
            cpu=seconds,
            wall=WALL_FACTOR * seconds,
            memory_bytes=settings.intent_memory_mb * MIB,
        ),
        Evaluated(version=settings.intent_model),
        on_failed=lambda trouble: metrics.intent_failures.labels(trouble).inc(),
        on_replaced=metrics.intent_replaced.inc,
    )
    await assessor.start()
    try:
        yield assessor
    finally:
        await assessor.close()

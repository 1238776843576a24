"""Under traffic the worker lets events gather; a single one is recorded at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.worker.recorder import TRAFFIC
from tests.ledger import events
from tests.servers.waiting import eventually
from tests.worker.rig import Rig

LONG_SECONDS = 3600.0


@asynccontextmanager
async def recording(rig: Rig) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    recorder = rig.recorder(idle_seconds=0.001, gathering_seconds=LONG_SECONDS)
    stop = asyncio.Event()
    running = asyncio.create_task(recorder.run(stop))

    async def recorded() -> int:
        return recorder.figures.recorded

    yield recorded
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_events_gather_behind_a_batch_of_many(rig):
    await rig.append("run_1", *(events.draft() for _ in range(TRAFFIC - 1)))
    async with recording(rig) as recorded:
        count = await eventually(recorded, bool)
        await rig.append("run_1", *(events.draft() for _ in range(TRAFFIC)))
        count = await eventually(recorded, lambda found: found > count)

        await rig.append("run_1", events.draft())
        await asyncio.sleep(0.1)

        assert await recorded() == count
        assert await rig.waiting() == 1


async def test_few_events_are_recorded_at_once(rig):
    async with recording(rig) as recorded:
        await rig.append("run_1", events.draft())
        await eventually(recorded, lambda found: found == 1)
        await rig.append("run_1", events.draft())

        assert await eventually(recorded, lambda found: found == 2)

"""A ledger that is slow gets fewer slices of a batch, so that the worker's leases are renewed."""

from __future__ import annotations

from typing import Any

from gateway.worker.recorder import STORE_SECONDS
from tests.ledger import events
from tests.worker.rig import Rig


class Slow:
    """A ledger that takes its time for every slice."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        self._rig = rig
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rig.ledger, name)

    async def record(self, *args: Any) -> int:
        self._rig.ambient.pass_seconds(self._seconds)
        recorded: int = await self._rig.ledger.record(*args)
        return recorded


async def test_a_batch_ends_when_it_has_taken_long_and_the_rest_is_claimed_again(rig):
    drafts = [events.draft() for _ in range(8)]
    await rig.append("run_1", *drafts)
    recorder = rig.recorder(ledger=Slow(rig, 2 * STORE_SECONDS), at_once=1)

    # The second slice had been made ready meanwhile.
    assert await recorder.step() == 2
    # As many are claimed from then on as can be stored in time.
    assert await recorder.step() == 2
    await recorder.drain()

    assert await rig.waiting() == 0
    # The first event of the run is the gateway's.
    assert [each.id for each in await rig.stored("run_1")][-8:] == [each.id for each in drafts]


async def test_a_quick_ledger_gets_all_of_a_batch(rig):
    await rig.append("run_1", *(events.draft() for _ in range(8)))

    assert await rig.recorder(ledger=Slow(rig, 0), at_once=1).step() == await last(rig)


async def last(rig: Rig) -> int:
    return len(await rig.stored("run_1"))

"""A run of which a failed-over store gave out seqs twice."""

from __future__ import annotations

from gateway.replay.recalling import Recalling
from tests.ledger import events
from tests.ledger.events import PROJECT
from tests.worker.rig import Rig


async def test_a_run_that_comes_back_goes_on_where_its_chain_does(rig: Rig):
    """Behind the newest epoch, or what follows would look as if events before it were missing."""
    for _ in range(4):
        await rig.append("run_1", events.draft())
    await rig.recorder().drain()
    await rig.ledger.record([events.persist(events.draft(), 2)], {})

    found = await Recalling(rig.ledger, rig.keyring, "").run(PROJECT, "run_1")

    assert found is not None
    assert found[0].last_seq == 2
    assert await rig.ledger.record([events.persist(events.draft(), 3)], {}) == 1

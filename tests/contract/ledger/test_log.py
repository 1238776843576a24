"""A project's log: the hashes of its events in one order, without gaps, on every backend."""

from __future__ import annotations

import asyncio

from gateway.audit.log.checkpoint import Checkpoint
from gateway.audit.log.growing import checkpoint_now
from tests.ledger import events
from tests.ledger.events import PROJECT


async def grown(ledger):
    while await ledger.grow():
        pass


async def stored_hashes(ledger, run_id):
    return [bytes.fromhex(each.hash) for each in await ledger.events(PROJECT, run_id)]


async def test_leaves_stand_in_the_order_of_the_commits(ledger):
    wanted = []
    for seq in range(1, 4):
        for run_id in ("run_b", "run_a"):
            event = events.started() if seq == 1 else events.draft()
            await ledger.record([events.persist(event, seq, run_id)], {})
            wanted.append((await stored_hashes(ledger, run_id))[-1])
    await grown(ledger)

    assert list(await ledger.leaves(PROJECT, 0, 100)) == wanted
    assert list(await ledger.leaves(PROJECT, 2, 3)) == wanted[2:5]
    assert list(await ledger.leaves("prj_2", 0, 100)) == []
    asked = [("run_b", 3, 4), ("run_a", 1, 1), ("run_a", 3, 4), ("run_c", 3, 4), ("run_b", 2, 4)]
    places = [await ledger.place(PROJECT, run, seq, wanted[at]) for run, seq, at in asked]
    assert places == [4, 1, None, None, None]
    assert await ledger.place("prj_2", "run_b", 3, wanted[4]) is None
    assert await ledger.log_sizes() == {PROJECT: 6}
    assert await ledger.strays(PROJECT) == 0


async def test_batches_are_leaves_in_their_order_and_what_comes_again_is_none(ledger):
    batch = [
        events.persist(events.started() if seq == 1 else events.draft(), seq, run_id)
        for seq in range(1, 6)
        for run_id in ("run_1", "run_2", "run_3")
    ]
    await ledger.record(batch[:9], {})
    await ledger.record(batch, {})
    await grown(ledger)
    first, _ = await checkpoint_now(ledger, PROJECT)

    leaves = list(await ledger.leaves(PROJECT, 0, 100))
    assert len(leaves) == len(set(leaves)) == 15
    for run_id in ("run_1", "run_2", "run_3"):
        hashes = await stored_hashes(ledger, run_id)
        assert [each for each in leaves if each in hashes] == hashes
    assert first.size == 15
    assert await ledger.strays(PROJECT) == 0


async def test_a_log_only_ever_grows_while_others_record(opened):
    """A2: every checkpoint that was given is one of the log later on."""
    ledgers = [await opened() for _ in range(2)]
    ledger = ledgers[0]
    seen: list[Checkpoint] = []

    async def record(recorder, number):
        for seq in range(1, 9):
            event = events.started() if seq == 1 else events.draft()
            await recorder.record([events.persist(event, seq, f"run_{number}")], {})

    async def grow():
        for _ in range(20):
            await ledger.grow()
            now, gone = await checkpoint_now(ledger, PROJECT, seen)
            assert gone == []
            seen.append(now)
            await asyncio.sleep(0)

    await asyncio.gather(*(record(each, n) for n, each in enumerate(ledgers * 2)), grow())
    await grown(ledger)
    now, gone = await checkpoint_now(ledger, PROJECT, seen)

    assert (now.size, gone) == (16 * len(ledgers), [])
    for each in ledgers:
        await each.close()

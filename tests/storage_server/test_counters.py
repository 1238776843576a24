"""Shared counters when gateways die in between: every move once, every hold settled."""

from __future__ import annotations

import asyncio

from gateway.storage.ports import Refused
from gateway.storage.server.redis.functions import MOVE
from tests.contract import appends as make
from tests.make import NOON_NS
from tests.servers import redis
from tests.servers.waiting import eventually

DEADLINE_NS = NOON_NS + 600_000_000_000


async def test_a_hold_whose_gateway_died_is_released_at_its_deadline(rig):
    """design 2: looked for in the run, no decision found: released."""
    dead = await rig.another_journal(held_seconds=1)
    assert (await dead.gather(make.wish("dec_1", 7))).used == {"daily": 0}
    dead._counters._holds.clear()

    assert await _used(rig.journal) == 7
    await _until(rig, 0)


async def test_a_decision_that_comes_after_its_hold_was_released_is_judged_again(rig):
    """Released means released: what was lent to others cannot be confirmed any more."""
    slow = await rig.another_journal(held_seconds=1)
    await slow.gather(make.wish("dec_1", 7))
    slow._counters._holds["dec_1"].until += 3600
    await asyncio.sleep(1.1)
    await _until(rig, 0)

    wanted, _ = make.decision("act_1", **_confirming("dec_1", 7))

    assert await slow.append(wanted) == Refused("predicate")
    assert await _used(rig.journal) == 0


async def test_moves_of_a_gateway_that_died_behind_its_append_are_made_by_another(rig):
    """The confirmation is durable with the decision; the counter follows, once."""
    dead = await rig.another_journal()
    await dead.gather(make.wish("dec_1", 5))
    wanted, _ = make.decision("act_1", **_confirming("dec_1", 4))
    dead._counters._apply = lambda *_: None
    await make.done(dead, wanted)

    assert await rig.journal.tend() == 1
    await _until(rig, 4)
    assert await rig.journal.tend() == 0
    assert await _used(rig.journal) == 4


async def test_an_overdue_hold_whose_decision_came_is_confirmed(rig):
    dead = await rig.another_journal(held_seconds=1)
    await dead.gather(make.wish("dec_1", 5))
    wanted, _ = make.decision("act_1", **_confirming("dec_1", 4))
    dead._counters._apply = lambda *_: None
    await make.done(dead, wanted)
    await asyncio.sleep(1.1)

    assert await _used(rig.journal) == 5
    await _until(rig, 4)


async def test_a_move_is_made_once_however_often_it_is_tried(rig):
    """Two gateways sweep at once, and one of them read the move before it was forgotten."""
    places, routes = rig.journal._places, rig.journal._routes
    slot, counter = places.counter("prj_1", "daily")
    command = MOVE((counter, counter + b"|moved"), "prj_1/evt_1", 5, "", 0)

    for _ in range(5):
        await routes.call(slot, command)

    assert await _used(rig.journal) == 5


async def test_sweeps_and_appends_at_once_count_right(everywhere):
    """Every append moves one; two gateways sweep all the while."""
    other = await everywhere.another_journal()
    stop = asyncio.Event()

    async def sweep(journal) -> None:
        while not stop.is_set():
            await journal.tend()

    async def spend(number: int) -> None:
        name = f"dec_{number}"
        journal = (everywhere.journal, other)[number % 2]
        await journal.gather(make.wish(name, 1, run_id=f"run_{number % 7}"))
        wanted, _ = make.decision(f"act_{number}", f"run_{number % 7}", **_confirming(name, 1))
        await make.done(journal, wanted)

    sweeps = [asyncio.create_task(sweep(journal)) for journal in (everywhere.journal, other)]
    for start in range(0, 200, 20):
        await asyncio.gather(*(spend(number) for number in range(start, start + 20)))
    stop.set()
    await asyncio.gather(*sweeps)

    await _until(everywhere, 200)
    await everywhere.journal.tend()
    await everywhere.journal._counters.close()
    assert await _used(everywhere.journal) == 200


async def test_a_counter_with_a_window_is_forgotten_by_itself(rig):
    key = "usd|day|2026-11-20"
    await rig.journal.gather(make.wish("dec_1", 1, key))
    await rig.journal.gather(make.wish("dec_2", 1, "usd|run|forever"))

    client = redis.shared().client()
    window, forever = (
        client.ttl(rig.journal._places.counter("prj_1", each)[1])
        for each in (key, "usd|run|forever")
    )
    client.close()

    assert 3 * 86_400 < window <= 4 * 86_400
    assert forever == -1


def _confirming(name: str, amount: int):
    return {
        "reservation_id": name,
        "confirm": {"daily": amount},
        "confirm_deadline_ns": DEADLINE_NS,
        "of": {"reservations": {"daily": amount}},
    }


async def _until(rig, amount: int) -> None:
    """Wait until so much is used; looking is what settles overdue holds."""
    await eventually(lambda: _used(rig.journal), lambda used: used == amount)


async def _used(journal):
    gathered = await journal.gather(make.wish("dec_look", 0))
    await journal.forget("dec_look")
    return gathered.used["daily"]

"""A gateway may judge upon what it remembers of a run: it counts if it was so, and only then."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from gateway.domain.run_state import StateChange
from gateway.errors import StorageFailure
from gateway.storage.ports import Append, Appended, Gathered, Journal, Refused
from tests.contract import appends as make
from tests.servers.waiting import eventually

CALL = (StateChange(add={"calls": 1}),)
DEADLINE_NS = 2**62
LIMIT = 40


def upon(seen: Gathered, run_id: str = "run_1", **fields: Any) -> Append:
    """An append that was judged upon what was gathered, and lets the call through."""
    return make.append(
        run_id,
        gathered_version=seen.version,
        gathered_generation=seen.generation,
        remembered=seen.remembered,
        **{"allows": True, "changes": CALL, **fields},
    )


async def remembered(journal: Journal, run_id: str = "run_1", **fields: Any) -> Gathered:
    return await journal.gather(make.ask(run_id, may_remember=True, **fields))


async def test_a_run_of_ones_own_is_believed_from_the_first_append_on(everywhere):
    journal = everywhere.journal
    assert (await remembered(journal)).remembered == 0
    await make.done(journal, make.append(changes=CALL))

    seen = await remembered(journal)

    assert seen.remembered != 0
    assert seen.state == (await journal.gather(make.ask())).state
    assert seen.state.counters == {"calls": 1}
    assert await make.done(journal, upon(seen)) == 2


async def test_whoever_does_not_allow_it_is_answered_by_the_store(everywhere):
    await make.done(everywhere.journal, make.append())

    assert (await everywhere.journal.gather(make.ask())).remembered == 0


@pytest.mark.parametrize("seed", range(5))
async def test_gateways_that_take_turns_never_append_upon_a_state_of_the_past(everywhere, seed):
    """Without any predicate: what counts was judged upon the run as it was."""
    chance = random.Random(seed)
    journals = [everywhere.journal, await everywhere.another_journal()]
    believed = wrong = appended = 0
    for _ in range(150):
        journal = chance.choices(journals, [8, 1])[0]
        seen = await remembered(journal)
        believed += seen.remembered != 0
        outcome = await journal.append(upon(seen))
        if isinstance(outcome, Refused):
            wrong += 1
            assert seen.remembered != 0
            seen = await journal.gather(make.ask())
            outcome = await journal.append(upon(seen))
        assert isinstance(outcome, Appended)
        assert outcome.first_seq == seen.version + 1
        appended += 1

    state = (await everywhere.journal.gather(make.ask())).state
    assert state.counters == {"calls": appended}
    # Most of what was believed was so, and some of it was not.
    assert 0 < wrong < believed / 2


async def test_a_gateway_that_is_not_alone_is_believed_ever_more_seldom(rig):
    other = await rig.another_journal()
    wrong = 0
    for _ in range(100):
        for journal in (rig.journal, other):
            seen = await remembered(journal)
            if isinstance(await journal.append(upon(seen)), Refused):
                wrong += 1
                seen = await journal.gather(make.ask())
                await make.done(journal, upon(seen))

    # In turns nobody is ever right: each gateway tries once, and then needs two in a row.
    assert wrong <= 2


async def test_own_appends_at_the_same_time_do_not_make_it_wrong(rig):
    await make.done(rig.journal, make.append(changes=CALL))
    seen = [await remembered(rig.journal) for _ in range(10)]

    outcomes = await asyncio.gather(*(rig.journal.append(upon(each)) for each in seen))

    assert all(each.remembered for each in seen)
    assert [isinstance(outcome, Appended) for outcome in outcomes] == [True] * 10


@pytest.mark.parametrize("allows", [True, False])
async def test_a_halt_by_another_gateway_is_obeyed_at_the_next_check(everywhere, allows):
    """What is stopped, too, is judged again: in a halted run it is stopped for that."""
    other = await everywhere.another_journal()
    await make.done(everywhere.journal, make.append())
    await make.done(other, make.halting())

    seen = await remembered(everywhere.journal)

    assert (seen.remembered != 0, seen.halted) == (True, False)
    wanted = upon(seen, allows=allows)
    assert await make.refused(everywhere.journal, wanted) == "predicate"
    assert (await remembered(everywhere.journal)).halted


async def test_an_action_that_another_gateway_judged_meanwhile_is_not_judged_twice(everywhere):
    other = await everywhere.another_journal()
    await make.done(everywhere.journal, make.append())
    await make.done(other, make.decision("act_1")[0])

    seen = await remembered(everywhere.journal, action_id="act_1")
    wanted, _ = make.decision("act_1", remembered=seen.remembered)

    assert seen.remembered != 0
    assert await make.refused(everywhere.journal, wanted) == "predicate"
    assert (await remembered(everywhere.journal, action_id="act_1")).action is not None


async def test_an_action_that_is_there_is_never_told_from_memory(everywhere):
    """It may be answered from: then no append would find out that it has changed."""
    await make.done(everywhere.journal, make.decision("act_1")[0])

    assert (await remembered(everywhere.journal, action_id="act_1")).remembered == 0
    assert (await remembered(everywhere.journal, action_id="act_2")).remembered != 0


async def test_an_action_of_a_long_run_is_looked_up(rig):
    """Beyond the recent ones nobody remembers which ids were used."""
    for number in range(50):
        await make.done(rig.journal, make.decision(f"act_{number}")[0])

    assert (await remembered(rig.journal, action_id="act_50")).remembered == 0
    assert (await remembered(rig.journal)).remembered != 0


async def test_a_run_below_another_is_always_asked_for(everywhere):
    """Of a halt above it only its partition knows."""
    await make.done(everywhere.journal, make.append("run_top"))
    await make.done(everywhere.journal, make.starting("run_below", parent_run_id="run_top"))

    assert (await remembered(everywhere.journal, "run_below")).remembered == 0


async def test_another_environment_is_not_answered_from_memory(rig):
    await make.done(rig.journal, make.append())

    seen = await remembered(rig.journal, environment="staging")

    assert (seen.remembered, seen.stored_environment) == (0, "production")


async def test_counters_are_asked_all_the_same(everywhere):
    """Two gateways, each alone in its run, never overspend the last units that they share."""
    other = await everywhere.another_journal()
    journals = {"run_a": everywhere.journal, "run_b": other}
    for run_id, journal in journals.items():
        await make.done(journal, make.append(run_id))
    spent = believed = 0

    async def check(journal, run_id: str, name: str) -> None:
        nonlocal spent, believed
        wish = make.wish(name, 1, run_id=run_id)
        seen = await remembered(
            journal, run_id, reserve=wish.reserve, reservation_id=wish.reservation_id
        )
        believed += seen.remembered != 0
        if seen.used["daily"] + 1 > LIMIT:
            await journal.forget(name)
            return
        fields = {"confirm": {"daily": 1}, "confirm_deadline_ns": DEADLINE_NS}
        outcome = await journal.append(upon(seen, run_id, reservation_id=name, **fields))
        spent += isinstance(outcome, Appended)

    for number in range(LIMIT):
        await asyncio.gather(
            *(check(journal, run, f"{run}_{number}") for run, journal in journals.items())
        )

    assert spent == LIMIT
    assert believed == 2 * LIMIT


async def test_a_run_that_was_forgotten_meanwhile_is_not_gone_on_with(everywhere):
    other = await everywhere.another_journal()
    await make.done(everywhere.journal, make.append())
    await everywhere.drain.settle(await everywhere.drain.claim(10))
    assert await other.evict_idle(2**62, 10) == 1

    seen = await remembered(everywhere.journal)

    assert seen.remembered != 0
    assert await make.refused(everywhere.journal, upon(seen)) == "predicate"
    assert (await remembered(everywhere.journal)).version == 0


async def test_what_a_failover_lost_is_not_gone_on_from(server, on):
    """design 4: a seq may be given out twice, but nothing is judged upon what is no more."""
    rig = await on(server.url, seconds=1.0).open()
    await make.done(rig.journal, make.append(changes=CALL))
    log = server.folder / "appendonlydir"
    kept = {path.name: path.read_bytes() for path in log.iterdir()}
    await make.done(rig.journal, make.append(changes=CALL))
    seen = await remembered(rig.journal)
    server.kill()
    for name, data in kept.items():
        (log / name).write_bytes(data)
    await asyncio.to_thread(server.start)

    async def outcome():
        try:
            return await rig.journal.append(upon(seen))
        except StorageFailure:
            return None

    assert seen.remembered != 0
    assert await eventually(outcome, bool) == Refused("predicate")
    again = await rig.journal.gather(make.ask())
    assert (again.version, again.state.counters) == (1, {"calls": 1})
    await rig.close()


async def test_memory_is_bounded_in_runs_and_in_bytes(rig):
    few = await rig.another_journal(hot_runs_max=3)
    light = await rig.another_journal()
    light._runs._most_bytes = 20_000
    for number in range(20):
        for journal in (few, light):
            run_id = f"run_{id(journal)}_{number}"
            for action in range(5):
                await make.done(journal, make.decision(f"act_{action}", run_id)[0])

    for journal, kept in ((few, 3), (light, 2)):
        runs = [f"run_{id(journal)}_{number}" for number in range(20)]
        seen = [(await remembered(journal, run)).remembered != 0 for run in reversed(runs)]
        assert seen[:kept] == [True] * kept
        assert not any(seen[kept:])
    assert light._runs._bytes <= 20_000

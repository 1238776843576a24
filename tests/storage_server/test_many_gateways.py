"""Several journals on one Redis answer as one: places, secrets, halts and budgets."""

from __future__ import annotations

import asyncio
import random

from gateway.domain.run_state import StateChange
from gateway.storage import record
from gateway.storage.ports import Appended, Refused
from tests.contract import appends as make
from tests.make import NOON_NS
from tests.servers import redis
from tests.servers.waiting import eventually

DEADLINE_NS = NOON_NS + 600_000_000_000


async def test_two_gateways_on_one_run_leave_no_gap_and_lose_no_change(everywhere):
    """Issue 3, 4: each append is decided upon the newest state, wherever it came from."""
    journals = [everywhere.journal, await everywhere.another_journal()]
    change = StateChange(add={"calls": 1})

    async def work(journal, number: int) -> list[int]:
        return [
            await make.done(journal, make.append(changes=(change,), user_id=f"u_{number}"))
            for _ in range(60)
        ]

    places = await asyncio.gather(*(work(journal, n) for n, journal in enumerate(journals * 2)))

    assert sorted(place for each in places for place in each) == list(range(1, 241))
    claims = await everywhere.drain.claim(1000)
    assert [claim.seq for claim in claims] == list(range(1, 241))
    for journal in journals:
        assert (await journal.gather(make.ask())).state.counters == {"calls": 240}


async def test_two_gateways_that_begin_a_run_agree_on_its_secret(everywhere):
    """design 4: the first wrapped secret is stored; whoever was second seals with it too."""
    journals = [everywhere.journal, await everywhere.another_journal()]
    for number in range(40):
        run_id = f"run_{number}"
        events = [make.draft(content={"frame": b"%d" % n}) for n in range(2)]

        await asyncio.gather(
            *(
                journal.append(make.append(run_id, [event], user_id=f"u_{n}"))
                for n, (journal, event) in enumerate(zip(journals, events, strict=True))
            )
        )

        for event in events:
            for journal in journals:
                entry = await journal.recall("prj_1", run_id, event.id)
                assert entry.draft.content == event.content


async def test_an_action_is_judged_once_by_all_gateways(everywhere):
    """D7: racing twins, one decision."""
    journals = [everywhere.journal, await everywhere.another_journal()]
    for number in range(100):
        wanted = [make.decision(f"act_{number}")[0] for _ in journals]

        outcomes = await asyncio.gather(
            *(journal.append(each) for journal, each in zip(journals, wanted, strict=True))
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Appended", "Refused"]
        assert Refused("action_changed") in outcomes


async def test_two_gateways_never_overspend_the_last_unit(rig):
    """Issue 3, 4: 1,000 rounds of two gateways on a budget with one unit left."""
    other = await rig.another_journal()
    for number in range(1000):
        key = f"budget_{number}"

        async def check(journal, name: str, key: str = key) -> bool:
            seen = await journal.gather(make.wish(name, 1, key, f"run_{name}"))
            if seen.used[key] + 1 > 1:
                await journal.forget(name)
                return False
            wanted, _ = make.decision(
                f"act_{key}",
                f"run_{name}",
                reservation_id=name,
                confirm={key: 1},
                confirm_deadline_ns=DEADLINE_NS,
            )
            return isinstance(await journal.append(wanted), Appended)

        spent = await asyncio.gather(check(rig.journal, "one"), check(other, "other"))

        assert sorted(spent) == [False, True]


async def test_a_budget_is_never_overspent_by_any_number_of_gateways(everywhere):
    journals = [everywhere.journal, *[await everywhere.another_journal() for _ in range(2)]]
    spent: list[object] = []

    async def spend(number: int) -> None:
        journal, run_id = journals[number % 3], f"run_{number}"
        seen = await journal.gather(make.wish(run_id, 1, run_id=run_id))
        await asyncio.sleep(random.random() / 500)
        if seen.used["daily"] + 1 > 10:
            await journal.forget(run_id)
            return
        wanted, _ = make.decision(
            "act_1",
            run_id,
            reservation_id=run_id,
            confirm={"daily": 1},
            confirm_deadline_ns=DEADLINE_NS,
        )
        spent.append(await journal.append(wanted))

    await asyncio.gather(*(spend(number) for number in range(60)))

    assert [isinstance(outcome, Appended) for outcome in spent] == [True] * 10
    # What the other gateways moved arrives behind their answers.
    look = make.wish("look", 0)
    await eventually(
        lambda: everywhere.journal.gather(look), lambda found: found.used == {"daily": 10}
    )


async def test_after_a_halt_nothing_is_let_through_below_it_by_any_gateway(everywhere):
    """design 2: in runs of other slots too, whose appends are under way while the halt is."""
    other = await everywhere.another_journal()
    for number in range(40):
        root, child, leaf = (f"{name}_{number}" for name in ("root", "child", "leaf"))
        await make.done(other, make.starting(root))
        await make.done(other, make.starting(child, parent_run_id=root))
        await make.done(other, make.starting(leaf, parent_run_id=child))
        halted = asyncio.Event()
        late: list[object] = []

        async def work(leaf: str = leaf, halted=halted, late=late) -> None:
            for attempt in range(1000):
                begun_after = halted.is_set()
                outcome = await other.append(make.decision(f"act_{attempt}", leaf)[0])
                if begun_after:
                    late.append(outcome)
                if isinstance(outcome, Refused):
                    return

        working = asyncio.create_task(work())
        await asyncio.sleep(random.random() / 200)
        await make.done(everywhere.journal, make.halting(root))
        halted.set()
        await working

        assert late in ([], [Refused("halted")])
        assert await make.refused(other, make.decision("act_x", leaf)[0]) == "halted"
        assert (await other.gather(make.ask(leaf))).halted


async def test_the_log_itself_shows_no_allow_behind_the_halt(rig):
    """The same on one Redis, by the order in which Redis wrote: not even one under way."""
    other = await rig.another_journal()
    for number in range(60):
        root, leaf = f"root_{number}", f"leaf_{number}"
        await make.done(other, make.starting(root))
        allowed: list[str] = []

        async def work(leaf: str = leaf, root: str = root, allowed=allowed) -> None:
            while True:
                wanted, _ = make.decision(make.new_id("act"), leaf, parent_run_id=root)
                outcome = await other.append(wanted)
                if isinstance(outcome, Refused):
                    return
                allowed.append(wanted.drafts[0].id)

        working = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(random.random() / 300)
        halt = make.halting(root)
        await make.done(rig.journal, halt)
        await asyncio.gather(*working)

        order = [record.decode(claim.raw)[0].id for claim in await rig.drain.claim(5000)]
        at = order.index(halt.drafts[0].id)
        assert [event for event in order[at:] if event in allowed] == []
        await rig.drain.settle(await rig.drain.claim(5000))


async def test_a_halt_that_never_came_stops_nobody_for_long(rig):
    """A gateway that dies between telling of a halt and appending it."""
    await make.done(rig.journal, make.starting("root"))
    await make.done(rig.journal, make.starting("leaf", parent_run_id="root"))
    await make.done(rig.journal, make.decision("act_1", "leaf")[0])
    root, leaf = (rig.journal._places.of(("prj_1", name)) for name in ("root", "leaf"))
    client = redis.shared().client()
    token, at = b"evt_of_the_dead", client.time()
    now_ms = at[0] * 1000 + at[1] // 1000
    for age_ms, outcome in ((0, "halted"), (60_000, None)):
        told = b"%b %d" % (token, now_ms - age_ms)
        client.hset(leaf.key(b"halts"), "prj_1/root", told)
        client.set(root.key(b"halting", b"prj_1/root"), told)

        wanted, _ = make.decision(make.new_id("act"), "leaf")
        found = await rig.journal.append(wanted)

        assert (found.why if isinstance(found, Refused) else None) == outcome
    assert not client.exists(root.key(b"halting", b"prj_1/root"))
    assert not client.hlen(leaf.key(b"halts"))
    client.close()

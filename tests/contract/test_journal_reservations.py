"""Shared counters: what a budget has left is seen by one call only."""

from __future__ import annotations

import asyncio
import random

import pytest

from gateway.domain.run_state import ActionRecord, StateChange
from tests.contract import appends as make
from tests.make import NOON_NS

DEADLINE_NS = NOON_NS + 600 * 1_000_000_000


async def test_of_two_calls_for_the_last_unit_exactly_one_sees_room(hot):
    """S1-4, R10: 1,000 rounds of two concurrent checks on a budget with one unit left."""
    for number in range(1000):
        key = f"budget_{number}"

        async def check(name: str, key: str = key):
            seen = await hot.journal.gather(make.wish(name, 1, key, f"run_{name}"))
            await asyncio.sleep(0)
            return seen.used[key] + 1 <= 1

        rooms = await asyncio.gather(check("one"), check("other"))

        assert sorted(rooms) == [False, True]
        await hot.journal.forget("one")
        await hot.journal.forget("other")


async def test_a_budget_is_never_overspent(hot):
    """Forty runs spend from a budget of ten, each through gather, append or forget."""
    confirmed = []

    async def spend(run_id: str) -> None:
        seen = await hot.journal.gather(make.wish(run_id, 1, run_id=run_id))
        await asyncio.sleep(random.random() / 500)
        if seen.used["daily"] + 1 > 10:
            await hot.journal.forget(run_id)
            return
        wanted, _ = make.decision("act_1", run_id, **_confirming(run_id, {"daily": 1}))
        await make.done(hot.journal, wanted)
        confirmed.append(run_id)

    await asyncio.gather(*(spend(f"run_{number}") for number in range(40)))

    assert len(confirmed) == 10
    assert await _used(hot) == 10


async def test_the_same_reservation_id_holds_once(hot):
    """Asking again replaces what was held, so a check can be gathered as often as needed."""
    for amount in (5, 5, 3):
        gathered = await hot.journal.gather(make.wish("dec_1", amount))
        assert gathered.used == {"daily": 0}

    assert await _used(hot) == 3
    await hot.journal.forget("dec_1")
    await hot.journal.forget("dec_1")
    assert await _used(hot) == 0


async def test_a_decision_that_stops_the_call_releases_what_was_held(hot):
    await hot.journal.gather(make.wish("dec_1", 5))

    await make.done(hot.journal, make.append(reservation_id="dec_1"))

    assert await _used(hot) == 0


async def test_a_confirmed_reservation_counts_at_the_amount_that_was_decided(hot):
    """design 5: the reservation is of the changed arguments."""
    await hot.journal.gather(make.wish("dec_1", 5))
    wanted, _ = make.decision("act_1", **_confirming("dec_1", {"daily": 4}))

    await make.done(hot.journal, wanted)

    assert await _used(hot) == 4


async def test_counters_of_projects_are_apart(hot):
    await hot.journal.gather(make.wish("dec_1", 5))

    other = make.ask(project_id="prj_2", reserve=make.wish("x", 1).reserve, reservation_id="x")
    assert (await hot.journal.gather(other)).used == {"daily": 0}


async def test_what_was_not_held_cannot_be_confirmed(hot):
    """Without its reservation a decision rests on a counter that others may have used: again."""
    wanted, _ = make.decision("act_1", **_confirming("dec_1", {"daily": 4}))

    assert await make.refused(hot.journal, wanted) == "predicate"

    await hot.journal.gather(make.wish("dec_1", 5, key="monthly"))
    assert await make.refused(hot.journal, wanted) == "predicate"


async def test_more_than_was_held_can_be_confirmed_unless_others_came_in_between(hot):
    wanted, _ = make.decision("act_1", **_confirming("dec_1", {"daily": 9}))
    await hot.journal.gather(make.wish("dec_1", 5))
    await hot.journal.gather(make.wish("dec_2", 1))

    assert await make.refused(hot.journal, wanted) == "predicate"

    await hot.journal.gather(make.wish("dec_1", 5))
    assert await make.done(hot.journal, wanted) == 1
    assert await _used(hot) == 10


async def test_a_failed_call_gives_back_what_it_held_once(hot):
    made = await _confirmed(hot, "act_1", 5)

    closing = make.append(
        changes=(StateChange(closed=_closed(made, {})),),
        settle_action="act_1",
        release={"daily": 5},
    )

    assert await make.done(hot.journal, closing) == 2
    assert await _used(hot) == 0
    assert await make.refused(hot.journal, closing) == "action_changed"
    assert await _used(hot) == 0


@pytest.mark.parametrize(("action_id", "amount"), [("act_1", 6), ("act_2", 5), (None, 5)])
async def test_no_more_is_given_back_than_is_held(hot, action_id, amount):
    await _confirmed(hot, "act_1", 5)

    closing = make.append(settle_action=action_id, release={"daily": amount})

    assert await make.refused(hot.journal, closing) == "action_changed"
    assert await _used(hot) == 5


async def test_open_reservations_come_due_until_they_are_settled(hot):
    """design 2: confirmed and unsettled past its deadline a reservation is in doubt."""
    made = await _confirmed(hot, "act_1", 5)
    await _confirmed(hot, "act_2", 1)

    assert await hot.journal.due_reservations(DEADLINE_NS - 1, 10) == []
    due = await hot.journal.due_reservations(DEADLINE_NS, 10)
    assert {each.action.action_id for each in due} == {"act_1", "act_2"}
    assert {(each.project_id, each.environment, each.run_id) for each in due} == {
        ("prj_1", "production", "run_1")
    }
    assert len(await hot.journal.due_reservations(DEADLINE_NS, 1)) == 1

    in_doubt = _closed(made, made.reservations)
    await make.done(hot.journal, make.append(changes=(StateChange(closed=in_doubt),)))
    left = await hot.journal.due_reservations(DEADLINE_NS, 10)

    assert [each.action.action_id for each in left] == ["act_2"]
    assert await _used(hot) == 6


async def test_reservations_survive_a_restart_only_when_confirmed(hot):
    """A crash releases what was tentative: nothing of those calls was appended."""
    await _confirmed(hot, "act_1", 5)
    await hot.journal.gather(make.wish("dec_9", 3))
    assert await _used(hot) == 8

    await hot.reopen()

    assert await _used(hot) == 5
    assert len(await hot.journal.due_reservations(DEADLINE_NS, 10)) == 1


async def test_a_counter_at_its_limit_is_the_same_after_a_restart(hot):
    """S9: reservations of the largest amounts neither wrap around nor drift."""
    most = 2**53 - 1
    made = [await _confirmed(hot, f"act_{number}", most) for number in range(3)]
    closing = make.append(
        changes=(StateChange(closed=_closed(made[0], {})),),
        settle_action="act_0",
        release={"daily": most - 7},
    )
    await make.done(hot.journal, closing)

    before = await _used(hot)
    await hot.reopen()

    assert (before, await _used(hot)) == (7, 7)


def _confirming(reservation_id: str, amounts: dict[str, int]):
    return {
        "reservation_id": reservation_id,
        "confirm": amounts,
        "confirm_deadline_ns": DEADLINE_NS,
        "of": {"reservations": amounts},
    }


async def _confirmed(hot, action_id: str, amount: int) -> ActionRecord:
    await hot.journal.gather(make.wish(f"dec_{action_id}", amount))
    wanted, made = make.decision(action_id, **_confirming(f"dec_{action_id}", {"daily": amount}))
    await make.done(hot.journal, wanted)
    return made


def _closed(made: ActionRecord, reservations: dict[str, int]) -> ActionRecord:
    return make.record(
        made.action_id,
        made.event_id,
        decision_id=made.decision_id,
        status="executed",
        outcome="failed",
        report_digest="r" * 64,
        reservations=reservations,
    )


async def _used(hot):
    gathered = await hot.journal.gather(make.wish("dec_look", 0))
    await hot.journal.forget("dec_look")
    return gathered.used["daily"]

"""Runs that come back from the ledger, because they had left the journal or it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from gateway.domain.ruleset import Budget, Environment
from gateway.domain.run_ids import run_id_of
from gateway.storage.ports import Gather
from tests import make
from tests.checking.conftest import CALLER

DAY = Budget(name="day", at_most=10**9, scope="project", window="day", currency="USD")
OWN = Budget(name="own", at_most=10**9, currency="USD")


def _budgeted(bench, *effects: str) -> None:
    bench.rules = make.ruleset(
        make.rule("r", needs=frozenset({"state", "budgets"})),
        tools=(make.payment_tool(side_effects=list(effects)),),
        environments={"production": Environment(budgets=(DAY, OWN), approval_seconds=3600)},
    )


async def _pay(bench, amount: int, run: str = "r", **action) -> dict[str, int]:
    """Make a payment; how much of each budget it saw used."""
    await bench.check(run={"id": run}, arguments={"amount": amount}, action=action)
    return {each["name"]: each["used"] for each in bench.engine.frames[-1]["state"]["budgets"]}


async def _action(bench, run: str = "r"):
    run_id = run_id_of(CALLER.project_id, CALLER.environment, run)
    ask = Gather("prj_1", "production", run_id, action_id="act_1")
    return (await bench.journal.gather(ask)).action


async def _lose_journal(bench) -> None:
    """Everything is recorded, then the journal's file is gone."""
    await bench.drain()
    await bench.close()
    for path in bench.folder.glob("journal.db*"):
        path.unlink()
    await bench.open()


@pytest.mark.parametrize(("effect", "left"), [("payment", 5), ("read", 0)])
async def test_reservations_of_a_lost_journal_are_settled_all_the_same(bench, effect, left):
    """N8: with their deadlines come back the amounts, so what is released was there before."""
    _budgeted(bench, effect)
    await _pay(bench, 5, id="act_1")
    await _lose_journal(bench)

    assert await _pay(bench, 7) == {"day": 5, "own": 5}
    assert await _pay(bench, 0) == {"day": 12, "own": 12}
    assert await bench.timers.step() == 0
    bench.ambient.pass_seconds(601)
    assert await bench.timers.step() == 3

    assert (await _action(bench)).status == "in_doubt"
    used = await _pay(bench, 0)
    assert used == {"day": left * 12 // 5, "own": left * 12 // 5}
    await bench.reopen()
    assert await _pay(bench, 0) == used


async def test_what_waits_for_an_approval_keeps_its_own_deadline(bench):
    _budgeted(bench, "payment")
    bench.always("require_approval")
    await _pay(bench, 5, id="act_1")
    await _lose_journal(bench)
    bench.always()
    await _pay(bench, 0, id="act_2")

    bench.ambient.pass_seconds(601)
    assert await bench.timers.step() == 1
    assert (await _action(bench)).status == "asked"
    bench.ambient.pass_seconds(3000)
    assert await bench.timers.step() == 1

    assert (await _action(bench)).status == "stopped"
    assert await _pay(bench, 0) == {"day": 0, "own": 0}


async def test_a_settled_run_brings_nothing_back_to_shared_counters(bench):
    """Only what is open proves that the counters went with the journal."""
    _budgeted(bench, "payment")
    await _pay(bench, 5, id="act_1")
    bench.ambient.pass_seconds(601)
    assert await bench.timers.step() == 1
    await bench.drain()
    bench.ambient.pass_seconds(3600)
    assert await bench.journal.evict_idle(bench.ambient.now_ns(), 10) == 1

    assert await _pay(bench, 7) == {"day": 5, "own": 5}
    assert await _pay(bench, 0) == {"day": 12, "own": 12}


def _counters(bench) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(bench.folder / "journal.db")) as db:
        return {
            key.split("|")[0]: total for key, total in db.execute("SELECT key, total FROM counter")
        }


async def _leave(bench) -> None:
    """Settle what is open, record it all, and let the idle run go; the next walk follows it."""
    bench.ambient.pass_seconds(601)
    await bench.timers.step()
    await bench.drain()
    bench.ambient.pass_seconds(1)
    assert await bench.journal.evict_idle(bench.ambient.now_ns(), 10) == 1
    await bench.journal.evict_idle(0, 10)


async def test_a_run_takes_its_own_counters_along_and_brings_them_back(bench):
    """The file does not grow by a row for every run, and no budget begins anew."""
    _budgeted(bench, "payment")
    for number, amount in enumerate((5, 6)):
        await _pay(bench, amount, id=f"act_{number}")
    assert _counters(bench) == {"day": 11, "own": 11}

    for restart in (False, True):
        await _leave(bench)
        assert _counters(bench) == {"day": 11}
        if restart:
            await bench.reopen()
        assert (await _pay(bench, 0))["own"] == 11

    assert (await _pay(bench, 7))["own"] == 11
    await bench.reopen()
    assert (await _pay(bench, 0))["own"] == 18
    assert _counters(bench)["own"] == 18


async def test_counters_of_a_run_that_is_here_or_just_coming_back_stay(bench):
    _budgeted(bench, "payment")
    await _pay(bench, 5, id="act_1")
    for _ in range(3):
        await bench.journal.evict_idle(0, 10)
    assert _counters(bench)["own"] == 5
    await _leave(bench)

    paying = [asyncio.create_task(_pay(bench, 1)) for _ in range(5)]
    leaving = [asyncio.create_task(bench.journal.evict_idle(0, 10)) for _ in range(5)]
    await asyncio.gather(*paying, *leaving)

    assert _counters(bench)["own"] == 10
    await bench.reopen()
    assert (await _pay(bench, 0))["own"] == 10

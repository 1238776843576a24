"""Timers: one run that cannot be written keeps no other waiting, and nothing keeps them busy."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.checking.timers import BATCH_MAX, Timers
from gateway.domain.ruleset import Budget, Environment
from gateway.domain.run_ids import run_id_of
from gateway.errors import StorageFailure
from gateway.serving.gateway import _measure
from gateway.storage.ports import Gather
from tests import make
from tests.checking.conftest import CALLER

DAY = Budget(name="day", at_most=10**9, scope="project", window="day", currency="USD")


def _budgeted(bench, *, effects=("payment",), seconds=600):
    bench.rules = make.ruleset(
        make.rule("r", needs=frozenset({"state", "budgets"})),
        tools=(make.payment_tool(side_effects=list(effects)),),
        environments={"production": Environment(budgets=(DAY,), approval_seconds=seconds)},
    )


async def _action(bench, run):
    run_id = run_id_of(CALLER.project_id, CALLER.environment, run)
    ask = Gather("prj_1", "production", run_id, action_id="act_1")
    return (await bench.journal.gather(ask)).action


async def _ask(bench, run, **more):
    reference = {"id": run, **more}
    await bench.check(run=reference, action={"id": "act_1"}, arguments={"amount": 5})


async def _erase(bench, user):
    """Destroy a user's key, as an erasure does: its runs cannot be appended to any more."""
    await bench.close()
    with sqlite3.connect(bench.folder / "control.db") as db:
        gone = db.execute("DELETE FROM wrapped_key WHERE subject LIKE ?", (f"%{user}",))
        assert gone.rowcount == 1
    await bench.reopen()


async def test_a_full_batch_of_runs_that_fail_does_not_keep_the_next_from_its_end(bench):
    """An approval that nobody gave means no, whatever became of a hundred others."""
    _budgeted(bench)
    bench.always("require_approval")
    for number in range(BATCH_MAX):
        await _ask(bench, f"gone {number}", user_id="gone")
    bench.ambient.pass_seconds(1)
    await _ask(bench, "honest")
    await _erase(bench, "gone")
    bench.ambient.pass_seconds(700)

    done = [await bench.timers.step() for _ in range(3)]

    assert done == [0, 1, 0]
    assert (await _action(bench, "honest")).status == "stopped"
    assert (await _action(bench, "gone 0")).status == "asked"


async def test_a_record_that_cannot_be_read_keeps_no_other_from_being_settled(bench):
    """However many are broken, the next look passes over all of them, and they are counted."""
    _budgeted(bench, effects=("read",))
    bench.always()
    for number in range(BATCH_MAX + 3):
        await _ask(bench, f"broken {number}")
    bench.ambient.pass_seconds(1)
    await _ask(bench, "honest")
    broken = [run_id_of("prj_1", "production", f"broken {n}") for n in range(BATCH_MAX + 3)]
    with contextlib.closing(sqlite3.connect(bench.folder / "journal.db")) as db:
        db.executemany("UPDATE action SET record = x'c1' WHERE run_id = ?", [(r,) for r in broken])
        db.commit()
    bench.ambient.pass_seconds(700)

    done = [await bench.timers.step() for _ in range(3)]

    assert sum(done) == 1
    assert (await _action(bench, "honest")).status == "in_doubt"
    assert (await bench.journal.figures()).set_aside == BATCH_MAX + 3
    assert await bench.journal.due_reservations(bench.ambient.now_ns(), 10) == []


async def test_what_failed_is_tried_again_later(bench):
    _budgeted(bench)
    bench.always("require_approval")
    await _ask(bench, "one", user_id="ann")
    bench.ambient.pass_seconds(700)
    journal = FailingJournal(bench.journal)
    timers = Timers(journal, bench.ambient)
    assert await timers.step() == 0
    journal.failing = False

    bench.ambient.pass_seconds(59)
    assert await timers.step() == 0
    bench.ambient.pass_seconds(2)
    assert await timers.step() == 1


async def test_the_loop_outlives_a_journal_that_cannot_be_read_and_stops_when_told(bench):
    """A loop that ends would end the gateway."""
    timers = Timers(UnreadableJournal(), bench.ambient)
    stop = asyncio.Event()
    loop = asyncio.create_task(timers.run(stop))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not loop.done()

    stop.set()
    await loop


async def test_gauges_that_cannot_be_read_do_not_end_the_gateway(bench):
    """The loop of the gauges is one of those whose end is the gateway's."""
    await bench.journal.close()
    stop = asyncio.Event()
    gateway: Any = SimpleNamespace(parts=SimpleNamespace(journal=bench.journal))
    loop = asyncio.create_task(_measure(gateway, bench.metrics, stop))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not loop.done()

    stop.set()
    await loop
    await bench.reopen()


async def test_an_approval_that_ends_leaves_alone_an_action_it_does_not_belong_to(bench):
    """The action was let through by a later judgement: only that one's end counts for it."""
    _budgeted(bench)
    bench.always("require_approval")
    await bench.check(
        run={"id": "r"}, action={"id": "act_1", "attempt": "1"}, arguments={"amount": 5}
    )
    bench.always()
    await bench.check(
        run={"id": "r"}, action={"id": "act_1", "attempt": "2"}, arguments={"amount": 5}
    )
    bench.ambient.pass_seconds(599)

    assert await bench.timers.step() == 0
    assert (await _action(bench, "r")).status == "let_through"


async def test_what_waits_for_an_approval_is_settled_by_its_end_alone(bench):
    """More approvals than one batch end at once: none of them becomes `in_doubt`."""
    _budgeted(bench)
    bench.always("require_approval")
    for number in range(BATCH_MAX + 5):
        await _ask(bench, f"run {number}")
    bench.ambient.pass_seconds(601)

    assert await bench.timers.step() == BATCH_MAX
    assert await bench.timers.step() == 5

    statuses = {(await _action(bench, f"run {n}")).status for n in range(BATCH_MAX + 5)}
    assert statuses == {"stopped"}


@pytest.mark.parametrize(
    ("effects", "left"),
    [
        (["read"], {}),
        (["network"], {}),
        (["read", "network"], {}),
        (["write"], {"held": 5}),
        (["exec"], {"held": 5}),
        (["access"], {"held": 5}),
        (["read", "payment"], {"held": 5}),
    ],
)
async def test_in_doubt_counts_as_spent_unless_the_call_could_only_read(bench, effects, left):
    """N8: spending that may have happened is never given back on a guess."""
    _budgeted(bench, effects=effects)
    await _ask(bench, "r")
    bench.ambient.pass_seconds(601)

    assert await bench.timers.step() == 1

    action = await _action(bench, "r")
    assert action.status == "in_doubt"
    assert list(action.reservations.values()) == list(left.values())


class FailingJournal:
    """The journal, of which each append fails for a while."""

    def __init__(self, journal) -> None:
        self._journal = journal
        self.failing = True

    def __getattr__(self, name):
        return getattr(self._journal, name)

    async def append(self, append):
        if self.failing:
            raise StorageFailure("the disk is full")
        return await self._journal.append(append)


class UnreadableJournal:
    """A journal with rows that nobody can decode."""

    def __getattr__(self, name):
        async def unreadable(*_):
            raise ValueError("a row cannot be decoded")

        return unreadable

"""The log on PostgreSQL: one of several workers tells witnesses of it, and old events are found."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from gateway.audit.log.witnesses import FolderWitness
from gateway.storage.server.postgres.ledger import open_ledger
from tests.contract.ledger.test_witnessing import recorded, seen, signing, witnessing
from tests.ledger.events import PROJECT
from tests.make import FixedAmbient

__all__ = ["signing"]


@pytest.fixture
async def another(place):
    ledger = await open_ledger(place.worker, "worker")
    yield ledger
    await ledger.close()


async def test_another_goes_on_when_the_one_who_tells_ends(worker, another, signing, tmp_path):
    await signing.create(FixedAmbient())
    await recorded(worker, 1, 2)
    first, second = (
        witnessing(
            each,
            signing,
            FolderWitness(tmp_path / "seen"),
            own=partial(each.own_witnessing, f"wrk_{number}"),
        )
        for number, each in enumerate((worker, another))
    )
    assert await first.step()
    assert await second.step()
    untold, at = dict(second.figures.checkpoints), second.figures.witnessed_at
    stopped = asyncio.Event()
    stopped.set()
    await first.run(stopped)
    await recorded(worker, 3, 3)
    assert await second.step()
    assert await first.step()

    assert not untold
    assert at < 0
    assert first.figures.checkpoints == second.figures.checkpoints == {"folder pushed": 1}
    assert await seen(tmp_path / "seen", PROJECT, signing) == [2, 3]


async def test_one_who_died_is_replaced_when_its_time_is_over(worker, another):
    assert await worker.own_witnessing("wrk_1", 0.3)
    assert not await another.own_witnessing("wrk_2", 60)
    await asyncio.wait_for(took_over(another, "wrk_2"), 30)
    assert not await worker.own_witnessing("wrk_1", 60)


async def took_over(ledger, name: str) -> None:
    while True:
        if await ledger.own_witnessing(name, 60):
            return
        await asyncio.sleep(0.05)


async def test_an_event_of_the_release_before_is_found_in_the_log(worker, place):
    await recorded(worker, 1, 4)
    leaves = await worker.leaves(PROJECT, 0, 10)
    async with place.superuser() as connection:
        await connection.execute("UPDATE checkrein.event SET leaves = NULL WHERE seq < 3")

    places = [await worker.place(PROJECT, "run_1", n, each) for n, each in enumerate(leaves, 1)]

    assert places == [0, 1, 2, 3]

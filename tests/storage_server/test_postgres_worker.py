"""The worker as it is, with its ledger on PostgreSQL."""

from __future__ import annotations

import random
from contextlib import suppress

import msgspec
import pytest

from gateway.audit.verify import verify
from gateway.domain.events import Event
from gateway.errors import StorageFailure
from gateway.worker.auditing import Auditor
from tests.ledger import events
from tests.ledger.events import PROJECT
from tests.worker.rig import Crash, Flaky, Rig, Unruly
from tests.worker.test_exactly_once import RUNS, appended


@pytest.fixture
async def rig(tmp_path):
    opened = await Rig(tmp_path).open()
    yield opened
    await opened.close()


async def ids(ledger, run_id: str) -> list[str]:
    stored = await ledger.events(PROJECT, run_id)
    return [msgspec.json.decode(each.record, type=Event).id for each in stored]


@pytest.mark.parametrize("seed", range(4))
async def test_every_event_is_recorded_exactly_once(rig, worker, seed):
    """D2: the worker dies around any store call, is started again, and gets claims twice."""
    chance = random.Random(seed)
    given = await appended(rig, chance, 20)

    drain = Unruly(rig.drain, chance)
    for _ in range(400):
        stores = {"drain": Flaky(drain, chance), "ledger": Flaky(worker, chance)}
        recorder = rig.recorder(batch=chance.randint(1, 12), **stores)
        with suppress(Crash, StorageFailure):
            for _ in range(chance.randint(1, 4)):
                await recorder.step()
        if not await rig.waiting():
            break

    assert {run_id: await ids(worker, run_id) for run_id in RUNS} == given
    found = await verify(worker, rig.keyring.run_secret)
    assert (found.ok, found.twice, found.sealed) == (True, 0, 0)


async def test_what_was_touched_is_found_without_anybody_asking(rig, worker, place):
    given = await appended(rig, random.Random(1), 10)
    recorder = rig.recorder(ledger=worker)
    await recorder.drain()
    auditor = Auditor(worker, rig.keyring.run_secret, recorder.figures)
    for _ in RUNS:
        await auditor.step()
    assert (recorder.figures.audited, recorder.figures.broken) == (len(RUNS), 0)
    assert sum(map(len, given.values())) == recorder.figures.recorded

    async with place.superuser() as connection:
        await connection.execute("UPDATE checkrein.event SET hash = sha256('x') WHERE seq = 1")
    for _ in RUNS:
        await auditor.step()

    assert recorder.figures.broken == len(RUNS)


async def test_what_an_older_release_filed_otherwise_is_no_broken_chain(rig, worker, place):
    """The metric is for a record that was touched; `checkrein verify` names the run."""
    await appended(rig, random.Random(2), 10)
    recorder = rig.recorder(ledger=worker)
    await recorder.drain()
    async with place.superuser() as connection:
        await connection.execute("DELETE FROM checkrein.run_fact")

    auditor = Auditor(worker, rig.keyring.run_secret, recorder.figures)
    for _ in RUNS:
        await auditor.step()

    assert (recorder.figures.audited, recorder.figures.broken) == (len(RUNS), 0)
    assert not (await verify(worker)).ok


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM checkrein.run_fact WHERE kind = 'model'",
        "UPDATE checkrein.run_cost SET amount = 4",
        "UPDATE checkrein.artifact SET path = 'b.txt'",
    ],
)
async def test_what_a_run_is_found_by_is_held_against_its_events(worker, place, statement):
    drafts = [
        events.started(),
        events.observed("model_call", id="m-1", cost={"value": 5, "currency": "usd"}),
        events.observed("artifact", {"name": "n"}, path="a.txt", access="written"),
    ]
    await worker.record(events.persists(drafts, run_id="run_1"), {})
    assert (await verify(worker)).ok

    async with place.superuser() as connection:
        await connection.execute(statement)
    (problem,) = (await verify(worker)).bad[0].problems
    await worker.refile(PROJECT, "run_1")

    assert (problem.kind, problem.seq) == ("filed", 0)
    assert (await verify(worker)).ok

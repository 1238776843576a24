"""Whatever dies and whatever is handed out twice: every event is in the ledger, once, in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from gateway.audit.verify import verify
from gateway.errors import StorageFailure
from tests.ledger import events
from tests.ledger.events import PROJECT
from tests.worker.rig import Crash, Flaky, Rig, Unruly

RUNS = ("run_1", "run_2", "run_3")


async def appended(rig: Rig, chance: random.Random, count: int) -> dict[str, list[str]]:
    """What the gateway appended, by run, in order."""
    given: dict[str, list[str]] = {run_id: [] for run_id in RUNS}
    for n in range(count):
        run_id = chance.choice(RUNS)
        drafts = [events.decided({"amount": n % 3}), events.draft()][: chance.randint(1, 2)]
        await rig.append(run_id, *drafts)
        given[run_id] += [draft.id for draft in drafts]
    return given


@pytest.mark.parametrize("seed", range(50))
async def test_every_event_is_recorded_exactly_once(rig, seed):
    """D2: the worker dies around any store call, is started again, and gets claims twice."""
    chance = random.Random(seed)
    given = await appended(rig, chance, 20)

    drain = Unruly(rig.drain, chance)
    for _ in range(400):
        stores = {"drain": Flaky(drain, chance), "ledger": Flaky(rig.ledger, chance)}
        sizes = {"batch": chance.randint(1, 12), "at_once": chance.randint(1, 5)}
        recorder = rig.recorder(**sizes, **stores)
        with suppress(Crash, StorageFailure):
            for _ in range(chance.randint(1, 4)):
                await recorder.step()
        if not await rig.waiting():
            break

    assert {run_id: await rig.stored_ids(run_id) for run_id in RUNS} == given
    found = await verify(rig.ledger, rig.keyring.run_secret)
    assert (found.ok, found.twice, found.sealed) == (True, 0, 0)
    assert await rig.waiting() == 0


async def test_claims_in_the_wrong_order_are_recorded_in_the_right_one(rig):
    """Nothing is taken for lost that was handed out behind what follows it."""
    given = await appended(rig, random.Random(5), 30)

    class Backwards(Unruly):
        async def claim(self, limit: int):
            return list(reversed(await rig.drain.claim(limit)))

    recorder = rig.recorder(drain=Backwards(rig.drain, random.Random(6)))
    await recorder.drain()

    assert {run_id: await rig.stored_ids(run_id) for run_id in RUNS} == given
    assert recorder.figures.missing == 0


async def test_recording_goes_on_while_the_gateway_appends(rig):
    stop = asyncio.Event()
    recording = asyncio.create_task(rig.recorder(idle_seconds=0.001).run(stop))

    given = await appended(rig, random.Random(1), 200)
    for _ in range(6000):
        if not await rig.waiting():
            break
        await asyncio.sleep(0.005)
    stop.set()
    await recording

    assert {run_id: await rig.stored_ids(run_id) for run_id in RUNS} == given


async def test_what_was_settled_is_in_the_ledger_first(rig):
    """D1: settling comes after recording, so a crash between them loses nothing."""
    given = await appended(rig, random.Random(2), 10)

    class DiesBeforeSettling(Unruly):
        async def settle(self, claims) -> None:
            raise Crash

    recorder = rig.recorder(drain=DiesBeforeSettling(rig.drain, random.Random(3)))
    with suppress(Crash):
        await recorder.step()

    assert await rig.waiting() > 0
    await rig.recorder().drain()
    assert {run_id: await rig.stored_ids(run_id) for run_id in RUNS} == given


async def test_a_store_that_is_away_is_waited_for(rig):
    """D4: nothing is lost and nothing is set aside while the ledger cannot be written."""
    given = await appended(rig, random.Random(4), 30)

    class Away:
        calls = 0

        async def record(self, batch, secrets):
            Away.calls += 1
            if Away.calls < 120:
                raise StorageFailure("disk full")
            return await rig.ledger.record(batch, secrets)

        async def last_seq(self, project_id, run_id):
            return await rig.ledger.last_seq(project_id, run_id)

    recorder = rig.recorder(ledger=Away())
    while Away.calls < 120:
        with suppress(StorageFailure):
            await recorder.step()
    await recorder.drain()

    assert {run_id: await rig.stored_ids(run_id) for run_id in RUNS} == given
    assert (recorder.figures.unreadable, recorder.figures.missing) == (0, 0)


async def test_the_content_of_what_was_recorded_opens_again(rig):
    await rig.append("run_1", events.started(), events.decided({"amount": 5}))
    await rig.recorder().drain()

    found = await verify(rig.ledger, rig.keyring.run_secret)

    assert (found.ok, found.sealed) == (True, 0)
    assert await rig.ledger.secret(PROJECT, "run_1") is not None


async def test_figures_tell_what_was_recorded_and_how_old_it_was(rig):
    recorder = rig.recorder()
    await rig.append("run_1", events.draft(), events.draft())
    rig.ambient.pass_seconds(7)

    await recorder.step()

    assert recorder.figures.recorded == 2
    assert recorder.figures.lag_seconds == 7.0
    await recorder.step()
    assert recorder.figures.lag_seconds == 0.0

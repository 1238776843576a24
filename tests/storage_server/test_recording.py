"""From two gateways through two workers into one ledger: everything, once, in order."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from gateway.domain.events import Event
from gateway.errors import StorageFailure
from gateway.storage.embedded.ledger import open_ledger
from gateway.worker.recorder import Recorder
from tests.contract import appends as make
from tests.ledger import events
from tests.worker.rig import Crash, Flaky

RUNS = [f"run_{number}" for number in range(20)]


@pytest.mark.parametrize("seed", range(2))
async def test_workers_that_die_at_any_call_record_every_event_once(everywhere, tmp_path, seed):
    """D2: a crash hands the claims out again, and a partition changes its owner meanwhile."""
    chance = random.Random(seed)
    ledger = await open_ledger(tmp_path / "ledger.db")
    journals = [everywhere.journal, await everywhere.another_journal()]
    drains = [await everywhere.another_drain(lease_seconds=0.2) for _ in range(2)]
    appended: dict[str, dict[int, str]] = {run: {} for run in RUNS}
    done = asyncio.Event()

    async def gateway(journal) -> None:
        for run in RUNS * 6:
            drafts = [events.draft() for _ in range(chance.randint(1, 3))]
            first = await make.done(journal, make.append(run, drafts))
            appended[run] |= {first + n: draft.id for n, draft in enumerate(drafts)}

    async def worker(drain) -> None:
        empty = 0
        while not done.is_set() or empty < 3:
            recorder = Recorder(
                Flaky(drain, chance), ledger, everywhere.keyring.run_secret, everywhere.ambient
            )
            try:
                settled = await recorder.step()
            except (Crash, StorageFailure):
                continue
            waiting = (await everywhere.journal.figures()).waiting
            everywhere.ambient.pass_seconds(2)
            empty = 0 if settled or waiting else empty + 1
            await asyncio.sleep(0.01 * chance.random())

    workers = [asyncio.create_task(worker(drain)) for drain in drains]
    await asyncio.gather(*(gateway(journal) for journal in journals))
    done.set()
    await asyncio.gather(*workers)

    for run in RUNS:
        stored = await ledger.events("prj_1", run)
        found = [msgspec.json.decode(each.record, type=Event) for each in stored]
        assert {event.seq: event.id for event in found} == appended[run]
        assert {event.epoch for event in found} == {0}
        assert [event.prev_hash for event in found[1:]] == [each.hash for each in stored[:-1]]
    await ledger.close()

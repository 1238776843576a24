"""Recording on PostgreSQL: exactly once, never forked, nothing lost, and tampering is found."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from gateway.audit.verify import verify
from gateway.errors import StorageFailure
from gateway.storage.ports import Persist
from gateway.storage.server.postgres.ledger import PostgresLedger, open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists
from tests.servers import postgres

RUN = (PROJECT, "run_1")


def history(run_id: str, count: int = 12) -> list[Persist]:
    drafts = [events.started(name=run_id)]
    while len(drafts) < count:
        decision_id = events.new_id("dec")
        drafts += [events.decided({"n": len(drafts)}, decision_id=decision_id)]
        drafts += [events.resulted(decision_id), events.asked(events.new_id("apr"))]
    return persists(drafts[:count], run_id=run_id)


def secrets(batch: list[Persist]) -> dict[tuple[str, str], bytes]:
    return {(each.event.project_id, each.event.run_id): WRAPPED for each in batch}


@pytest.mark.parametrize("seed", range(4))
async def test_two_workers_with_the_same_events_store_them_once(place, worker, seed):
    """D2 (reliability): whoever is faster, and however the batches are cut."""
    chance = random.Random(seed)
    runs = [history(f"run_{n}") for n in range(6)]
    mixed = [each for group in zip(*runs, strict=True) for each in group]
    other = await open_ledger(place.worker, "worker")

    async def record(ledger: PostgresLedger, sizes: random.Random) -> int:
        start = stored = 0
        while start < len(mixed):
            size = sizes.randint(1, 30)
            stored += await ledger.record(mixed[start : start + size], secrets(mixed))
            start += size
        return stored

    counts = await asyncio.gather(
        *(record(each, random.Random(chance.random())) for each in (worker, other, worker))
    )

    assert sum(counts) == len(mixed)
    found = await verify(worker, open_secret)
    assert (found.ok, found.events, found.twice) == (True, len(mixed), 0)
    await other.close()


async def test_two_histories_of_a_run_recorded_at_once_never_fork_its_chain(place, worker):
    other = await open_ledger(place.worker, "worker")
    one, two = history("run_1"), history("run_1")

    await asyncio.gather(worker.record(one, secrets(one)), other.record(two, secrets(two)))

    found = await verify(worker, open_secret)
    assert (found.ok, found.events, found.twice) == (True, 24, 1)
    await other.close()


async def test_a_killed_server_loses_nothing_that_was_recorded():
    """D1 (reliability): `record` returns behind the commit, and the commit behind the fsync."""
    server = postgres.fresh()
    chance = random.Random(7)
    try:
        await server.prepare()
        place = postgres.Place(server, await server.database())
        ledger = await open_ledger(place.worker, "worker")
        batches = [history(f"run_{n}", 30) for n in range(60)]
        done = 0
        for _ in range(4):
            # The journal hands out again what was not settled.
            left = batches[max(done - 1, 0) :]
            recording = asyncio.create_task(record_until_killed(ledger, left))
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            await asyncio.to_thread(server.kill)
            acknowledged = await recording
            done = max(done, max(done - 1, 0) + acknowledged)
            await asyncio.to_thread(server.start)
            for batch in batches[:done]:
                assert await ledger.last_seq(PROJECT, batch[0].event.run_id) == 30
        for batch in batches:
            await ledger.record(batch, secrets(batch))

        found = await verify(ledger, open_secret)

        assert (found.ok, found.runs, found.events) == (True, 60, 1800)
        await ledger.close()
    finally:
        server.remove()


async def record_until_killed(ledger: PostgresLedger, batches: list[list[Persist]]) -> int:
    """How many batches `record` returned for."""
    done = 0
    with contextlib.suppress(StorageFailure):
        for batch in batches:
            await ledger.record(batch, secrets(batch))
            done += 1
    return done


EVENT = "checkrein.event WHERE run_id = 'run_1'"
TAMPERING = {
    "a byte of a record": (
        "UPDATE checkrein.event SET record = set_byte(record, 20, 65) WHERE seq = 4",
        {"chain", "record", "columns", "row", "gap", "content"},
    ),
    "a record and its hash": (
        """UPDATE checkrein.event SET record = forged.record, hash = sha256(forged.record)
           FROM (SELECT replace(convert_from(record, 'UTF8'), 'stripe.refund', 'stripe.charge')
               ::bytea AS record FROM checkrein.event WHERE seq = 5) AS forged
           WHERE seq = 5""",
        {"chain", "columns"},
    ),
    "an event taken out": (f"DELETE FROM {EVENT} AND seq = 4", {"chain", "gap", "row"}),
    "the last events cut off": (f"DELETE FROM {EVENT} AND seq > 8", {"row"}),
    "all events but the row": (f"DELETE FROM {EVENT}", {"row"}),
    "two events exchanged": (
        """UPDATE checkrein.event SET seq = CASE seq WHEN 4 THEN 1004 ELSE 4 END
           WHERE seq IN (4, 5);
           UPDATE checkrein.event SET seq = 5 WHERE seq = 1004""",
        {"chain", "columns"},
    ),
    "an event moved to another run": (
        "UPDATE checkrein.event SET run_id = 'run_2' WHERE run_id = 'run_1' AND seq = 12",
        {"row", "chain", "columns", "content"},
    ),
    "an event moved to another day": (
        "UPDATE checkrein.event SET run_day = '2026-11-21' WHERE run_id = 'run_1' AND seq = 12",
        {"row"},
    ),
    "a column": ("UPDATE checkrein.event SET enforced = 'block' WHERE seq = 2", {"columns"}),
    "content": (
        "UPDATE checkrein.blob SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)",
        {"content"},
    ),
    "content taken away": ("DELETE FROM checkrein.blob", {"content"}),
    "a run's row": ("UPDATE checkrein.run SET blocked = 7", {"row"}),
    "a run's row taken away": ("DELETE FROM checkrein.run", {"row"}),
    "a run's day": ("UPDATE checkrein.run SET run_day = '2026-11-21'", {"row"}),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_what_an_administrator_changes_is_found(place, worker, what):
    """A superuser may do anything, unseen by the database; verification sees it."""
    statement, kinds = TAMPERING[what]
    batch = history("run_1")
    await worker.record(batch, secrets(batch))
    assert (await verify(worker, open_secret)).ok
    async with place.superuser() as connection:
        await connection.execute(statement)
    auditor = await open_ledger(place.worker, "worker")

    found = await verify(auditor, open_secret)

    assert not found.ok
    assert {problem.kind for report in found.bad for problem in report.problems} <= kinds | {"gap"}
    await auditor.close()


async def test_a_run_whose_row_was_taken_away_goes_on_in_its_chain(place, worker):
    """A lost row is a finding; what comes after it is recorded all the same."""
    batch = history("run_1")
    await worker.record(batch[:6], secrets(batch))
    async with place.superuser() as connection:
        await connection.execute("DELETE FROM checkrein.run")
    other = await open_ledger(place.worker, "worker")

    assert await other.record(batch[6:], secrets(batch)) == 6

    (report,) = (await verify(other, open_secret)).bad
    assert {problem.kind for problem in report.problems} == {"row"}
    assert report.events == 12
    await other.close()


async def test_an_event_that_is_refused_says_nothing_of_rows(worker):
    batch = history("run_1")
    broken = Persist(batch[0].event, {"frame": (batch[1].event.id, short_key(batch[1]))})

    with pytest.raises(StorageFailure) as refused:
        await worker.record([broken], secrets(batch))

    assert str(refused.value) == "an event cannot be stored (SQLSTATE 23514)"


def short_key(persist: Persist):
    import msgspec

    blob = next(iter(persist.blobs.values()))[1]
    return msgspec.structs.replace(blob, key="00")


async def test_a_batch_larger_than_a_transaction_is_recorded_in_parts(worker):
    batch = [each for n in range(110) for each in history(f"run_{n}", 25)]

    assert await worker.record(batch, secrets(batch)) == len(batch) == 2750

    assert (await verify(worker, open_secret)).ok

"""The feed on PostgreSQL forgets what is old, and says so to one who was away that long."""

from __future__ import annotations

import asyncio

import asyncpg

from gateway.storage.server.postgres.kept import Kept
from gateway.storage.server.postgres.writes import store
from tests.ledger import events
from tests.ledger.events import PROJECT, persist, persists

AGE = "UPDATE checkrein.feed SET made_at = now() - $1::text::interval WHERE place <= $2"


async def test_nothing_shows_up_behind_a_place_that_was_seen(worker, reader):
    """A transaction that took its places first and is slow to commit: the others wait for it, or
    whoever follows would be past its events when they come."""
    # The day of all of these runs has its partitions, which nobody then has to wait for.
    await worker.record(persists([events.started()], run_id="run_before"), {})
    before = await reader.feed_end(PROJECT)
    slow = persists([events.started(), events.draft()], run_id="run_slow")
    async with worker._database.across() as connection:
        await store(connection, slow, {}, Kept())
        other = asyncio.create_task(worker.record(persists([events.started()]), {}))
        # Long enough for one that does not wait.
        await asyncio.wait([other], timeout=1.0)
        seen = await reader.feed(PROJECT, before, 10)
    await other

    rest = await reader.feed(PROJECT, seen.reached, 10)

    assert len(seen.events) + len(rest.events) == 3


async def test_what_is_old_is_forgotten_and_missed(place, worker, reader):
    await worker.record(persists([events.started(), events.draft()]), {})
    await worker.record([persist(events.draft(), 3)], {})
    async with place.superuser() as connection:
        await connection.execute(AGE, "8 days", 2)

    await worker.maintain()
    page = await reader.feed(PROJECT, 0, 10)

    assert (page.began, page.reached, [each.place for each in page.events]) == (2, 3, [3])
    assert len(await reader.events(PROJECT, "run_1")) == 3


async def test_what_nothing_is_left_of_is_missed_too(place, worker, reader):
    await worker.record(persists([events.started(), events.draft()]), {})
    async with place.superuser() as connection:
        await connection.execute(AGE, "8 days", 2)

    await worker.maintain()
    page = await reader.feed(PROJECT, 0, 10)

    assert (page.began, page.reached, page.events) == (2, 2, [])


async def test_a_day_is_kept_whoever_trims(place, worker, reader):
    await worker.record(persists([events.started()]), {})

    connection = await asyncpg.connect(place.worker)
    await connection.fetchval("SELECT checkrein.trim_feed('0 seconds')")
    await connection.close()

    assert len((await reader.feed(PROJECT, 0, 10)).events) == 1

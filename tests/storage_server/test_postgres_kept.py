"""A part that is surely stored is not sent again, and one that is not surely so always is."""

from __future__ import annotations

from gateway.audit.verify import verify
from gateway.storage.ports import Persist
from gateway.storage.server.postgres.batch import Head
from gateway.storage.server.postgres.kept import Kept
from gateway.storage.server.postgres.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

RUN = (PROJECT, "run_1")
SECRETS = {RUN: WRAPPED}
FIRST, SECOND, OTHER = Head(1, 0, "a"), Head(2, 0, "b"), Head(2, 0, "c")


def repeating(count: int = 6) -> list[Persist]:
    """A run whose decisions say the same, so all of their parts are those of the first."""
    decided = [events.decided({"amount": 1}) for _ in range(count - 1)]
    return persists([events.started(), *decided])


async def counted(place, what: str = "count(*)") -> int:
    async with place.superuser() as connection:
        found: int = await connection.fetchval(f"SELECT {what} FROM checkrein.blob")
        return found


async def test_repeated_parts_are_sent_once(place, worker):
    """What was taken away behind the worker's back stays away: it was not sent again."""
    batch = repeating()
    for each in batch[:3]:
        await worker.record([each], SECRETS)
    assert (await verify(worker, open_secret)).ok
    async with place.superuser() as connection:
        await connection.execute("DELETE FROM checkrein.blob")

    await worker.record(batch[3:4], SECRETS)

    parts = {blob.key for _, blob in batch[3].blobs.values()}
    before = {blob.key for each in batch[:3] for _, blob in each.blobs.values()}
    assert await counted(place) == len(parts - before) < len(parts)


async def test_where_another_worker_went_on_all_parts_are_sent(place, worker):
    batch = repeating()
    other = await open_ledger(place.worker, "worker")
    await worker.record(batch[:2], SECRETS)
    await other.record(batch[2:3], SECRETS)
    async with place.superuser() as connection:
        await connection.execute("DELETE FROM checkrein.blob")

    await worker.record(batch[3:4], SECRETS)

    assert await counted(place) == len({blob.key for _, blob in batch[3].blobs.values()})
    await other.close()


async def test_a_ledger_that_lost_everything_gets_all_parts_again(place, worker):
    batch = repeating()
    await worker.record(batch, SECRETS)
    async with place.superuser() as connection:
        await connection.execute(
            "TRUNCATE checkrein.event, checkrein.blob, checkrein.run_secret, checkrein.run, "
            "checkrein.action, checkrein.approval, checkrein.run_fact, checkrein.run_cost, "
            "checkrein.artifact"
        )

    await worker.record(batch, SECRETS)

    found = await verify(worker, open_secret)
    assert (found.ok, found.events) == (True, len(batch))


async def test_what_is_there_although_it_was_taken_for_new_is_passed_over(place, worker):
    batch = repeating()
    await worker.record(batch, SECRETS)
    parts = await counted(place)
    async with place.superuser() as connection:
        await connection.execute("TRUNCATE checkrein.event, checkrein.run, checkrein.leaves")

    assert await worker.record(batch, SECRETS) == len(batch)

    found = await verify(worker, open_secret)
    assert (found.ok, found.events) == (True, len(batch))
    assert await counted(place) == parts


def test_parts_are_known_only_where_the_chain_ends_as_it_was_left():
    kept = Kept()
    assert kept.of(RUN, None) == set()
    kept.keep(RUN, None, FIRST, {"x"})

    assert kept.of(RUN, FIRST) == {"x"}
    assert kept.of(RUN, SECOND) == kept.of(RUN, None) == set()


def test_parts_add_up_along_the_chain_and_not_beside_it():
    kept = Kept()
    kept.keep(RUN, None, FIRST, {"x"})
    kept.keep(RUN, FIRST, SECOND, {"y"})
    assert kept.of(RUN, SECOND) == {"x", "y"}

    kept.keep(RUN, FIRST, OTHER, {"z"})

    assert kept.of(RUN, OTHER) == {"z"}
    assert kept.of(RUN, SECOND) == set()


def test_a_run_is_known_whole_only_from_its_first_event_on():
    kept = Kept()
    assert kept.whole(RUN, None)
    kept.keep(RUN, None, FIRST, {"x"})
    kept.keep(RUN, FIRST, SECOND, {"y"})
    assert kept.whole(RUN, SECOND)
    assert not kept.whole(RUN, OTHER)

    kept.keep(RUN, OTHER, Head(3, 0, "d"), {"z"})

    assert not kept.whole(RUN, Head(3, 0, "d"))


def test_memory_is_bounded():
    kept = Kept(most=10)
    for number in range(100):
        kept.keep(
            (PROJECT, f"run_{number}"), None, FIRST, {f"{number}a", f"{number}b", f"{number}c"}
        )

    known = [n for n in range(100) if kept.of((PROJECT, f"run_{n}"), FIRST)]
    assert known == [97, 98, 99]

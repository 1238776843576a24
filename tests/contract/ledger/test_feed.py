"""What the Ledger port promises to one who follows a project: every event once, as committed."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.domain.events import Event
from gateway.storage.ports import Ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, persist, persists


async def followed(ledger: Ledger, project_id: str = PROJECT, after: int = 0, limit: int = 3):
    """(run, seq) of all events behind a place, read in small pages; and the place at the end."""
    found: list[tuple[str, int]] = []
    while after < await ledger.feed_end(project_id):
        page = await ledger.feed(project_id, after, limit)
        assert page.began == after
        assert page.reached > after or not page.events
        assert len(page.events) <= limit
        found += [named(each.record) for each in page.events]
        after = page.reached
    return found, after


def named(record: bytes) -> tuple[str, int]:
    event = msgspec.json.decode(record, type=Event)
    return event.run_id, event.seq


async def test_events_are_followed_in_the_order_of_their_commits(ledger):
    await ledger.record(persists([events.started(), events.draft()], run_id="run_b"), {})
    await ledger.record(persists([events.started()], run_id="run_a"), {})
    await ledger.record([persist(events.draft(), 3, "run_b")], {})

    found, _ = await followed(ledger)

    assert found == [("run_b", 1), ("run_b", 2), ("run_a", 1), ("run_b", 3)]


async def test_following_goes_on_from_any_place_within_a_transaction(ledger):
    batch = persists([events.draft() for _ in range(10)], run_id="run_1")
    batch += persists([events.draft() for _ in range(10)], run_id="run_2")
    await ledger.record(batch, {})
    everything, _ = await followed(ledger)

    page = await ledger.feed(PROJECT, 0, 100)
    for place, each in enumerate(page.events):
        rest, _ = await followed(ledger, after=each.place, limit=7)
        assert rest == everything[place + 1 :]


async def test_places_outlive_the_process(opened):
    first = await opened()
    await first.record(persists([events.started(), events.draft()]), {})
    _, place = await followed(first)
    await first.close()
    second = await opened()
    await second.record([persist(events.draft(), 3)], {})

    found, _ = await followed(second, after=place)

    assert found == [("run_1", 3)]
    await second.close()


async def test_what_is_delivered_again_is_followed_once(ledger):
    batch = persists([events.started(), events.draft()])
    await ledger.record(batch, {})
    await ledger.record(batch, {})

    found, _ = await followed(ledger)

    assert found == [("run_1", 1), ("run_1", 2)]


async def test_a_seq_that_was_given_twice_is_followed_under_both(ledger):
    await ledger.record(persists([events.started(), events.draft()]), {})
    await ledger.record([persist(events.draft(), 2), persist(events.draft(), 3)], {})

    found, _ = await followed(ledger)

    assert found == [("run_1", 1), ("run_1", 2), ("run_1", 2), ("run_1", 3)]


async def test_nothing_of_another_project_is_followed(ledger):
    mixed = [
        persist(events.started(), 1, f"run_{n}", project_id=project)
        for n in range(6)
        for project in (PROJECT, "prj_other")
    ]
    await ledger.record(mixed, {})

    ours, _ = await followed(ledger)
    theirs, _ = await followed(ledger, "prj_other")
    page = await ledger.feed("prj_other", 0, 100)

    assert ours == theirs == [(f"run_{n}", 1) for n in range(6)]
    assert all(b"prj_other" in each.record for each in page.events)
    assert await followed(ledger, "prj_nobody") == ([], await ledger.feed_end("prj_nobody"))


async def test_behind_the_end_there_is_nothing(ledger):
    await ledger.record(persists([events.started()]), {})
    end = await ledger.feed_end(PROJECT)

    page = await ledger.feed(PROJECT, end, 10)

    assert (page.began, page.reached, page.events) == (end, end, [])


async def test_who_follows_while_several_record_misses_nothing(opened, request):
    """Transactions that overlap become visible in the order of their places."""
    recording = [await opened()]
    if "postgres" in request.node.callspec.id:
        recording += [await opened() for _ in range(3)]
    reading = await opened() if len(recording) > 1 else recording[0]
    found: list[tuple[str, int]] = []
    done = asyncio.Event()

    async def record(ledger: Ledger, worker: int) -> None:
        for n in range(12):
            batch = persists([events.draft() for _ in range(20)], run_id=f"run_{worker}_{n}")
            await ledger.record(batch, {})

    async def follow() -> None:
        place = 0
        while True:
            ended = done.is_set()
            more, place = await followed(reading, after=place, limit=13)
            found.extend(more)
            if ended:
                return
            await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(record(ledger, n) for n, ledger in enumerate(recording)))
    done.set()
    await following

    wanted = {
        (f"run_{worker}_{n}", seq)
        for worker in range(len(recording))
        for n in range(12)
        for seq in range(1, 21)
    }
    assert len(found) == len(wanted)
    assert set(found) == wanted
    again, _ = await followed(reading)
    assert again == found
    for ledger in {id(each): each for each in (*recording, reading)}.values():
        await ledger.close()

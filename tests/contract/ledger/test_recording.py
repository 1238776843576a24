"""What the Ledger port promises to whoever records."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest
from msgspec.structs import replace

from gateway.audit import chain
from gateway.domain.events import Event
from gateway.errors import EventRefused
from gateway.storage.ports import Ledger, Persist
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, persist, persists

RUN = (PROJECT, "run_1")
SECRETS = {RUN: WRAPPED}


async def stored(ledger: Ledger, run_id: str = "run_1") -> list[Event]:
    return [
        msgspec.json.decode(each.record, type=Event)
        for each in await ledger.events(PROJECT, run_id)
    ]


def turns(count: int, first: int = 1, run_id: str = "run_1") -> list[Persist]:
    return persists([events.draft() for _ in range(count)], first, run_id)


async def test_events_are_chained_in_order(ledger):
    batch = persists([events.started(), events.decided(), events.draft()])

    assert await ledger.record(batch, SECRETS) == 3

    found = await ledger.events(*RUN)
    assert chain.first_break(chain.genesis(*RUN), found) is None
    assert [event.id for event in await stored(ledger)] == [each.event.id for each in batch]
    assert await ledger.last_seq(*RUN) == 3


async def test_the_chain_goes_on_from_batch_to_batch_and_after_a_restart(opened):
    ledger = await opened()
    await ledger.record(turns(2), SECRETS)
    await ledger.record(turns(2, first=3), SECRETS)
    await ledger.close()
    ledger = await opened()

    await ledger.record(turns(2, first=5), SECRETS)

    found = await ledger.events(*RUN)
    assert len(found) == 6
    assert chain.first_break(chain.genesis(*RUN), found) is None
    await ledger.close()


async def test_what_is_recorded_already_is_passed_over(ledger):
    """D2: delivered at least once, stored exactly once."""
    batch = turns(5)
    await ledger.record(batch, SECRETS)

    assert await ledger.record(batch[2:], SECRETS) == 0
    assert await ledger.record([*batch[3:], *turns(1, first=6), batch[0]], SECRETS) == 1

    assert [event.seq for event in await stored(ledger)] == [1, 2, 3, 4, 5, 6]


async def test_the_same_event_twice_in_one_batch_is_stored_once(ledger):
    batch = turns(2)

    assert await ledger.record([*batch, *batch], SECRETS) == 2


async def test_a_gap_is_refused_and_nothing_is_stored_behind_it(ledger):
    """design 4: a missing number proves loss, so the ledger never makes one."""
    await ledger.record(turns(2), SECRETS)

    with pytest.raises(EventRefused, match="would follow 2"):
        await ledger.record(turns(1, first=4), SECRETS)

    assert await ledger.last_seq(*RUN) == 2


async def test_a_run_does_not_begin_in_its_middle(ledger):
    with pytest.raises(EventRefused):
        await ledger.record(turns(1, first=2), SECRETS)


async def test_runs_do_not_wait_for_each_other(ledger):
    first, second = turns(3), turns(3, run_id="run_2")
    mixed = [each for pair in zip(first, second, strict=True) for each in pair]

    await ledger.record(mixed, SECRETS)

    for run_id in ("run_1", "run_2"):
        found = await ledger.events(PROJECT, run_id)
        assert chain.first_break(chain.genesis(PROJECT, run_id), found) is None


async def test_a_seq_given_out_twice_begins_a_new_epoch(ledger):
    """design 4: the second event is never dropped, and everything after it follows it."""
    before = turns(4)
    await ledger.record(before, SECRETS)
    again = turns(3, first=3)

    assert await ledger.record(again, SECRETS) == 3

    found = await stored(ledger)
    assert [(event.seq, event.epoch) for event in found] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (3, 1),
        (4, 0),
        (4, 1),
        (5, 1),
    ]
    chained = sorted(zip(found, await ledger.events(*RUN), strict=True), key=order)
    assert chain.first_break(chain.genesis(*RUN), [each for _, each in chained]) is None
    assert await ledger.last_seq(*RUN) == 5


def order(pair) -> tuple[int, int]:
    return (pair[0].epoch, pair[0].seq)


async def test_after_a_new_epoch_what_was_recorded_is_still_passed_over(ledger):
    before, again = turns(4), turns(2, first=3)
    await ledger.record([*before, *again], SECRETS)

    assert await ledger.record([*before, *again], SECRETS) == 0

    later = turns(1, first=5)
    assert await ledger.record([before[3], *later], SECRETS) == 1
    assert await ledger.record([*later, before[3]], SECRETS) == 0


async def test_an_event_of_the_lost_history_is_known_again_ahead_of_the_new_one(ledger):
    before, again = turns(5), turns(1, first=3)
    await ledger.record([*before, *again], SECRETS)

    assert await ledger.record([before[3]], SECRETS) == 0
    assert await ledger.last_seq(*RUN) == 3


async def test_a_third_history_gets_a_third_epoch(ledger):
    for _ in range(3):
        await ledger.record(turns(2), SECRETS)

    assert {event.epoch for event in await stored(ledger)} == {0, 1, 2}


async def test_pages_never_part_the_events_of_one_seq(ledger):
    await ledger.record([*turns(4), *turns(3, first=2)], SECRETS)
    seen: list[tuple[int, int]] = []
    after = 0

    while page := await ledger.events(*RUN, after, 2):
        found = [msgspec.json.decode(each.record, type=Event) for each in page]
        seen += [(event.seq, event.epoch) for event in found]
        after = found[-1].seq

    assert sorted(seen) == [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1)]


async def test_a_refused_batch_leaves_what_was_there_and_can_be_sent_again_in_part(ledger):
    batch = turns(3)
    broken = replace(batch[1].event, body=msgspec.Raw(b'"not an object"'), type="decision")

    with pytest.raises(EventRefused):
        await ledger.record([batch[0], Persist(broken, {}), batch[2]], SECRETS)
    await ledger.record(batch[:1], SECRETS)

    assert await ledger.last_seq(*RUN) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 0},
        {"seq": -1},
        {"seq": 2**70},
        {"id": "\ud800"},
        {"body": msgspec.Raw(b'{"decision_id":1}'), "type": "decision"},
    ],
)
async def test_an_event_that_cannot_be_stored_is_refused_for_good(ledger, wrong):
    """D10: a refusal is told from a store that is away, so it can be dealt with."""
    event = replace(persist(events.draft(), 1).event, **wrong)

    with pytest.raises(EventRefused):
        await ledger.record([Persist(event, {})], SECRETS)


async def test_equal_content_of_a_run_is_stored_once(ledger):
    """S1-3: a run that repeats itself takes the space of what is new."""
    batch = persists([events.decided({"amount": 1}), events.decided({"amount": 1})])

    await ledger.record(batch, SECRETS)

    first, second = await ledger.events(*RUN)
    same = "frame/action/arguments/0"
    assert first.blob_keys[same] == second.blob_keys[same]
    found = await ledger.blobs(*RUN, [first.blob_keys[same]] * 2)
    assert list(found) == [first.blob_keys[same]]


async def test_a_runs_first_wrapped_secret_stays(ledger):
    await ledger.record(turns(1), SECRETS)
    await ledger.record(turns(1, first=2), {RUN: b"another"})

    assert await ledger.secret(*RUN) == WRAPPED
    assert await ledger.secret(PROJECT, "run_2") is None


async def test_concurrent_recorders_never_fork_a_chain(ledger):
    batches = [turns(5, run_id=f"run_{n % 3}") for n in range(9)]

    await asyncio.gather(*[ledger.record(batch, {}) for batch in batches])

    for run_id in ("run_0", "run_1", "run_2"):
        found = await ledger.events(PROJECT, run_id)
        placed = sorted(zip(await stored(ledger, run_id), found, strict=True), key=order)
        assert len(placed) == 15
        assert chain.first_break(chain.genesis(PROJECT, run_id), [e for _, e in placed]) is None


async def test_a_large_batch_is_recorded_whole(ledger):
    batch = persists([events.decided({"amount": n}) for n in range(600)])

    assert await ledger.record(batch, SECRETS) == 600

    found = await ledger.events(*RUN)
    assert chain.first_break(chain.genesis(*RUN), found) is None


@pytest.mark.parametrize("seed", range(5))
async def test_a_reader_never_meets_an_event_without_its_content_or_row(ledger, seed):
    chance = random.Random(seed)
    batches = [persists([events.decided() for _ in range(8)], first) for first in range(1, 80, 8)]
    recording = asyncio.create_task(record_all(ledger, batches))

    while not recording.done():
        found = await ledger.events(*RUN, 0, chance.randint(1, 100))
        keys = {key for event in found for key in event.blob_keys.values()}
        assert keys == (await ledger.blobs(*RUN, sorted(keys))).keys()
        row = await ledger.run(*RUN)
        assert (row["events"] if row else 0) >= len(found)
        await asyncio.sleep(0)
    await recording


async def record_all(ledger: Ledger, batches: list[list[Persist]]) -> None:
    for batch in batches:
        await ledger.record(batch, SECRETS)

"""Several workers on one Redis: each partition has one owner, and nothing is removed unrecorded."""

from __future__ import annotations

import asyncio

import pytest

from gateway.storage import record
from gateway.storage.server.redis.keys import pack
from tests.contract import appends as make
from tests.servers import redis
from tests.servers.waiting import eventually


async def test_workers_share_the_partitions_and_hand_out_nothing_twice(everywhere):
    """design 4: a partition of the journal has one owner at a time."""
    other = await everywhere.another_drain(lease_seconds=1.0)
    mine = await everywhere.another_drain(lease_seconds=1.0)
    for number in range(200):
        await make.done(everywhere.journal, make.append(f"run_{number}"))

    async def look():
        owned = [len(await drain._owning.owned()) for drain in (mine, other)]
        return owned, [await drain.claim(1000) for drain in (mine, other)]

    _, claims = await eventually(look, lambda found: found[0] == [32, 32])

    runs = [{claim.run_id for claim in each} for each in claims]
    assert runs[0] & runs[1] == set()
    assert runs[0] | runs[1] == {f"run_{number}" for number in range(200)}


async def test_what_a_silent_worker_held_goes_to_another_and_its_own_settling_is_refused(rig):
    """The fencing token: a worker that slept past its lease removes nothing any more."""
    slept = await rig.another_drain(lease_seconds=0.3)
    heir = await rig.another_drain(lease_seconds=0.3)
    await make.done(rig.journal, make.append())
    before = await slept.claim(10)
    await asyncio.sleep(0.4)

    taken = await heir.claim(10)
    await slept.settle(before)

    assert [claim.seq for claim in before] == [claim.seq for claim in taken] == [1]
    assert (await rig.journal.figures()).waiting == 1
    assert await heir.claim(10) == taken
    await heir.settle(taken)
    assert await heir.claim(10) == []


async def test_a_worker_that_stops_hands_over_at_once(rig):
    await make.done(rig.journal, make.append())
    leaving = await rig.another_drain(lease_seconds=60.0)
    assert len(await leaving.claim(10)) == 1
    waiting = await rig.another_drain(lease_seconds=60.0)

    assert await waiting.claim(10) == []
    await leaving.close()
    waiting._owning._renew_at = 0.0

    assert len(await waiting.claim(10)) == 1


async def test_a_worker_that_is_gone_is_replaced_when_its_leases_end(rig):
    gone = await rig.another_drain(lease_seconds=0.3)
    for number in range(20):
        await make.done(rig.journal, make.append(f"run_{number}"))
    assert len(await gone.claim(100)) == 20
    heir = await rig.another_drain(lease_seconds=0.3)

    found = await eventually(lambda: heir.claim(100), lambda claims: len(claims) == 20)

    assert {claim.run_id for claim in found} == {f"run_{number}" for number in range(20)}


async def test_only_what_is_settled_is_removed_from_the_log(rig):
    """2.1: never trimmed on write, and behind what is recorded only, in whatever order."""
    for _ in range(6):
        await make.done(rig.journal, make.append())
    claims = await rig.drain.claim(10)

    await rig.drain.settle([claims[0], claims[3], claims[1]])

    partition = rig.journal._places.of(("prj_1", "run_1"))
    with redis.shared().client() as client:
        assert client.xlen(partition.log) == 3
    assert [claim.seq for claim in await rig.drain.claim(10)] == [3, 5, 6]


async def test_a_long_backlog_of_one_run_is_drained_in_order(rig):
    """One partition has all of it, and the look at the others finds nothing."""
    for number in range(40):
        await make.done(rig.journal, make.append(drafts=[make.draft() for _ in range(25)]))
        if number % 10 == 0:
            await make.done(rig.journal, make.append("run_2"))
    seqs: list[int] = []

    while claims := await rig.drain.claim(256):
        assert len(claims) <= 256
        seqs += [claim.seq for claim in claims if claim.run_id == "run_1"]
        await rig.drain.settle(claims)

    assert seqs == list(range(1, 1001))


async def test_bytes_that_say_not_even_whose_they_are_hold_nobody_up(rig):
    """D10: they are kept aside for a person, and the records behind them come."""
    partition = rig.journal._places.of(("prj_1", "run_1"))
    slot = partition.slot
    await make.done(rig.journal, make.append())
    await rig.journal._routes.call(slot, pack("XADD", partition.log, "*", "e", b"\xc1junk"))
    last = make.append()
    await make.done(rig.journal, last)

    claims = await rig.drain.claim(10)

    assert [claim.seq for claim in claims] == [1, 2]
    assert record.decode(claims[1].raw)[0].id == last.drafts[0].id
    await rig.drain.settle(claims)
    assert await rig.drain.claim(10) == []
    with redis.shared().client() as client:
        aside = client.xrange(partition.key(b"aside")) or []
    assert [fields for _, fields in aside] == [{b"e": b"\xc1junk"}]


async def test_bytes_that_cannot_be_read_are_counted_as_waiting(rig):
    """D10: with no worker to set them aside, they keep no gateway from saying what waits."""
    partition = rig.journal._places.of(("prj_1", "run_1"))
    slot = partition.slot
    await rig.journal._routes.call(slot, pack("XADD", partition.log, "*", "e", b"\xc1junk"))
    await make.done(rig.journal, make.append())

    figures = await rig.journal.figures()

    assert figures.waiting == 2


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_no_more_is_claimed_than_was_asked_for(rig, limit):
    for number in range(30):
        await make.done(rig.journal, make.append(f"run_{number}"))

    assert len(await rig.drain.claim(limit)) == min(limit, 30)


async def test_a_claim_is_bounded_in_bytes_and_goes_on_where_it_ended(rig):
    """D5: records as large as an agent can make them do not fill the worker's memory."""
    large = 400_000
    for _ in range(8):
        content = {"frame": b"[" + b"1" * large + b"]"}
        await make.done(rig.journal, make.append(drafts=[make.draft(content=content)]))

    seen = []
    while claims := await rig.drain.claim(1024):
        assert sum(len(claim.raw) for claim in claims) <= 3 * large
        seen += [claim.seq for claim in claims]
        await rig.drain.settle(claims)

    assert seen == list(range(1, 9))

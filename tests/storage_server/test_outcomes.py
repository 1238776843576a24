"""What becomes of an append whose reply is lost: it is there once, and is told from the others."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import StorageFailure
from gateway.storage.ports import Appended
from gateway.storage.server.redis.lane import NotSent, OutcomeUnknown
from tests.contract import appends as make
from tests.servers import redis
from tests.servers.proxy import Proxy


@pytest.fixture
async def proxy():
    opened = await Proxy(redis.shared().port).open()
    yield opened
    await opened.close()


@pytest.fixture
async def proxied(proxy, on):
    """A rig behind the proxy, with a short deadline, warmed up by one append."""
    rig = await on(proxy.url, seconds=0.5).open()
    await make.done(rig.journal, make.append())
    await rig.drain.claim(10)
    yield rig
    await rig.close()


async def test_a_connection_that_breaks_after_the_append_hides_nothing(proxy, proxied):
    """2.1: the outcome is unknown, so it is sent again, and Redis knows it already."""
    proxy.fail("reset on reply")

    outcome = await proxied.journal.append(make.append())

    assert outcome == Appended(2, "fsync")
    assert [claim.seq for claim in await proxied.drain.claim(10)] == [1, 2]
    assert await make.done(proxied.journal, make.append()) == 3


async def test_an_append_that_may_have_happened_is_never_called_not_sent(proxy, proxied):
    """The connection breaks after it, and so does the next one, before it is sent again."""
    wanted = make.append()
    proxy.fail("reset on reply", 2)

    with pytest.raises(OutcomeUnknown):
        await proxied.journal.append(wanted)

    assert await proxied.journal.append(wanted) == Appended(2, "fsync")


async def test_a_halt_whose_first_answer_is_lost_is_told_below_all_the_same(proxy, proxied):
    """Sent again it would look as if the runs below had been told, which nobody has done."""
    other = await proxied.another_journal()
    await make.done(other, make.starting("run_leaf", parent_run_id="run_1"))
    await make.done(other, make.decision("act_1", "run_leaf")[0])

    proxy.fail("reset on reply")
    await make.done(proxied.journal, make.halting())

    assert await make.refused(other, make.decision("act_2", "run_leaf")[0]) == "halted"


async def test_a_lost_reply_is_a_failure_and_the_same_append_then_gets_its_true_place(
    proxy, proxied
):
    wanted = make.append(drafts=[make.draft(), make.draft()])
    proxy.fail("drop replies", 1000)
    with pytest.raises(OutcomeUnknown):
        await proxied.journal.append(wanted)
    proxy.fail("none")
    await make.done(proxied.journal, make.append())

    again = await proxied.journal.append(wanted)

    assert again == Appended(2, "fsync")
    assert [claim.seq for claim in await proxied.drain.claim(10)] == [1, 2, 3, 4]


async def test_the_true_place_is_known_after_the_worker_settled_it(proxy, proxied):
    wanted = make.append()
    proxy.fail("drop replies", 1000)
    with pytest.raises(OutcomeUnknown):
        await proxied.journal.append(wanted)
    proxy.fail("none")
    await proxied.drain.settle(await proxied.drain.claim(10))

    assert await proxied.journal.append(wanted) == Appended(2, "fsync")
    assert await proxied.drain.claim(10) == []


@pytest.mark.parametrize(("fault", "times"), [("drop replies", 1000), ("reset on reply", 2)])
async def test_what_a_lost_append_holds_is_counted_once_whatever_became_of_it(
    proxy, proxied, fault, times
):
    """Its hold stays until it is seen whether the decision came: then it is moved, once."""
    journal = proxied.journal
    await journal.gather(make.wish("dec_1", 5))
    wanted, _ = make.decision("act_1", reservation_id="dec_1", confirm={"daily": 5})
    proxy.fail(fault, times)
    with pytest.raises(OutcomeUnknown):
        await journal.append(wanted)
    await journal.forget("dec_1")
    proxy.fail("none")

    assert (await journal.gather(make.wish("dec_look", 0))).used == {"daily": 5}
    for _ in range(3):
        await journal.tend()
        await asyncio.sleep(0.05)

    assert (await journal.gather(make.wish("dec_look", 0))).used == {"daily": 5}


@pytest.mark.parametrize("fault", ["drop replies", "garbage", "refuse", "reset on reply"])
async def test_every_fault_is_a_storage_failure_in_time_and_passes(proxy, proxied, fault):
    """D4: nothing hangs, nothing else is raised, and afterwards all is as before."""
    proxy.fail(fault, 1000)

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(
            *(proxied.journal.append(make.append(f"run_{number}")) for number in range(20)),
            *(proxied.journal.gather(make.ask(f"run_{number}")) for number in range(20)),
            return_exceptions=True,
        )

    assert {isinstance(outcome, StorageFailure) for outcome in outcomes[20:]} == {True}
    proxy.fail("none")
    assert isinstance(await proxied.journal.append(make.append("run_new")), Appended)


async def test_a_server_that_stands_still_costs_a_deadline_and_no_more(server, on):
    """A stopped process keeps its connections: only the deadline tells."""
    rig = await on(server.url, seconds=0.25).open()
    await make.done(rig.journal, make.append())
    server.pause()

    async with asyncio.timeout(2):
        outcomes = await asyncio.gather(
            *(rig.journal.append(make.append(f"run_x{number}")) for number in range(50)),
            *(rig.journal.append(make.append("run_y")) for _ in range(50)),
            return_exceptions=True,
        )

    assert all(isinstance(outcome, StorageFailure) for outcome in outcomes)
    server.go_on()
    assert await make.done(rig.journal, make.append()) == 2
    await rig.close()


async def test_a_server_that_is_away_is_named(on):
    rig = on(f"redis://127.0.0.1:{redis.free_port()}/0")

    with pytest.raises(NotSent, match=r"127\.0\.0\.1"):
        await rig.open()
    await rig.control.close()

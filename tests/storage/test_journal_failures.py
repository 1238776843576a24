"""What fails between the memory and the disk: nothing that did not happen is believed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from gateway.domain.run_state import StateChange
from gateway.errors import StorageFailure
from gateway.storage.embedded.journal import EmbeddedJournal
from gateway.storage.ports import Reserve
from tests.contract import appends as make
from tests.contract.backends import EmbeddedHot


@pytest.fixture
async def hot(tmp_path):
    opened = await EmbeddedHot(tmp_path).open()
    yield opened
    await opened.close()


async def test_a_counter_that_cannot_be_read_leaves_no_hole_in_the_run(hot):
    """D1: the append fails before anything changes; the next one takes the next place."""
    made = await _confirmed(hot, "act_1", 5)
    await hot.reopen()
    closed = make.record("act_1", made.event_id, decision_id=made.decision_id, status="executed")
    closing = make.append(
        changes=(StateChange(closed=closed),), settle_action="act_1", release={"daily": 5}
    )

    with _unreadable_counters(hot), pytest.raises(StorageFailure):
        await hot.journal.append(closing)

    assert (await hot.journal.gather(make.ask())).version == 1
    assert await make.done(hot.journal, closing) == 2
    assert await _used(hot, "daily") == 0
    await hot.reopen()
    assert [claim.seq for claim in await hot.drain.claim(10)] == [1, 2]


async def test_a_counter_that_cannot_be_read_leaves_nothing_reserved(hot):
    """R10: what a check did not get it does not hold, or the budget would shrink for ever."""
    assert await _used(hot, "daily") == 0
    wishes = (Reserve("daily", 5), Reserve("monthly", 5))

    with _unreadable_counters(hot), pytest.raises(StorageFailure):
        await hot.journal.gather(make.ask(reserve=wishes, reservation_id="dec_1"))

    assert await _used(hot, "daily") == 0


async def test_what_was_gathered_before_a_failed_write_is_not_appended_after_it(hot):
    """D1: a judgement that rests on an event that never became durable is made again."""
    await make.done(hot.journal, make.append("run_other"))
    await _refuse_writes(hot, True)
    lost = asyncio.create_task(hot.journal.append(make.append()))
    while (seen := await hot.journal.gather(make.ask())).version == 0:  # noqa: ASYNC110  a step
        await asyncio.sleep(0)
    with pytest.raises(StorageFailure):
        await lost
    await _refuse_writes(hot, False)

    wanted = make.append(gathered_version=1, gathered_generation=seen.generation)
    assert await make.refused(hot.journal, wanted) == "predicate"

    again = await hot.journal.gather(make.ask())
    assert again.version == 0
    wanted = make.append(gathered_generation=again.generation)
    assert await make.done(hot.journal, wanted) == 1


def _embedded(hot: EmbeddedHot) -> EmbeddedJournal:
    assert isinstance(hot.journal, EmbeddedJournal)
    return hot.journal


@contextlib.contextmanager
def _unreadable_counters(hot: EmbeddedHot):
    """SQLite refuses to read the counters, and nothing else."""

    def allowed(_action, table, *_rest):
        return sqlite3.SQLITE_DENY if table == "counter" else sqlite3.SQLITE_OK

    reader = _embedded(hot)._reader
    reader.set_authorizer(allowed)
    try:
        yield
    finally:
        reader.set_authorizer(None)


async def _refuse_writes(hot: EmbeddedHot, refuse: bool) -> None:
    """SQLite refuses to write events, or does no more."""

    def allowed(action, table, *_rest):
        writes = action == sqlite3.SQLITE_INSERT and table == "event"
        return sqlite3.SQLITE_DENY if writes else sqlite3.SQLITE_OK

    await _embedded(hot)._writer.run(lambda db: db.set_authorizer(allowed if refuse else None))


async def _confirmed(hot: EmbeddedHot, action_id: str, amount: int):
    await hot.journal.gather(make.wish("dec_1", amount))
    wanted, made = make.decision(
        action_id,
        of={"reservations": {"daily": amount}},
        reservation_id="dec_1",
        confirm={"daily": amount},
    )
    await make.done(hot.journal, wanted)
    return made


async def _used(hot: EmbeddedHot, key: str) -> int:
    gathered = await hot.journal.gather(make.wish("dec_look", 0, key))
    await hot.journal.forget("dec_look")
    return gathered.used[key]

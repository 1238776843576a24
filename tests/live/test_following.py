"""Followers upon a ledger alone: what is missing is said, and what is known is not asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.errors import BadRequest
from gateway.live.following import Following
from gateway.live.hub import POLL_SECONDS, Hub
from gateway.live.messages import LiveMessage
from gateway.live.pages import Item
from gateway.live.places import WHOLE, At, Places
from gateway.storage.embedded.ledger import EmbeddedLedger, open_ledger
from gateway.storage.ports import Persist
from tests.ledger import events
from tests.ledger.events import PROJECT, persist

KEY = bytes(range(32))


@pytest.fixture
async def ledger(tmp_path: Path):
    opened = await open_ledger(tmp_path / "ledger.db")
    yield opened
    await opened.close()


def begun(*runs: str, **more: str) -> list[Persist]:
    return [persist(events.started(), 1, run, **more) for run in runs]


async def heard(following: Following, count: int) -> list[LiveMessage]:
    found: list[Item] = []
    while len(found) < count:
        found += await following.more(5.0)
    return [msgspec.json.decode(each.data, type=LiveMessage) for each in found]


def runs_of(messages: Sequence[LiveMessage]) -> list[str | None]:
    return [each.run_id for each in messages]


async def test_one_who_is_too_far_behind_has_a_gap_told(ledger: EmbeddedLedger) -> None:
    """And goes on from there: the gap's id is where it is then."""
    hub = Hub(ledger, KEY, behind_max=5)
    async with hub.following(PROJECT) as first:
        place = first.told(LiveMessage(id="", type="ready")).id
    await ledger.record(begun(*(f"run_{n}" for n in range(10))), {})

    async with hub.following(PROJECT, place) as following:
        (gap,) = await heard(following, 1)
        await ledger.record(begun("run_next"), {})
        (told,) = await heard(following, 1)

    assert (gap.type, following.gaps, told.run_id) == ("gap", 1, "run_next")
    async with hub.following(PROJECT, gap.id) as again:
        assert runs_of(await heard(again, 1)) == ["run_next"]


async def test_one_who_is_less_behind_misses_nothing(ledger: EmbeddedLedger) -> None:
    hub = Hub(ledger, KEY, behind_max=10)
    async with hub.following(PROJECT) as first:
        place = first.told(LiveMessage(id="", type="ready")).id
    names = [f"run_{n}" for n in range(10)]
    await ledger.record(begun(*names), {})

    async with hub.following(PROJECT, place) as following:
        assert runs_of(await heard(following, 10)) == names


async def test_of_an_event_that_was_told_in_part_the_rest_is_told(ledger: EmbeddedLedger) -> None:
    """Also by a gateway that has told nothing of it."""
    async with Hub(ledger, KEY).following(PROJECT) as first:
        await ledger.record([*begun("run_1"), persist(events.decided(enforced="halt"), 2)], {})
        told = await heard(first, 3)
    assert [each.type for each in told] == ["run_created", "action_created", "run_halted"]

    for place in range(2):
        async with Hub(ledger, KEY).following(PROJECT, told[place].id) as again:
            assert await heard(again, 2 - place) == told[place + 1 :]


async def test_a_ledger_that_was_set_back_is_a_gap(ledger: EmbeddedLedger, tmp_path: Path) -> None:
    """Its places are given out again: what was heard under them is something else now."""
    hub = Hub(ledger, KEY)
    await ledger.record(begun("run_1", "run_2", "run_3"), {})
    async with hub.following(PROJECT) as first:
        place = first.told(LiveMessage(id="", type="ready")).id
    backup = await open_ledger(tmp_path / "backup.db")
    await backup.record(begun("run_1"), {})

    async with Hub(backup, KEY).following(PROJECT, place) as following:
        (gap,) = await heard(following, 1)
        await backup.record(begun("run_other"), {})
        (told,) = await heard(following, 1)

    assert (gap.type, told.run_id) == ("gap", "run_other")
    await backup.close()


async def test_many_follow_with_one_tail_and_after_them_nobody_asks(
    ledger: EmbeddedLedger,
) -> None:
    """The ledger is asked for all of them together, and no more once they have left."""
    counting = _Counting(ledger)
    hub = Hub(counting, KEY)
    async with hub.following(PROJECT) as one, hub.following(PROJECT) as other:
        await ledger.record(begun("run_1"), {})
        assert runs_of(await heard(one, 1)) == runs_of(await heard(other, 1)) == ["run_1"]
        assert counting.pages == 1
    asked = counting.ends

    await ledger.record(begun("run_2"), {})
    await asyncio.sleep(3 * POLL_SECONDS)

    assert (counting.ends, counting.pages) == (asked, 1)


async def test_an_id_is_one_projects_and_says_nothing(ledger: EmbeddedLedger) -> None:
    ours, theirs = Places(KEY, PROJECT), Places(KEY, "prj_other")
    at: At = (7, WHOLE)

    assert ours.read(ours.write(at)) == at
    assert ours.write(at) == Places(KEY, PROJECT).write(at) != theirs.write(at)
    with pytest.raises(BadRequest):
        theirs.read(ours.write(at))
    with pytest.raises(BadRequest):
        Places(bytes(32), PROJECT).read(ours.write(at))


class _Counting:
    """The ledger, and how often it was asked."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.ends = self.pages = 0
        self._ledger = ledger
        self.run = ledger.run

    async def feed_end(self, project_id: str):
        self.ends += 1
        return await self._ledger.feed_end(project_id)

    async def feed(self, project_id: str, after: int, limit: int):
        self.pages += 1
        return await self._ledger.feed(project_id, after, limit)

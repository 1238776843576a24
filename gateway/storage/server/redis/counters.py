"""Shared counters: each in a slot of its own, held tentatively before an append, moved after it.

What an append moves is stored with it, in the run's slot, and applied to the counters afterwards
by whoever comes first; a counter remembers the moves it knows, so that each is applied once. A
hold past its deadline is settled by looking in the run's slot: its moves are applied, or it is
void.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.errors import StorageFailure
from gateway.storage.ports import Append, Reserve
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.functions import MOVE, MOVED, RELEASE, RESERVE, RESOLVE
from gateway.storage.server.redis.keys import Key, Partition, Places, key_of, pack, place_of
from gateway.storage.server.redis.lane import Reply
from gateway.storage.server.redis.routes import Routes
from gateway.telemetry import logger

HELD_SECONDS = 30
# An append that comes later than this does not rely on its hold any more.
RELIED_ON = 0.5
MOVES_KNOWN_MS = 600_000
HOLDS_MAX = 65_536
DAY = 86_400
# A month, a day, an hour or a minute: how long a counter whose key ends so is kept.
_WINDOW = re.compile(r"[0-9]{4}-[0-9]{2}(?P<day>-[0-9]{2}(T[0-9]{2}(:[0-9]{2})?)?)?")

_log = logger("journal")
_count = itertools.count()


class _Hold(Struct):
    """What a check holds: counter -> (amount, used by others when it was asked for)."""

    project_id: str
    name: str
    place: bytes
    until: float
    amounts: dict[str, tuple[int, int]]


class Asked(Struct, frozen=True):
    """A reservation on its way."""

    key: str
    slot: int
    counter: bytes
    command: bytes
    reply: asyncio.Future[Reply]


class Counters:
    """The counters of all projects. `held_seconds` is the deadline of a tentative hold."""

    def __init__(
        self, routes: Routes, places: Places, ambient: Ambient, held_seconds: int = HELD_SECONDS
    ) -> None:
        self._routes = routes
        self._places = places
        self._ambient = ambient
        self._held_seconds = held_seconds
        self._holds: dict[str, _Hold] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, run: Key, reservation_id: str, wishes: Sequence[Reserve]) -> list[Asked]:
        """Ask for these amounts in the place of what the id held. `answered` waits for them."""
        self.forget(reservation_id)
        if not wishes:
            return []
        # A name of its own for each time: one that became void is void for ever.
        name = f"{reservation_id}.{next(_count)}"
        until = self._ambient.monotonic() + RELIED_ON * self._held_seconds
        amounts = {wish.key: (wish.amount, 0) for wish in wishes}
        hold = _Hold(run[0], name, place_of(run), until, amounts)
        asked = [self._ask(hold, wish.key, wish.amount) for wish in wishes]
        self._holds[reservation_id] = hold
        if len(self._holds) > HOLDS_MAX:
            # Forgotten here, it ends at its deadline.
            del self._holds[next(iter(self._holds))]
        return asked

    async def answered(self, reservation_id: str, asked: Sequence[Asked]) -> dict[str, int]:
        """What others use of each counter. Raises StorageFailure."""
        hold = self._holds.get(reservation_id)
        used: dict[str, int] = {}
        for each in asked:
            used[each.key] = await self._answer(each)
            if hold is not None:
                hold.amounts[each.key] = (hold.amounts[each.key][0], used[each.key])
        return used

    def forget(self, reservation_id: str) -> None:
        """Release what the id holds tentatively. What fails is released at its deadline."""
        hold = self._holds.pop(reservation_id, None)
        if hold is None:
            return
        for key in hold.amounts:
            try:
                slot, counter = self._places.counter(hold.project_id, key)
                command = RELEASE((counter,), hold.name)
                self._later(self._done(slot, command, self._routes.start(slot, command)))
            except StorageFailure:
                continue

    def leave(self, reservation_id: str) -> None:
        """Keep what the id holds until its deadline, when it is seen what became of it."""
        self._holds.pop(reservation_id, None)

    async def covered(self, append: Append) -> str | None:
        """The hold that covers what the append confirms; None: judge again.

        Not, when there is none or it is old; nor when more is wanted than was held and others
        have come in between.
        """
        if not append.confirm:
            return ""
        hold = self._holds.get(append.reservation_id)
        if hold is None or hold.project_id != append.project_id:
            return None
        if (
            self._ambient.monotonic() > hold.until
            or not append.confirm.keys() <= hold.amounts.keys()
        ):
            return None
        for key, amount in append.confirm.items():
            held, seen = hold.amounts[key]
            if amount > held:
                used = await self._answer(self._ask(hold, key, amount))
                if used > seen:
                    return None
                hold.amounts[key] = (amount, seen)
        return hold.name

    def appended(self, append: Append, partition: Partition, move: bytes) -> None:
        """Move what the append moves, and release what it held besides."""
        amounts = moved(append)
        hold = self._holds.get(append.reservation_id)
        if hold is not None and append.confirm:
            for key in append.confirm:
                hold.amounts.pop(key, None)
        if amounts:
            self._apply(partition, move, append.project_id, hold.name if hold else "", amounts)
        if append.reservation_id:
            self.forget(append.reservation_id)

    async def sweep(self, partition: Partition) -> int:
        """Apply what is still to be moved of a partition's appends; return how many appends."""
        command = pack("HGETALL", partition.key(b"moves"))
        found = await self._routes.call(partition.slot, command, "slow")
        for move, value in zip(found[::2], found[1::2], strict=True):
            self._apply_stored(partition, move, value.partition(b"\n")[2])
        return len(found) // 2

    async def close(self) -> None:
        """Release what is held, and wait for what is under way."""
        for reservation_id in list(self._holds):
            self.forget(reservation_id)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ask(self, hold: _Hold, key: str, amount: int) -> Asked:
        slot, counter = self._places.counter(hold.project_id, key)
        command = RESERVE(
            (counter,), hold.name, amount, self._held_seconds, hold.place, _kept_seconds(key)
        )
        return Asked(key, slot, counter, command, self._routes.start(slot, command))

    async def _answer(self, asked: Asked) -> int:
        reply = await self._routes.finish(asked.slot, asked.command, asked.reply)
        used, overdue = reply
        for hold, place in zip(overdue[::2], overdue[1::2], strict=True):
            self._later(self._resolve(asked, hold, place))
        return int(used)

    async def _resolve(self, asked: Asked, hold: bytes, place: bytes) -> None:
        """Settle a hold past its deadline by what became of its decision."""
        partition = self._places.of(key_of(place))
        found = await self._routes.call(partition.slot, RESOLVE(partition.keys, hold))
        if found:
            self._apply_stored(partition, found[0], found[1])
            return
        await self._routes.call(asked.slot, RELEASE((asked.counter,), hold))

    def _apply_stored(self, partition: Partition, move: bytes, value: bytes) -> None:
        try:
            stored = rows.decode_moves(value)
        except rows.UNREADABLE as error:
            _log.error("moves_unreadable", problem=str(error))
            return
        self._apply(partition, move, stored.project_id, stored.hold, stored.amounts)

    def _apply(
        self,
        partition: Partition,
        move: bytes,
        project_id: str,
        hold: str,
        amounts: Mapping[str, int],
    ) -> None:
        """Queue the moves at once, so that a later gather of this gateway comes after them."""
        asked = []
        counters = []
        try:
            for key, amount in amounts.items():
                slot, counter = self._places.counter(project_id, key)
                known = counter + b"|moved"
                command = MOVE((counter, known), move, amount, hold, _kept_seconds(key))
                asked.append((slot, command, self._routes.start(slot, command)))
                counters.append((slot, known))
        except StorageFailure as failure:
            # They are stored with the append: the next sweep applies them.
            _log.warning("moves_delayed", problem=str(failure))
            return
        self._later(self._applied(partition, move, asked, counters))

    async def _applied(
        self,
        partition: Partition,
        move: bytes,
        asked: list[tuple[int, bytes, asyncio.Future[Reply]]],
        counters: list[tuple[int, bytes]],
    ) -> None:
        for slot, command, reply in asked:
            await self._routes.finish(slot, command, reply)
        await self._routes.call(partition.slot, pack("HDEL", partition.key(b"moves"), move))
        for slot, known in counters:
            await self._routes.call(slot, MOVED((known,), move, MOVES_KNOWN_MS))

    async def _done(self, slot: int, command: bytes, reply: asyncio.Future[Reply]) -> None:
        await self._routes.finish(slot, command, reply)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def moved(append: Append) -> dict[str, int]:
    """What an append adds to each counter."""
    amounts = dict(append.confirm)
    for key, amount in append.release.items():
        amounts[key] = amounts.get(key, 0) - amount
    return amounts


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """What fails here is made good at a deadline or by a sweep."""
    try:
        await work
    except StorageFailure as failure:
        _log.warning("counter_delayed", problem=str(failure))


def _kept_seconds(key: str) -> int:
    """How long a counter is kept after it was used last; 0 for ever."""
    window = _WINDOW.fullmatch(key.rpartition("|")[2])
    if window is None:
        return 0
    return 4 * DAY if window["day"] else 64 * DAY

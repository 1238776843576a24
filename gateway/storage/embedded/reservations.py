"""Shared counters: what is spent, and what calls that are being judged may spend.

Tentative reservations live in memory alone: a crash releases them, which is right, since nothing
of those calls was appended. Confirmed ones are totals on disk, written with the decision.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from msgspec import Struct, field

from gateway.storage.embedded import journal_rows as rows
from gateway.storage.ports import Reserve

COUNTERS_MAX = 65_536
TOTAL_MAX = 2**53 - 1
Place = tuple[str, str]


def run_of(key: str) -> str | None:
    """The run whose own counter it is: one of that run alone, for as long as it lasts."""
    parts = key.rsplit("|", 2)
    if len(parts) < 3 or parts[2] != "run" or not parts[1].startswith("run="):
        return None
    return unquote(parts[1].removeprefix("run="))


class _Counter(Struct):
    """`total` counts writes that are under way, of which there are `pending`."""

    total: int
    pending: int = 0
    tentative: dict[str, int] = field(default_factory=dict)

    def used(self, reservation_id: str) -> int:
        """Everything but what this reservation holds."""
        others = sum(self.tentative.values()) - self.tentative.get(reservation_id, 0)
        return min(self.total + others, TOTAL_MAX)


class _Reservation(Struct):
    """What a check holds, and how much it saw used by others: key -> (amount, used)."""

    project_id: str
    held: dict[str, tuple[int, int]]


class Reservations:
    """All counters of the data folder, by project and key."""

    def __init__(self, reader: sqlite3.Connection, most: int = COUNTERS_MAX) -> None:
        self._reader = reader
        self._most = most
        self._counters: OrderedDict[Place, _Counter] = OrderedDict()
        self._reservations: dict[str, _Reservation] = {}

    def reserve(
        self, project_id: str, reservation_id: str, wishes: Sequence[Reserve]
    ) -> dict[str, int]:
        """Hold these amounts in the place of what the id held; return what others use."""
        self.forget(reservation_id)
        used: dict[str, int] = {}
        held: dict[str, tuple[int, int]] = {}
        # Every counter is read before any is changed: a read that fails holds nothing.
        counters = [self._counter((project_id, wish.key)) for wish in wishes]
        for wish, counter in zip(wishes, counters, strict=True):
            used[wish.key] = counter.used(reservation_id)
            held[wish.key] = (wish.amount, used[wish.key])
        if held:
            self._reservations[reservation_id] = _Reservation(project_id, held)
        for wish, counter in zip(wishes, counters, strict=True):
            counter.tentative[reservation_id] = wish.amount
        return used

    def forget(self, reservation_id: str) -> None:
        """Release what the id holds tentatively."""
        reservation = self._reservations.pop(reservation_id, None)
        if reservation is None:
            return
        for key in reservation.held:
            # A counter that is held is in memory.
            counter = self._counters.get((reservation.project_id, key))
            if counter is not None:
                counter.tentative.pop(reservation_id, None)

    def covers(self, project_id: str, reservation_id: str, amounts: Mapping[str, int]) -> bool:
        """Whether these amounts may be confirmed.

        Not, when the reservation was lost with a failed write; nor when more is wanted than was
        held and others have come in between.
        """
        if not amounts:
            return True
        reservation = self._reservations.get(reservation_id)
        if reservation is None or reservation.project_id != project_id:
            return False
        for key, amount in amounts.items():
            if key not in reservation.held:
                return False
            held, seen = reservation.held[key]
            if amount > held and self._counter((project_id, key)).used(reservation_id) > seen:
                return False
        return True

    def load(self, project_id: str, keys: Iterable[str]) -> None:
        """Bring counters into memory, so that `begin` on them reads nothing and cannot fail."""
        for key in keys:
            self._counter((project_id, key))

    def lacking(self, project_id: str, held: Mapping[str, int]) -> dict[str, int]:
        """What the counters lack of what a run holds there that came back from the ledger.

        Its own counters are right once they say what it holds; of others it is known that the
        amounts went with a lost journal.
        """
        found: dict[str, int] = {}
        for key, amount in held.items():
            there = self._counter((project_id, key)).total if run_of(key) else 0
            if amount != there:
                found[key] = amount - there
        return found

    def leave(self, places: Iterable[Place]) -> list[Place]:
        """Those that nobody is using; they are forgotten here, to be deleted on disk."""
        going = []
        for place in places:
            counter = self._counters.get(place)
            if counter is None or not (counter.pending or counter.tentative):
                self._counters.pop(place, None)
                going.append(place)
        return going

    def begin(self, project_id: str, amounts: Mapping[str, int]) -> None:
        """Add to the totals; the same amounts are on their way to the disk until `written`."""
        for key, amount in amounts.items():
            counter = self._counter((project_id, key))
            counter.total = max(-TOTAL_MAX, min(TOTAL_MAX, counter.total + amount))
            counter.pending += 1

    def written(self, project_id: str, amounts: Mapping[str, int]) -> None:
        for key in amounts:
            self._counters[(project_id, key)].pending -= 1

    def clear(self) -> None:
        """Forget what may never have reached the disk, and every tentative reservation."""
        self._counters.clear()
        self._reservations.clear()

    def _counter(self, place: Place) -> _Counter:
        counter = self._counters.get(place)
        if counter is not None:
            self._counters.move_to_end(place)
            return counter
        found = self._reader.execute(rows.SELECT_COUNTER, place).fetchall()
        counter = self._counters[place] = _Counter(found[0][0] if found else 0)
        self._trim()
        return counter

    def _trim(self) -> None:
        """Counters in use stay, so that nothing that only memory knows is lost."""
        while len(self._counters) > self._most:
            place, oldest = next(iter(self._counters.items()))
            if oldest.pending or oldest.tentative or len(self._counters) == 1:
                self._counters.move_to_end(place)
                return
            del self._counters[place]

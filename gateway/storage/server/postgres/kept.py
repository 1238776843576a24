"""Which content parts of a run this worker has stored, so that a repeated one is not sent again.

Parts are stored in the transaction of the event that has them. So a database in which a run's
chain ends with the event that this worker recorded last holds all parts that it recorded before
that, whatever happened to the server meanwhile; where the chain ends otherwise, nothing is
known. Parts go only with their run, and then its chain goes, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set as AbstractSet

from msgspec import Struct

from gateway.storage.server.postgres.batch import Head, Place

KEYS_MAX = 100_000
_NOTHING: frozenset[str] = frozenset()


class _Kept(Struct):
    """The storage keys of a run's parts, and the end of its chain when they had been stored.

    `whole` when the run has no others: this worker recorded it from its first event.
    """

    head: Head
    keys: set[str]
    whole: bool


class Kept:
    """The runs recorded last: at most about so many parts of them together."""

    def __init__(self, most: int = KEYS_MAX) -> None:
        self._most = most
        self._runs: OrderedDict[Place, _Kept] = OrderedDict()
        self._count = 0

    def of(self, place: Place, head: Head | None) -> AbstractSet[str]:
        """The keys of parts that are surely stored, for a run whose chain ends so."""
        known = self._runs.get(place)
        return known.keys if known is not None and known.head == head else _NOTHING

    def whole(self, place: Place, head: Head | None) -> bool:
        """Whether `of` names all parts of the run, so that another one is surely not stored."""
        known = self._runs.get(place)
        return head is None or (known is not None and known.head == head and known.whole)

    def keep(self, place: Place, before: Head | None, after: Head, keys: set[str]) -> None:
        """What a transaction that was committed has stored: parts and the chain's new end."""
        whole = self.whole(place, before)
        known = self._runs.pop(place, None)
        if known is not None:
            self._count -= len(known.keys)
            if known.head == before:
                keys |= known.keys
        self._runs[place] = _Kept(after, keys, whole)
        self._count += len(keys)
        while self._count > self._most:
            _, oldest = self._runs.popitem(last=False)
            self._count -= len(oldest.keys)

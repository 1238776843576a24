"""The content that a run's agent has seen, bounded, and what of it the gateway holds already.

Not safe between threads by itself: `Observed` looks after that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

MAX_ITEMS = 1000
# What the gateway holds for one run, counted as it counts: beyond that, a reference finds nothing.
SEEN_BYTES = 1024 * 1024
ITEM_BYTES = 800
# Of what guarded calls brought back; their results are reported apart from this. Half of what the
# gateway holds stays for what the agent itself had to say.
MAX_RESULTS = 32
RESULTS_BYTES = SEEN_BYTES // 2
ITEMS_IN_CHECK = 200
_REF_BYTES = 80

Item = dict[str, Any]


class Context:
    """Items `{id, source, trusted, text}` by id, the newest last."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._bytes = 0
        self._results: OrderedDict[str, int] = OrderedDict()
        self._held: set[str] = set()

    def see(self, item: Item, *, result: bool) -> list[Item]:
        """Keep an item; the same id again is the same item. Returns what had to go untold.

        The oldest go first: of results beyond their number and size, and of all beyond what the
        gateway holds.
        """
        id_ = item["id"]
        if self._items.get(id_, item) != item:
            self._held.discard(id_)
        self._forget(id_)
        self._items[id_] = item
        self._bytes += _cost(item)
        if result:
            self._results[id_] = _cost(item)
        gone: list[Item] = []
        while len(self._results) > MAX_RESULTS or sum(self._results.values()) > RESULTS_BYTES:
            gone += self._leave(next(iter(self._results)))
        while len(self._items) > MAX_ITEMS or self._bytes > SEEN_BYTES:
            gone += self._leave(next(iter(self._items)))
        return gone

    def chosen(self, room: int) -> tuple[list[Item], int]:
        """The newest that fit, in the order in which they were seen, and the room that is left."""
        chosen: list[Item] = []
        for id_, item in reversed(self._items.items()):
            held = id_ in self._held
            cost = _REF_BYTES + len(id_) if held else len(msgspec.json.encode(item)) + 1
            if len(chosen) == ITEMS_IN_CHECK:
                break
            if cost <= room:
                chosen.append({"ref": id_} if held else item)
                room -= cost
        return chosen[::-1], room

    def hold(self, items: Iterable[Item]) -> None:
        """The gateway has these now."""
        self._held.update(item["id"] for item in items if "id" in item)

    def hold_all(self) -> list[Item]:
        """The gateway is about to have everything. Returns what it was not told yet; what a call
        brought back is in its result's report."""
        untold = [item for id_, item in self._items.items() if self._untold(id_)]
        self.hold(untold)
        return untold

    def after_fork(self) -> None:
        """In the child: what was not sent yet is the parent's to send."""
        self._held.update(self._items)

    def _leave(self, id_: str) -> list[Item]:
        gone = [self._items[id_]] if self._untold(id_) else []
        self._held.discard(id_)
        self._forget(id_)
        return gone

    def _untold(self, id_: str) -> bool:
        return id_ not in self._held and id_ not in self._results

    def _forget(self, id_: str) -> None:
        gone = self._items.pop(id_, None)
        self._results.pop(id_, None)
        self._bytes -= _cost(gone) if gone else 0


def _cost(item: Item) -> int:
    return ITEM_BYTES + 4 * (len(item["text"]) + len(item["id"]) + len(item["source"]))

"""Content that runs hold hot, so that a check may send `{"ref": id}` for what was sent before.

Bounded for each run and in all. What was cut is said in `coverage`, never guessed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from gateway.domain.check import ContextItem
from gateway.domain.frame import FrameContext
from gateway.domain.observations import ContextSeen, Observation

RUN_BYTES = 1024 * 1024
ALL_BYTES = 32 * 1024 * 1024
ITEM_BYTES = 800
RUNS_MAX = 20_000

RunKey = tuple[str, str]


class _Held(Struct):
    items: OrderedDict[str, FrameContext]
    size: int = 0


class ContextMemory:
    """Context items by run and id; the longest unused runs go first, then the oldest items."""

    def __init__(self, run_bytes: int = RUN_BYTES, all_bytes: int = ALL_BYTES) -> None:
        self._run_bytes = run_bytes
        self._all_bytes = all_bytes
        self._runs: OrderedDict[RunKey, _Held] = OrderedDict()
        self._size = 0

    def remember(
        self, run: RunKey, items: Iterable[ContextItem], events: Iterable[Observation]
    ) -> None:
        """Keep what carries an id and a text. Call it once the append that holds it is durable."""
        for item in items:
            if item.id is not None and isinstance(item.text, str):
                self._put(run, FrameContext(item.id, item.source, item.trusted, item.text))
        for event in events:
            if isinstance(event, ContextSeen) and event.id is not None:
                self._put(run, FrameContext(event.id, event.source, event.trusted, event.text))

    def resolve(
        self, run: RunKey, items: Iterable[ContextItem], events: Iterable[Observation]
    ) -> tuple[list[FrameContext], list[str]]:
        """The items with references looked up, and a coverage note for each that is not held.

        `events` are the observations of the same request: they may be referred to at once.
        """
        fresh = {
            event.id: FrameContext(event.id, event.source, event.trusted, event.text)
            for event in events
            if isinstance(event, ContextSeen) and event.id is not None
        }
        held = self._runs.get(run)
        found: list[FrameContext] = []
        lacking: list[str] = []
        for item in items:
            if isinstance(item.text, str):
                found.append(FrameContext(item.id, item.source, item.trusted, item.text))
                continue
            known = fresh.get(item.ref or "") or (held.items.get(item.ref or "") if held else None)
            if known is None:
                lacking.append(f"context:{item.ref}")
                known = FrameContext(item.ref, item.source, False, "", found=False)
            found.append(known)
        return found, lacking

    def _put(self, run: RunKey, item: FrameContext) -> None:
        assert item.id is not None
        held = self._runs.setdefault(run, _Held(OrderedDict()))
        if held.items.get(item.id) == item:
            return
        self._runs.move_to_end(run)
        self._drop(held, item.id)
        size = _cost(item)
        held.items[item.id] = item
        held.size += size
        self._size += size
        while held.size > self._run_bytes and held.items:
            self._drop(held, next(iter(held.items)))
        while self._runs and (self._size > self._all_bytes or len(self._runs) > RUNS_MAX):
            _, oldest = self._runs.popitem(last=False)
            self._size -= oldest.size

    def _drop(self, held: _Held, item_id: str) -> None:
        gone = held.items.pop(item_id, None)
        if gone is not None:
            held.size -= _cost(gone)
            self._size -= _cost(gone)


def _cost(item: FrameContext) -> int:
    """Bytes that an item takes, about: its texts at four bytes a character, and its objects."""
    return ITEM_BYTES + 4 * (len(item.text) + len(item.id or "") + len(item.source or ""))

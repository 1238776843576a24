"""Pages of the ledger as messages that are ready to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.live.messages import LiveMessage, messages_of, with_counts
from gateway.live.places import WHOLE, At, Places
from gateway.storage.ports import FeedPage

# What is made into messages without letting others go on: about two milliseconds.
PAGE_EVENTS: Final = 100
_ENDS: Final = ("run_completed", "run_failed")
# What some readers of lines take for the end of one, though it stands in a name.
_LINE_ENDS: Final = {
    each.encode(): b"\\u%04x" % ord(each) for each in ("\u0085", "\u2028", "\u2029")
}
_encode: Final = msgspec.json.Encoder().encode


class Feed(Protocol):
    """What is asked of a ledger."""

    async def feed_end(self, project_id: str) -> int: ...

    async def feed(self, project_id: str, after: int, limit: int) -> FeedPage: ...

    async def run(self, project_id: str, run_id: str) -> Mapping[str, Any] | None: ...


class Item(Struct, frozen=True):
    """A message in its place, encoded once for all who follow. `run_id` is to choose by."""

    at: At
    id: str
    type: str
    run_id: str | None
    data: bytes


class Page(Struct, frozen=True):
    """Messages in order. What lies before `began` was asked for and is not kept any more."""

    began: At
    reached: At
    items: list[Item]


class Pages:
    """One project's feed, page by page. Raises StorageFailure while the ledger is away."""

    def __init__(self, feed: Feed, project_id: str, places: Places) -> None:
        self._feed = feed
        self._project_id = project_id
        self.places = places

    async def end(self) -> At:
        """Where the feed ends now."""
        return await self._feed.feed_end(self._project_id), WHOLE

    async def behind(self, at: At) -> Page:
        """The messages behind a place, those of some events at most."""
        place, part = at
        # Of an event that was told in part, the rest comes first.
        after = place if part == WHOLE else place - 1
        found = await self._feed.feed(self._project_id, after, PAGE_EVENTS)
        items: list[Item] = []
        for event in found.events:
            for part, message in enumerate(messages_of(event.record)):
                if (event.place, part) > at:
                    items.append(await self._item((event.place, part), message))
        began = at if found.began <= after else (found.began, WHOLE)
        return Page(began, max(at, (found.reached, WHOLE)), items)

    def item(self, at: At, message: LiveMessage) -> Item:
        """A message of this place, with its id."""
        named = replace(message, id=self.places.write(at))
        data = _encode(named)
        for seen, escaped in _LINE_ENDS.items():
            data = data.replace(seen, escaped)
        return Item(at, named.id, named.type, named.run_id, data)

    async def _item(self, at: At, message: LiveMessage) -> Item:
        if message.type in _ENDS and message.run_id is not None:
            row = await self._feed.run(self._project_id, message.run_id)
            message = with_counts(message, row)
        return self.item(at, message)

"""Who follows what in this gateway: a tail for each project that has followers, and bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import StorageFailure, Unavailable
from gateway.live.following import BEHIND_MAX, Following
from gateway.live.pages import Feed, Pages
from gateway.live.places import Places
from gateway.live.tail import Tail

FOLLOWERS_MAX: Final = 256
FOLLOWERS_OF_PROJECT_MAX: Final = 64
POLL_SECONDS: Final = 0.2
ASKED_PER_SECOND: Final = 50
# Followers that read the ledger at the same moment, because they are behind.
CATCHING_UP_MAX: Final = 2


class Hub:
    """Hands out followers. `key` is a secret that all gateways of an installation share."""

    def __init__(self, feed: Feed, key: bytes, behind_max: int = BEHIND_MAX) -> None:
        self._feed = feed
        self._key = key
        self._behind_max = behind_max
        self._tails: dict[str, Tail] = {}
        self._followers = 0
        self._catching_up = asyncio.Semaphore(CATCHING_UP_MAX)

    @asynccontextmanager
    async def following(
        self, project_id: str, after: str | None = None, run_id: str | None = None
    ) -> AsyncIterator[Following]:
        """Follow a project from now on, or from behind the message whose id is `after`.

        Raises BadRequest for an id of another project, Unavailable when there are too many
        followers or the ledger is away.
        """
        tail = self._taken(project_id)
        try:
            places = tail.pages.places
            at = None if after is None else places.read(after)
            try:
                await tail.begin()
                end = await tail.pages.end()
            except StorageFailure as failure:
                detail = "The ledger is away, or cannot keep up."
                raise Unavailable("unavailable", detail, retry_after=1) from failure
            found = Following(
                tail, at or tail.reached, end, run_id, self._catching_up, self._behind_max
            )
            if at is not None and at > end:
                # A ledger that was set back to a backup gives its places out again.
                found.lost(end)
            yield found
        finally:
            await self._leave(project_id, tail)

    def _taken(self, project_id: str) -> Tail:
        tail = self._tails.get(project_id)
        of_project = 0 if tail is None else tail.followers
        if self._followers >= FOLLOWERS_MAX or of_project >= FOLLOWERS_OF_PROJECT_MAX:
            detail = "As many follow live as may; lists and runs are read as before."
            raise Unavailable("overloaded", detail, retry_after=5)
        if tail is None:
            pages = Pages(self._feed, project_id, Places(self._key, project_id))
            tail = self._tails[project_id] = Tail(pages, self._pause)
        tail.followers += 1
        self._followers += 1
        return tail

    def _pause(self) -> float:
        """However many projects are followed, the ledger is not asked more often than that."""
        return max(POLL_SECONDS, len(self._tails) / ASKED_PER_SECOND)

    async def _leave(self, project_id: str, tail: Tail) -> None:
        tail.followers -= 1
        self._followers -= 1
        if tail.followers == 0 and self._tails.get(project_id) is tail:
            del self._tails[project_id]
            await tail.stop()

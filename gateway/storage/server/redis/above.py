"""Runs above a run: a halt of one of them stops whatever would allow below it.

Runs above live in other slots, so no Function sees them together with the run. Instead a run
registers its partition with each run above it, and a halt is told to all partitions registered
there before it is appended. The append below then looks for it in its own slot. What was
looked up stays good for less time than a partition remembers a halt.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.behind import Reload
from gateway.storage.server.redis.functions import ABOVE, MARK, UNHALT, UNMARK
from gateway.storage.server.redis.keys import Key, Partition, Places, key_of, place_of
from gateway.storage.server.redis.routes import Routes

PARENTS_MAX = 16
LINKS_MAX = 65_536
GOOD_SECONDS = 300.0
# Longer than any link is good for, and than anything under way can take. Not much longer, since
# a caller may name any run as the one above.
REGISTERED_SECONDS = 3600
# A halt that was announced and has not come by then will not come any more.
HALTING_MS = 5_000


class _Link(Struct, frozen=True):
    """A run above: its own parent, and until when it may be taken for not halted."""

    parent: str | None
    halted: bool
    until: float


class Above(Struct, frozen=True):
    """The places of the runs above, and whether one is halted or they are too many to look at."""

    places: tuple[bytes, ...] = ()
    halted: bool = False


NOTHING = Above()


class Ancestry:
    """Looks upwards for appends, and tells downwards of halts."""

    def __init__(self, routes: Routes, places: Places, reload: Reload, ambient: Ambient) -> None:
        self._routes = routes
        self._places = places
        self._reload = reload
        self._ambient = ambient
        self._links: OrderedDict[tuple[Key, int], _Link] = OrderedDict()

    def clear(self) -> None:
        """Look everything up again: after a failover what was registered may be lost."""
        self._links.clear()

    async def above(self, key: Key, parent_run_id: str | None) -> Above:
        """The runs above a run, registered with each of them. Raises StorageFailure."""
        if parent_run_id is None:
            return NOTHING
        partition = self._places.of(key)
        found = [key]
        parent: str | None = parent_run_id
        halted = False
        while parent is not None and len(found) <= PARENTS_MAX + 1:
            step = (key[0], parent)
            if step in found:
                break
            found.append(step)
            link = await self._link(step, partition)
            halted = halted or link.halted
            parent = link.parent
        # Else a long enough chain of parents would be a way out of a halt.
        halted = halted or len(found) > PARENTS_MAX + 1
        return Above(tuple(place_of(step) for step in found[1:]), halted)

    async def spread(self, place: bytes, token: bytes, partitions: Sequence[bytes]) -> None:
        """Tell these partitions of a halt to come. Raises StorageFailure: then none may come."""
        below = [self._places.partitions[int(number)] for number in partitions]
        await asyncio.gather(
            *(self._routes.call(each.slot, MARK(each.keys, place, token)) for each in below)
        )

    async def stands(self, partition: Partition, mark: Sequence[bytes]) -> bool:
        """Whether the halt that a partition was told of has come, or may still come."""
        place, token, age = mark
        run = key_of(place)
        if int(age) < HALTING_MS:
            return True
        if await self._halted(run, token):
            return True
        await self._routes.call(partition.slot, UNMARK(partition.keys, place, token))
        return False

    async def _link(self, run: Key, below: Partition) -> _Link:
        remembered = self._links.get((run, below.number))
        if remembered is not None and (
            remembered.halted or self._ambient.monotonic() < remembered.until
        ):
            self._links.move_to_end((run, below.number))
            return remembered
        until = self._ambient.monotonic() + GOOD_SECONDS
        home = self._places.of(run)
        command = ABOVE(home.keys, place_of(run), below.number, REGISTERED_SECONDS)
        version, blob, halted, token, age = await self._routes.call(home.slot, command)
        if version:
            parent, _ = rows.above(blob)
            link = _Link(parent, halted == b"1", until)
        else:
            reloaded = await self._reload(*run)
            if reloaded is None:
                # It has not begun: what it will be below of is not known yet.
                return _Link(None, token != b"", 0.0)
            link = _Link(reloaded.state.parent_run_id, reloaded.state.halted, until)
        if token and not link.halted:
            coming = int(age) < HALTING_MS or await self._halted(run, token)
            return _Link(link.parent, coming, 0.0)
        self._links[(run, below.number)] = link
        while len(self._links) > LINKS_MAX:
            self._links.popitem(last=False)
        return link

    async def _halted(self, run: Key, token: bytes) -> bool:
        """Whether the run is halted. If not, a halt under this token comes no more."""
        home = self._places.of(run)
        known = await self._routes.call(home.slot, UNHALT(home.keys, place_of(run), token))
        if known >= 0:
            return bool(known)
        reloaded = await self._reload(*run)
        return reloaded is not None and reloaded.state.halted

"""A project's tree in memory as far as proofs need it: the roots of its full tiles of 256 leaves.

A log only grows, so what was worked out once stays true. The first proof reads the whole log, 32
bytes an event; later ones read what came since and a tile or two.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from gateway.audit.log import merkle
from gateway.audit.log.checkpoint import Checkpoint, origin_of
from gateway.audit.log.growing import Leaves
from gateway.audit.log.merkle import Range

TILE = 256
PAGE = 40 * TILE
PROJECTS_MAX = 64


class LogTree:
    """One project's. Roots and proofs at any size that the log has had."""

    def __init__(self, ledger: Leaves, project_id: str) -> None:
        self.origin = origin_of(project_id)
        self._ledger = ledger
        self._project_id = project_id
        # By level: a node of level n is the root of TILE * 2^n leaves.
        self._levels: list[list[bytes]] = [[]]
        self._tail: list[bytes] = []
        self._reading = asyncio.Lock()

    async def size(self) -> int:
        """How many leaves the log has now."""
        async with self._reading:
            while page := await self._ledger.leaves(self._project_id, self._known, PAGE):
                await asyncio.to_thread(self._take, page)
            return self._known

    async def checkpoint(self, size: int) -> Checkpoint:
        """How the log stood when it had this size, which it must have had."""
        root = await self._root(0, size) if size else merkle.EMPTY
        return Checkpoint(self.origin, size, root)

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        return [await self._root(*each) for each in merkle.inclusion_ranges(index, size)]

    async def consistency(self, before: int, size: int) -> list[bytes]:
        """Everything begins with the empty tree, which needs no proof."""
        wanted: list[Range] = merkle.consistency_ranges(before, size) if before else []
        return [await self._root(*each) for each in wanted]

    @property
    def _known(self) -> int:
        return TILE * len(self._levels[0]) + len(self._tail)

    def _take(self, page: Sequence[bytes]) -> None:
        self._tail += [merkle.leaf_hash(each) for each in page]
        full = len(self._tail) // TILE * TILE
        for at in range(0, full, TILE):
            self._add(merkle.full_root(self._tail[at : at + TILE]))
        del self._tail[:full]

    def _add(self, tile: bytes) -> None:
        self._levels[0].append(tile)
        level = 0
        while len(self._levels[level]) % 2 == 0:
            left, right = self._levels[level][-2:]
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(merkle.node_hash(left, right))
            level += 1

    async def _root(self, begin: int, end: int) -> bytes:
        """The root over some leaves that are a subtree: they begin at a multiple of their size."""
        size = end - begin
        if size <= TILE:
            return merkle.root(await self._leaves(begin, end))
        level = (size // TILE).bit_length() - 1
        if size == TILE << level:
            return self._levels[level][begin // size]
        middle = begin + merkle.split(size)
        return merkle.node_hash(await self._root(begin, middle), await self._root(middle, end))

    async def _leaves(self, begin: int, end: int) -> list[bytes]:
        first = TILE * len(self._levels[0])
        if begin >= first:
            return self._tail[begin - first : end - first]
        if end - begin == TILE:
            return [self._levels[0][begin // TILE]]
        found = await self._ledger.leaves(self._project_id, begin, end - begin)
        return [merkle.leaf_hash(each) for each in found]


class Logs:
    """The trees of some projects, those asked for last; of all of them without `most`."""

    def __init__(self, ledger: Leaves, most: int | None = PROJECTS_MAX) -> None:
        self._ledger = ledger
        self._most = most
        self._trees: OrderedDict[str, LogTree] = OrderedDict()

    def of(self, project_id: str) -> LogTree:
        tree = self._trees.pop(project_id, None) or LogTree(self._ledger, project_id)
        self._trees[project_id] = tree
        while self._most is not None and len(self._trees) > self._most:
            self._trees.popitem(last=False)
        return tree

"""A project's log as the ledger holds it: its root now, and whether it is what it was.

Leaves are read page by page, and the tree is kept as its frontier: any size will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gateway.audit.log import merkle
from gateway.audit.log.checkpoint import Checkpoint, origin_of
from gateway.audit.log.merkle import Frontier

PAGE = 10_000


class Leaves(Protocol):
    """A ledger that keeps each project's events in commit order."""

    async def leaves(self, project_id: str, after: int, limit: int) -> Sequence[bytes]:
        """The hashes of events, from place `after` on."""
        ...


async def checkpoint_now(
    ledger: Leaves, project_id: str, older: Iterable[Checkpoint] = ()
) -> tuple[Checkpoint, list[Checkpoint]]:
    """The log as it stands, and those of the `older` checkpoints that it does not go on from.

    A log that was cut is smaller than one of them; one that was changed has another root there.
    """
    wanted = sorted(older, key=lambda each: each.size)
    sizes = [each.size for each in wanted]
    roots: dict[int, bytes] = {0: merkle.EMPTY}
    frontier = Frontier()
    while page := await ledger.leaves(project_id, frontier.size, PAGE):
        hashes = [merkle.leaf_hash(each) for each in page]
        for size in sizes:
            if frontier.size < size <= frontier.size + len(hashes):
                part = hashes[: size - frontier.size]
                roots[size] = merkle.extended(frontier, part).root()
        frontier = merkle.extended(frontier, hashes)
    now = Checkpoint(origin_of(project_id), frontier.size, frontier.root())
    return now, _gone(wanted, roots)


async def leaf_hashes(ledger: Leaves, project_id: str, size: int) -> list[bytes]:
    """The leaf hashes of the log when it had this size, for proofs: 32 bytes an event."""
    found: list[bytes] = []
    while len(found) < size:
        page = await ledger.leaves(project_id, len(found), min(PAGE, size - len(found)))
        if not page:
            break
        found += [merkle.leaf_hash(each) for each in page]
    return found


def _gone(wanted: Iterable[Checkpoint], roots: Mapping[int, bytes]) -> list[Checkpoint]:
    return [each for each in wanted if roots.get(each.size) != each.root]

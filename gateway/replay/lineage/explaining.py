"""An explanation from the record: the run's frames read, and the call traced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.explanation import Explanation
from gateway.replay.lineage.passing import Ancestry
from gateway.replay.lineage.sources import Case
from gateway.replay.lineage.tracing import explain
from gateway.replay.lineage.trail import Trail
from gateway.replay.opening import OpenSecret, read_event
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger

# A run that is longer is explained from its last frames, and the answer says so.
FRAMES_MAX: Final = 5_000
# Of each run above, so many frames before the call, and so many behind it: a hand-off may be
# recorded late.
PARENT_FRAMES_MAX: Final = 2_000
LATER_MAX: Final = 100
READ_AT_ONCE: Final = 32


async def explained(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    action: str | None,
    pointer: str | None,
) -> Explanation | None:
    """What became of the call; None when the run has no such decision. Raises UnknownPointer."""
    after = max(0, await ledger.last_seq(project_id, run_id) - FRAMES_MAX)
    trail = Trail(action, unread=after)
    await _read(walk(ledger, open_secret, project_id, run_id, after), trail.add)
    case = trail.case()
    if case is None:
        return None
    traced = await _with_parents(ledger, open_secret, project_id, run_id, case)
    return await asyncio.to_thread(explain, run_id, traced, pointer)


async def _with_parents(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, run_id: str, case: Case
) -> Case:
    """The call with the runs of this project that passed its work on."""
    row = await ledger.run(project_id, run_id)
    if row is None:
        return case
    above = Ancestry(case, row)
    while (wanted := above.wanted) is not None:
        row = await ledger.run(project_id, wanted)
        if row is None:
            above.absent()
            break
        last = await _last_before(ledger, project_id, wanted, above.until)
        after = max(0, last - PARENT_FRAMES_MAX)
        passing = above.passing(row, after)
        frames = walk(ledger, open_secret, project_id, wanted, after)
        await _read(frames, passing.add, last + LATER_MAX)
        await asyncio.to_thread(above.took, passing, row)
    return above.case()


async def _read(
    frames: AsyncIterator[ReplayFrame], add: Callable[[ReplayFrame], None], last: int | None = None
) -> None:
    """Every frame up to seq `last`, taken in by a thread: what a run holds may be long to read, and
    checks are answered meanwhile."""
    some: list[ReplayFrame] = []
    async for frame in frames:
        if last is not None and frame.seq > last:
            break
        some.append(frame)
        if len(some) == READ_AT_ONCE:
            await asyncio.to_thread(_take_in, some, add)
            some = []
    await asyncio.to_thread(_take_in, some, add)


def _take_in(frames: Sequence[ReplayFrame], add: Callable[[ReplayFrame], None]) -> None:
    for frame in frames:
        add(frame)


async def _last_before(ledger: Ledger, project_id: str, run_id: str, until: str) -> int:
    """The last seq of a run that was recorded by then: what came later has passed nothing on."""
    low, high = 0, await ledger.last_seq(project_id, run_id)
    while low < high:
        middle = (low + high) // 2
        found = await ledger.events(project_id, run_id, middle, 1)
        if found and read_event(found[0]).recorded_at <= until:
            low = max(middle + 1, read_event(found[0]).seq)
        else:
            high = middle
    return low

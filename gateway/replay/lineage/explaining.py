"""An explanation from the record: the run's frames read page by page, and the call traced.

Frames are opened a few at a time by a thread, since a frame may hold a whole conversation and
checks go on meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.replay.frames import ReplayFrame, frames
from gateway.replay.lineage.tracing import Explanation, explain
from gateway.replay.lineage.trail import Trail
from gateway.replay.opening import OpenSecret, keys_of
from gateway.storage.ports import Ledger

PAGE: Final = 64
OPENED_AT_ONCE: Final = 8
# A run that is longer is explained from its last frames, and the answer says so.
FRAMES_MAX: Final = 5_000


async def explained(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    action: str | None,
    pointer: str | None,
) -> Explanation | None:
    """What became of the call; None when the run has no such decision. Raises UnknownPointer."""
    last = await ledger.last_seq(project_id, run_id)
    after = max(0, last - FRAMES_MAX)
    trail = Trail(action, unread=after)
    keys = await keys_of(ledger, open_secret, project_id, run_id)
    while events := await ledger.events(project_id, run_id, after, PAGE):
        for place in range(0, len(events), OPENED_AT_ONCE):
            some = events[place : place + OPENED_AT_ONCE]
            wanted = sorted({key for event in some for key in event.blob_keys.values()})
            sealed = await ledger.blobs(project_id, run_id, wanted)
            opened = await asyncio.to_thread(frames, some, sealed, keys)
            _add(trail, opened)
            after = opened[-1].seq
    case = trail.case()
    if case is None:
        return None
    return await asyncio.to_thread(explain, run_id, case, pointer)


def _add(trail: Trail, opened: list[ReplayFrame]) -> None:
    for frame in opened:
        trail.add(frame)

"""A whole run, frame after frame, without holding it.

A frame may carry a whole conversation, so they are opened a few at a time, by a thread, and checks
go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from gateway.replay.frames import ReplayFrame, frames
from gateway.replay.opening import OpenSecret, keys_of
from gateway.storage.ports import Ledger

PAGE: Final = 64
OPENED_AT_ONCE: Final = 8


async def walk(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    after: int = 0,
    at_once: int = OPENED_AT_ONCE,
) -> AsyncIterator[ReplayFrame]:
    """The frames of a run behind seq `after`, in order."""
    keys = await keys_of(ledger, open_secret, project_id, run_id)
    while events := await ledger.events(project_id, run_id, after, PAGE):
        for place in range(0, len(events), at_once):
            some = events[place : place + at_once]
            wanted = sorted({key for event in some for key in event.blob_keys.values()})
            sealed = await ledger.blobs(project_id, run_id, wanted)
            for frame in await asyncio.to_thread(frames, some, sealed, keys):
                yield frame
                after = frame.seq

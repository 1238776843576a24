"""A whole run, frame after frame, without holding it.

A frame may carry a whole conversation, so they are opened a few at a time, by a thread, and checks
go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from gateway.replay.frames import ReplayFrame, shown
from gateway.replay.opening import Opening, OpenSecret, keys_of
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
    opening = Opening(await keys_of(ledger, open_secret, project_id, run_id))
    while events := await ledger.events(project_id, run_id, after, PAGE):
        for place in range(0, len(events), at_once):
            some = events[place : place + at_once]
            sealed = await ledger.blobs(project_id, run_id, opening.wanted(some))
            for frame in await asyncio.to_thread(shown, some, sealed, opening):
                yield frame
                after = frame.seq

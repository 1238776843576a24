"""An explanation from the record: the run's frames read, and the call traced."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.replay.lineage.explanation import Explanation
from gateway.replay.lineage.tracing import explain
from gateway.replay.lineage.trail import Trail
from gateway.replay.opening import OpenSecret
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger

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
    after = max(0, await ledger.last_seq(project_id, run_id) - FRAMES_MAX)
    trail = Trail(action, unread=after)
    async for frame in walk(ledger, open_secret, project_id, run_id, after):
        trail.add(frame)
    case = trail.case()
    if case is None:
        return None
    return await asyncio.to_thread(explain, run_id, case, pointer)

"""A run's compact record, from what is stored: its frames, its row, and the runs below it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gateway.replay.opening import OpenSecret
from gateway.replay.record.keeping import FRAMES_MAX, RecordKeeper
from gateway.replay.record.shape import RunRecord
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

CHILDREN_MAX: Final = 200


async def recorded(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, row: Mapping[str, Any]
) -> RunRecord:
    """The record of the run with this row."""
    keeper = RecordKeeper()
    async for frame in walk(ledger, open_secret, project_id, row["run_id"]):
        if keeper.frames >= FRAMES_MAX:
            break
        keeper.add(frame)
    wanted = RunFilter(parent_run_id=row["run_id"])
    children = list(reversed(await ledger.runs(project_id, wanted, None, CHILDREN_MAX)))
    places = [(each["started_at"], each["run_id"]) for each in children]
    standing = await ledger.standing(project_id, places) if places else {}
    costs = {run_id: known.cost for run_id, known in standing.items()}
    complete = keeper.frames >= row["events"]
    return await asyncio.to_thread(lambda: keeper.record(row, children, costs, complete=complete))

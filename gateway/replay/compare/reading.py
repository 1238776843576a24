"""A comparison from the record: both runs read, and where only one is named, the other found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal

from gateway.replay.compare.comparing import Comparison, compare, last_good
from gateway.replay.compare.course import FRAMES_MAX, Course
from gateway.replay.opening import OpenSecret
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

PAGE: Final = 200
PAGES_MAX: Final = 10


async def compared(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run: Mapping[str, Any],
    other: Mapping[str, Any] | None,
) -> Comparison | None:
    """Two runs by their rows. Without the other, the last good one; None when there is none."""
    chosen: Literal["given", "last_good"] = "given" if other else "last_good"
    against = other or await _last_good(ledger, project_id, run)
    if against is None:
        return None
    courses = []
    for each in (run, against):
        course = Course()
        async for frame in walk(ledger, open_secret, project_id, each["run_id"]):
            course.add(frame)
            if course.frames >= FRAMES_MAX:
                break
        courses.append(course)
    return await asyncio.to_thread(
        lambda: compare(run, courses[0], against, courses[1], chosen=chosen)
    )


async def _last_good(
    ledger: Ledger, project_id: str, run: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    async for rows in _succeeded(ledger, project_id, run):
        found = last_good(run, rows)
        if found is not None:
            return next(row for row in rows if row["run_id"] == found)
    return None


async def _succeeded(
    ledger: Ledger, project_id: str, run: Mapping[str, Any]
) -> AsyncIterator[list[Mapping[str, Any]]]:
    wanted = RunFilter(
        environment=run["environment"],
        agent_id=run["agent_id"],
        status="succeeded",
        started_before=run["started_at"],
    )
    before: tuple[str, str] | None = None
    for _ in range(PAGES_MAX):
        rows = list(await ledger.runs(project_id, wanted, before, PAGE))
        if not rows:
            return
        yield rows
        before = (rows[-1]["started_at"], rows[-1]["run_id"])

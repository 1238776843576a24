"""A run out of the ledger as a recording, with the runs that were begun below it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.errors import CheckreinError
from gateway.replay.opening import OpenSecret
from gateway.replay.recording.assembling import assemble
from gateway.replay.recording.recorded import Recording
from gateway.replay.recording.recorder import Recorder
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

FRAMES_MAX: Final = 20_000
PAGE: Final = 200
PAGES_MAX: Final = 10
BELOW_MAX: Final = 64
# A run begins in the record with its first check or report, which those below it may precede.
EARLIER: Final = timedelta(hours=1)


class RecordingTooLarge(CheckreinError):
    """The recording is larger than it may be."""


async def recorded(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    row: Mapping[str, Any],
    bytes_max: int | None = None,
) -> Recording:
    """The recording of a run by its row. Raises RecordingTooLarge."""
    rows, left_out = await _with_those_below(ledger, project_id, row)
    recorders: list[Recorder] = []
    frames = size = 0
    for each, path in rows:
        recorder = Recorder(each, path)
        recorders.append(recorder)
        async for frame in walk(ledger, open_secret, project_id, each["run_id"]):
            recorder.add(frame)
            if bytes_max is not None and size + recorder.size > bytes_max:
                raise RecordingTooLarge(f"The recording is larger than {bytes_max:,} bytes.")
            if frames + recorder.frames >= FRAMES_MAX:
                told = f"What came after the first {FRAMES_MAX:,} frames is left out."
                left_out = [*left_out, told]
                return await asyncio.to_thread(assemble, recorders, left_out, complete=False)
        frames, size = frames + recorder.frames, size + recorder.size
    # Checks go on meanwhile: of a long run this takes a while.
    return await asyncio.to_thread(assemble, recorders, left_out)


Placed = tuple[Mapping[str, Any], tuple[str, ...]]


async def _with_those_below(
    ledger: Ledger, project_id: str, row: Mapping[str, Any]
) -> tuple[list[Placed], list[str]]:
    """The run and those below it, each with its path; what was not looked through is said."""
    wanted = RunFilter(
        environment=row["environment"],
        started_after=_earlier(row["started_at"]),
        started_before=row["last_at"],
    )
    meanwhile: list[Mapping[str, Any]] = []
    before: tuple[str, str] | None = None
    more = True
    for _ in range(PAGES_MAX):
        page = list(await ledger.runs(project_id, wanted, before, PAGE))
        meanwhile += [each for each in page if each["parent_run_id"] is not None]
        more = len(page) == PAGE
        if not more:
            break
        before = (page[-1]["started_at"], page[-1]["run_id"])
    found = _placed(row, sorted(meanwhile, key=lambda each: (each["started_at"], each["run_id"])))
    left_out = [] if not more else ["Runs below this one may be left out: too many went on then."]
    if len(found) > BELOW_MAX:
        left_out = [*left_out, f"Of the runs below this one the first {BELOW_MAX - 1} are in here."]
    return found[:BELOW_MAX], left_out


def _earlier(moment: str) -> str:
    before = datetime.fromisoformat(moment).astimezone(UTC) - EARLIER
    return before.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _placed(row: Mapping[str, Any], meanwhile: Sequence[Mapping[str, Any]]) -> list[Placed]:
    """Paths by the runs' names, and numbers where there are several of one name."""
    paths: dict[str, tuple[str, ...]] = {row["run_id"]: ()}
    found: list[Placed] = [(row, ())]
    counts: dict[tuple[str, ...], int] = {}
    for each in meanwhile:
        above = paths.get(each["parent_run_id"])
        if above is None or each["run_id"] in paths:
            continue
        named = (*above, each["name"] or "run")
        number = counts[named] = counts.get(named, 0) + 1
        path = paths[each["run_id"]] = (*above, f"{named[-1]} {number}")
        found.append((each, path))
    return found

"""Search in the names of runs, and in the content that the caller may open.

Content is encrypted and has no index: it is opened run by run, the newest first, within bounds that
one request must not pass. So an answer says how far it came and why it stopped, and is gone on with
from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.domain import pointers
from gateway.replay.frames import ReplayFrame
from gateway.replay.opening import OpenSecret
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

PAGE: Final = 100
NAMED_RUNS_MAX: Final = 2_000
OPENED_RUNS_MAX: Final = 200
FRAMES_MAX: Final = 4_000
RUN_FRAMES_MAX: Final = 1_000
SECONDS: Final = 1.5
PLACES_MAX: Final = 10
AROUND: Final = 60
NAMES: Final = ("name", "external_id", "run_id", "agent_id", "user_id")

Stopped = Literal["found", "runs", "frames", "time"]


class Place(Struct, frozen=True):
    """Where it stands: a name of the run (`seq` 0), or a frame and the pointer in it."""

    seq: int
    type: str
    pointer: str
    excerpt: str


class Hit(Struct, frozen=True):
    """A run in which it was found, and the first places."""

    run_id: str
    started_at: str
    name: str | None
    status: str
    places: list[Place]


class Searched(Struct):
    """What was looked at. `cut` are runs of which only the beginning was; `behind` is where to go
    on, None at the end."""

    hits: list[Hit]
    runs: int = 0
    frames: int = 0
    cut: list[str] = []
    stopped: Stopped | None = None
    behind: tuple[str, str] | None = None


async def search(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    wanted: RunFilter,
    sought: str,
    *,
    content: bool,
    before: tuple[str, str] | None,
    limit: int,
) -> Searched:
    """Runs in which `sought` stands, whatever its case, from the newest behind `before`."""
    found = Searched([], cut=[])
    folded = sought.casefold()
    until = time.monotonic() + SECONDS
    most = OPENED_RUNS_MAX if content else NAMED_RUNS_MAX
    while True:
        rows = await ledger.runs(project_id, wanted, before, PAGE)
        for row in rows:
            places = list(_in_names(row, folded))
            if content:
                places += await _in_content(ledger, open_secret, project_id, row, folded, found)
            found.runs += 1
            before = (row["started_at"], row["run_id"])
            if places:
                hit = Hit(
                    row["run_id"],
                    row["started_at"],
                    row["name"],
                    row["status"],
                    places[:PLACES_MAX],
                )
                found.hits.append(hit)
            found.stopped = _stop(found, most, limit, until)
            if found.stopped is not None:
                found.behind = before
                return found
        if len(rows) < PAGE:
            return found


def _stop(found: Searched, most: int, limit: int, until: float) -> Stopped | None:
    if len(found.hits) >= limit:
        return "found"
    if found.runs >= most:
        return "runs"
    if found.frames >= FRAMES_MAX:
        return "frames"
    return "time" if time.monotonic() >= until else None


async def _in_content(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    row: Mapping[str, Any],
    folded: str,
    found: Searched,
) -> list[Place]:
    places: list[Place] = []
    seen = 0
    async for frame in walk(ledger, open_secret, project_id, row["run_id"]):
        seen += 1
        places += await asyncio.to_thread(_in_frame, frame, folded)
        if len(places) >= PLACES_MAX:
            break
        if seen >= RUN_FRAMES_MAX:
            found.cut.append(row["run_id"])
            break
    found.frames += seen
    return places


def _in_frame(frame: ReplayFrame, folded: str) -> list[Place]:
    places: list[Place] = []
    for path, text in _texts(frame.content, ()):
        if (excerpt := _excerpt(text, folded)) is not None:
            places.append(Place(frame.seq, frame.type, pointers.write(path), excerpt))
            if len(places) >= PLACES_MAX:
                break
    return places


def _in_names(row: Mapping[str, Any], folded: str) -> Iterator[Place]:
    for name in NAMES:
        text = row[name]
        if text is not None and (excerpt := _excerpt(text, folded)) is not None:
            yield Place(0, "run", f"/{name}", excerpt)


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text within a value, and every number as it is written; names count as texts."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield (*path, name), name
            yield from _texts(inside, (*path, name))
    elif isinstance(value, list):
        for place, inside in enumerate(value):
            yield from _texts(inside, (*path, str(place)))
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, str(value)


def _excerpt(text: str, folded: str) -> str | None:
    """The text around the first match, None without one."""
    at = text.casefold().find(folded)
    if at < 0:
        return None
    # Folding may lengthen a text, so the place is near rather than exact: the excerpt is wide.
    start = max(min(at, len(text)) - AROUND, 0)
    return text[start : start + len(folded) + 2 * AROUND]

"""Forgetting idle runs: what is drained and has been quiet lives on in the ledger alone.

While a run leaves, nobody can bring it back: the delete and a reload would cross each other.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

from gateway.domain.instants import rfc3339
from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_reader
from gateway.storage.embedded.hot_runs import HotRuns, Key
from gateway.storage.embedded.reservations import Reservations, run_of
from gateway.storage.embedded.writer import Writer

LOOK_MAX = 5000
COUNTERS_MAX = 1000
# A month, a day, an hour or a minute.
_WINDOW = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9]{2}(:[0-9]{2})?)?)?")

# A slice of the runs in key order, so that each step costs the same however many there are.
SLICE = """
    SELECT project_id, run_id, last_ns FROM run
    WHERE (project_id, run_id) > (?, ?) ORDER BY project_id, run_id LIMIT ?
"""
# Rows leave in their order, so a run is drained when the oldest waiting row is behind its last.
DELETE_RUN = """
    DELETE FROM run WHERE project_id = ? AND run_id = ? AND last_ns < ?
        AND last_row < (SELECT coalesce(min(row), last_row + 1) FROM event)
        AND NOT EXISTS (
            SELECT 1 FROM approval
            WHERE approval.project_id = run.project_id AND approval.run_id = run.run_id
                AND approval.closed = 0
        )
        AND NOT EXISTS (
            SELECT 1 FROM action INDEXED BY action_deadline
            WHERE action.project_id = run.project_id AND action.run_id = run.run_id
                AND action.deadline_ns IS NOT NULL
        )
"""
COUNTERS = """
    SELECT project_id, key FROM counter
    WHERE (project_id, key) > (?, ?) ORDER BY project_id, key LIMIT ?
"""
KNOWN = "SELECT 1 FROM run WHERE project_id = ? AND run_id = ?"
DELETE_COUNTER = "DELETE FROM counter WHERE project_id = ? AND key = ?"
DELETE_OWN = f"{DELETE_COUNTER} AND NOT EXISTS ({KNOWN})"
DELETE_ACTIONS = "DELETE FROM action WHERE project_id = ? AND run_id = ?"
DELETE_APPROVALS = "DELETE FROM approval WHERE project_id = ? AND run_id = ?"


class Eviction:
    """Walks over the runs, a slice a step, and deletes those that may go."""

    def __init__(
        self, path: Path, runs: HotRuns, reservations: Reservations, writer: Writer
    ) -> None:
        # A connection of its own, because the look runs on another thread.
        self._reader = open_reader(path)
        self._runs = runs
        self._reservations = reservations
        self._writer = writer
        self._after: Key = ("", "")
        self._counters_after: Key = ("", "")
        self._busy = asyncio.Lock()

    async def step(self, idle_before_ns: int, limit: int) -> int:
        """Look at the next slice of runs; forget at most `limit`; return how many.

        At most as many counters go as well, of those that are over and of runs that left before.
        """
        async with self._busy:
            try:
                seen = await asyncio.to_thread(self._look)
                await self._forget_counters(idle_before_ns, limit)
            except sqlite3.Error as error:
                raise StorageFailure(f"the runs cannot be read: {error}") from error
            idle = [(seen_[0], seen_[1]) for seen_ in seen if seen_[2] < idle_before_ns][:limit]
            if idle and len(idle) == limit:
                self._after = idle[-1]
            else:
                self._after = (seen[-1][0], seen[-1][1]) if len(seen) == LOOK_MAX else ("", "")
            leaving = self._runs.leave(idle)
            try:
                return await self._writer.run(lambda db: _delete(db, leaving, idle_before_ns))
            finally:
                self._runs.left(leaving)

    async def passed(self, key: Key) -> None:
        """Wait until the run is not on its way out."""
        while self._runs.is_leaving(key):
            async with self._busy:
                pass

    async def close(self) -> None:
        async with self._busy:
            self._reader.close()

    def _look(self) -> list[tuple[str, str, int]]:
        return self._reader.execute(SLICE, (*self._after, LOOK_MAX)).fetchall()

    def _look_at_counters(self, before_ns: int) -> tuple[list[Key], list[Key], list[Key]]:
        """The next slice; those in it whose window is over, and those whose run has left."""
        seen = self._reader.execute(COUNTERS, (*self._counters_after, COUNTERS_MAX)).fetchall()
        over = [place for place in seen if _is_over(place[1], before_ns)]
        left = [place for place in seen if run_of(place[1]) and not self._knows(_run(place))]
        return seen, over, left

    def _knows(self, run: Key) -> bool:
        return bool(self._reader.execute(KNOWN, run).fetchall())

    async def _forget_counters(self, before_ns: int, limit: int) -> None:
        """Forget counters that nobody asks for again, and those of runs that have left.

        What a run holds on its own counters comes back with it from the ledger. What is left over
        here is found on the next walk.
        """
        seen, over, left = await asyncio.to_thread(self._look_at_counters, before_ns)
        if over:
            await self._writer.run(lambda db: db.executemany(DELETE_COUNTER, over[:limit]))
        if left:
            await self._forget_own(left[:limit])
        self._counters_after = seen[-1] if len(seen) == COUNTERS_MAX else ("", "")

    async def _forget_own(self, places: list[Key]) -> None:
        """Nobody brings one of the runs back meanwhile; one that came back before is known."""
        leaving = self._runs.leave([_run(place) for place in places])
        try:
            idle = [place for place in places if _run(place) in leaving]
            rows = [(*place, *_run(place)) for place in self._reservations.leave(idle)]
            await self._writer.run(lambda db: db.executemany(DELETE_OWN, rows))
        finally:
            self._runs.left(leaving)


def _run(place: Key) -> Key:
    """The run whose own counter this is."""
    return place[0], run_of(place[1]) or ""


def _is_over(key: str, before_ns: int) -> bool:
    """Whether a counter's key ends in the beginning of a UTC window that was over by then.

    Only shared counters have windows that end; a run has its own for as long as it is there.
    """
    begins = key.rpartition("|")[2]
    return _WINDOW.fullmatch(begins) is not None and begins < rfc3339(before_ns)[: len(begins)]


def _delete(db: sqlite3.Connection, keys: list[Key], idle_before_ns: int) -> int:
    """Delete those of the runs that may still go."""
    gone = 0
    for key in keys:
        if db.execute(DELETE_RUN, (*key, idle_before_ns)).rowcount:
            db.execute(DELETE_ACTIONS, key)
            db.execute(DELETE_APPROVALS, key)
            gone += 1
    return gone

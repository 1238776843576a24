"""The spool: decisions that were given while the journal was away, on this machine's own disk.

One thread owns the files. What is queued while a flush runs shares the next one, and whoever
appended is told after the flush. A process never goes on with a segment that an earlier one left:
whatever its end looks like, it is only read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from msgspec import Struct

from gateway.errors import SpoolFull, StorageFailure
from gateway.storage import spool_frames as frames
from gateway.storage.ports import SpoolEntry, SpoolFigures
from gateway.storage.spool_folder import Segment, SpoolFolder, write_whole

SEGMENT_BYTES = 1 << 20
QUEUED_MAX = 4096
GROUP_BYTES = 4 << 20

T = TypeVar("T")
Done = Callable[[StorageFailure | None], None]


class _Put(Struct, frozen=True):
    """A record to write, and who is told."""

    payload: bytes
    done: Done


class _Job(Struct, frozen=True):
    """A function that runs on the spool's thread."""

    work: Callable[[], None]


class FileSpool:
    """See `gateway.storage.ports.Spool`. Made and used within a running event loop.

    `most_bytes` bounds what waits: a record that would go beyond it is refused, and nothing that
    waits is ever dropped for it. Raises ConfigInvalid when the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        master: bytes,
        most_bytes: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        queued_max: int = QUEUED_MAX,
    ) -> None:
        self._key = frames.key_of(master)
        self._folder = SpoolFolder(folder, self._key)
        found = self._folder.find()
        self._most_bytes = most_bytes
        self._segment_bytes = segment_bytes
        self._queued_max = queued_max
        self._queued = 0
        self._waiting = sum(each.records for each in found.segments)
        self._bytes = sum(_content(each) for each in found.segments)
        self._torn, self._set_aside = found.torn, found.set_aside
        # From here on the thread's own.
        self._segments = found.segments
        self._next_number = found.next_number
        self._active: tuple[Segment, int] | None = None
        self._settled_place, self._settled_end = 0, frames.HEADER_BYTES
        self._closed = False
        self._queue: SimpleQueue[_Put | _Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    async def append(self, payload: bytes) -> None:
        cost = len(payload) + frames.OVERHEAD
        if self._closed:
            raise StorageFailure("the spool is closed")
        if self._bytes + cost > self._most_bytes or self._queued >= self._queued_max:
            raise SpoolFull(f"the spool is full: {self._waiting} records wait")
        self._bytes += cost
        self._queued += 1
        outcome: asyncio.Future[StorageFailure | None] = self._loop.create_future()

        def done(error: StorageFailure | None) -> None:
            self._queued -= 1
            if error is None:
                self._waiting += 1
            else:
                self._bytes -= cost
            if not outcome.done():
                outcome.set_result(error)

        self._queue.put(_Put(payload, done))
        failure = await outcome
        if failure is not None:
            raise failure

    async def read(self, limit: int, after: SpoolEntry | None = None) -> Sequence[SpoolEntry]:
        return await self._run(lambda: self._read(limit, after))

    async def settle(self, last: SpoolEntry, *, set_aside: bool = False) -> None:
        records, freed = await self._run(lambda: self._settle(last, set_aside))
        self._waiting -= records
        self._bytes -= freed
        self._set_aside += set_aside

    def figures(self) -> SpoolFigures:
        return SpoolFigures(self._waiting, self._bytes, self._torn, self._set_aside)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._folder.close()

    async def _run(self, work: Callable[[], T]) -> T:
        """Run a function on the thread. What the disk refuses arrives as StorageFailure."""
        if self._closed:
            raise StorageFailure("the spool is closed")
        outcome: asyncio.Future[T] = self._loop.create_future()

        def finish(result: T | None, error: Exception | None) -> None:
            if outcome.done():
                return
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)  # type: ignore[arg-type]

        def job() -> None:
            try:
                result = work()
            except OSError as error:
                failure = StorageFailure(f"the spool: {error.strerror}")
                self._call_soon(lambda: finish(None, failure))
            except Exception as error:  # noqa: BLE001  whoever asked for the job gets it
                problem = error
                self._call_soon(lambda: finish(None, problem))
            else:
                self._call_soon(lambda: finish(result, None))

        self._queue.put(_Job(job))
        return await outcome

    def _work(self) -> None:
        while True:
            entry = self._queue.get()
            if isinstance(entry, _Put):
                group, entry = self._group(entry)
                self._write(group)
            if isinstance(entry, _Job):
                entry.work()
            elif entry is None:
                break
        if self._active is not None:
            os.close(self._active[1])

    def _group(self, first: _Put) -> tuple[list[_Put], _Put | _Job | None]:
        """The records that are queued now, and what ended them (a record: nothing did)."""
        group, size = [first], len(first.payload)
        with contextlib.suppress(Empty):
            while size < GROUP_BYTES:
                entry = self._queue.get_nowait()
                if not isinstance(entry, _Put):
                    return group, entry
                group.append(entry)
                size += len(entry.payload)
        return group, first

    def _write(self, group: list[_Put]) -> None:
        problem: StorageFailure | None = None
        try:
            segment, descriptor = self._active_segment()
            data = b"".join(
                frames.frame(self._key, segment.number, segment.records + place, put.payload)
                for place, put in enumerate(group)
            )
            write_whole(descriptor, data)
            os.fdatasync(descriptor)
        except Exception as error:  # noqa: BLE001  the thread must outlive any record
            self._abandon()
            problem = StorageFailure(f"the spool: {error}")
        else:
            segment.size += len(data)
            segment.records += len(group)
        self._call_soon(lambda: _tell(group, problem))

    def _active_segment(self) -> tuple[Segment, int]:
        """Where to write: a new segment when there is none, or this one is long enough."""
        if self._active is not None and self._active[0].size >= self._segment_bytes:
            self._close_active()
        if self._active is None:
            self._active = self._folder.create(self._next_number)
            self._next_number += 1
            self._segments.append(self._active[0])
        return self._active

    def _abandon(self) -> None:
        """After a failed write: what it may have left behind the durable end is not a record."""
        if self._active is None:
            return
        segment, descriptor = self._active
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, segment.size)
        self._close_active()
        if segment.records == 0:
            self._segments.remove(segment)
            with contextlib.suppress(OSError):
                self._folder.let_go(segment)

    def _close_active(self) -> None:
        assert self._active is not None
        os.close(self._active[1])
        self._active = None

    def _read(self, limit: int, after: SpoolEntry | None) -> list[SpoolEntry]:
        place, offset = self._settled_place, self._settled_end
        found: list[SpoolEntry] = []
        for number, segment in enumerate(self._segments):
            if after is not None and segment.number < after.segment:
                continue
            if after is not None and segment.number == after.segment:
                place, offset = after.place + 1, after.end
            elif number > 0:
                place, offset = 0, frames.HEADER_BYTES
            if offset < segment.size:
                pieces = self._folder.read(segment, place, offset, limit - len(found))
                found += [SpoolEntry(segment.number, p.place, p.end, p.payload) for p in pieces]
            if len(found) >= limit:
                break
        return found

    def _settle(self, last: SpoolEntry, set_aside: bool) -> tuple[int, int]:
        """How many records that settled, and how many bytes became free."""
        records = freed = 0
        while self._segments and self._segments[0].number <= last.segment:
            segment = self._segments[0]
            whole = segment.number < last.segment
            upto = segment.records if whole else last.place + 1
            records += upto - self._settled_place
            self._settled_place, self._settled_end = upto, last.end
            segment.aside = segment.aside or set_aside
            if upto < segment.records:
                break
            if self._active is not None and self._active[0] is segment:
                self._close_active()
            # What cannot be removed comes again after a restart, and is known by then.
            with contextlib.suppress(OSError):
                self._folder.let_go(segment)
            del self._segments[0]
            freed += _content(segment)
            self._settled_place, self._settled_end = 0, frames.HEADER_BYTES
        return records, freed

    def _call_soon(self, callback: Callable[[], object]) -> None:
        # A loop that is gone has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)


def _tell(group: list[_Put], problem: StorageFailure | None) -> None:
    for put in group:
        put.done(problem)


def _content(segment: Segment) -> int:
    return segment.size - frames.HEADER_BYTES

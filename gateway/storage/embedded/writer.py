"""The one writer of a SQLite file: a thread that commits everything queued in one transaction.

A COMMIT costs a flush to the disk, so what arrives while one runs shares the next: a group
commit. The order of the queue is the order of the transactions.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from msgspec import Struct

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import BUSY_SECONDS

T = TypeVar("T")
Statement = tuple[str, Sequence[Sequence[Any]]]
Done = Callable[[StorageFailure | None], None]

QUEUED_MAX = 4096
GROUP_MAX = 1024
# Rows after which the log begins again at its start. A log that is written over, and short, was
# measured a quarter quicker to flush than one that grows and is cut; the pause is some ms.
LOG_ROWS = 2048
LOG_AGAIN_ROWS = 256
LOCK_LOOK_SECONDS = 0.0002


# Rows written by one statement. Each statement lets go of the interpreter and has to win it
# back from the event loop, so a group of sixteen rows is one statement and not sixteen.
PACKS = (32, 8, 4, 2, 1)


class _Write(Struct, frozen=True):
    """Rows to write, and who is told. `generation` says which memory they were worked out from."""

    statements: Sequence[Statement]
    done: Done
    generation: int


class _Job(Struct, frozen=True):
    """A function that runs alone in a transaction of its own."""

    work: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, Exception | None], None]


class Writer:
    """Owns the only writing connection of a file. Made and used within a running event loop.

    `submit` and `enqueue` share transactions; `run` has one of its own. When a shared transaction
    fails, everything queued until `on_failure` has been called on the event loop fails as well,
    because it may rest on what was just lost.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        *,
        on_failure: Callable[[], None] = lambda: None,
        queued_max: int = QUEUED_MAX,
        log_rows: int = LOG_ROWS,
    ) -> None:
        # This thread waits in its own way; a checkpoint does not wait at all.
        connection.execute("PRAGMA busy_timeout = 0")
        self._connection = connection
        self._path = path
        self._log_rows = log_rows
        self._log_until = log_rows
        self._on_failure = on_failure
        self._queued_max = queued_max
        self._queued = 0
        self._generation = 0
        self._failed_generation = -1
        self._closed = False
        self._queue: SimpleQueue[_Write | _Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"writer {path.name}", daemon=True)
        self._thread.start()

    def check_room(self) -> None:
        """Raises StorageFailure when `enqueue` would."""
        if self._closed:
            raise StorageFailure(f"{self._path.name} is closed")
        if self._queued >= self._queued_max:
            raise StorageFailure("overloaded")

    def enqueue(self, statements: Sequence[Statement], done: Done) -> None:
        """Queue rows; `done` is called on the event loop, with None once they are durable.

        Within a transaction rows are written grouped by the statement's text, in the order in
        which each text first appears: rows of one text keep their order, two texts must not
        depend on theirs. Raises StorageFailure when the queue is full or closed.
        """
        self.check_room()
        self._queued += 1
        self._queue.put(_Write(statements, done, self._generation))

    async def submit(self, statements: Sequence[Statement]) -> None:
        """Queue rows as `enqueue` does and wait until they are durable. Raises StorageFailure."""
        future = self._loop.create_future()

        def done(error: StorageFailure | None) -> None:
            if not future.done():
                future.set_result(error)

        self.enqueue(statements, done)
        error = await future
        if error is not None:
            raise error

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the writer's thread, in a transaction of its own; return its result.

        Its exceptions roll back and come out here; SQLite's as StorageFailure.
        """
        if self._closed:
            raise StorageFailure(f"{self._path.name} is closed")
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: T, error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._queue.put(_Job(work, done))
        return await future

    async def close(self) -> None:
        """Write what is queued, then stop and close the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        with contextlib.closing(self._connection):
            open_for_more = True
            while open_for_more:
                entries = self._take()
                for kind, group in groupby(entries, type):
                    if kind is _Write:
                        self._write([entry for entry in group if isinstance(entry, _Write)])
                    elif kind is _Job:
                        for entry in group:
                            assert isinstance(entry, _Job)
                            self._run(entry)
                    else:
                        open_for_more = False
                self._keep_log_short()

    def _take(self) -> list[_Write | _Job | None]:
        """Everything that is queued; waits for the first."""
        entries = [self._queue.get()]
        with contextlib.suppress(Empty):
            while len(entries) < GROUP_MAX:
                entries.append(self._queue.get_nowait())
        return entries

    def _write(self, entries: list[_Write]) -> None:
        alive = [entry for entry in entries if entry.generation > self._failed_generation]
        stale = [entry for entry in entries if entry.generation <= self._failed_generation]
        if stale:
            self._tell(stale, StorageFailure(f"{self._path.name}: a write before this one failed"))
        if not alive:
            return
        try:
            self._transaction(lambda: self._execute(alive))
        except Exception as error:  # noqa: BLE001  the thread must outlive any row
            self._failed_generation = alive[-1].generation
            self._tell(alive, StorageFailure(f"{self._path.name}: {error}"))
        else:
            self._tell(alive, None)

    def _execute(self, entries: list[_Write]) -> None:
        rows_of: dict[str, list[Sequence[Any]]] = {}
        for entry in entries:
            for text, rows in entry.statements:
                rows_of.setdefault(text, []).extend(rows)
        for text, rows in rows_of.items():
            for many, values in _packed(text, rows):
                self._connection.execute(many, values)

    def _run(self, job: _Job) -> None:
        result: Any = None
        problem: Exception | None = None
        try:
            result = self._transaction(lambda: job.work(self._connection))
        except sqlite3.Error as error:
            problem = StorageFailure(f"{self._path.name}: {error}")
        except Exception as error:  # noqa: BLE001  whoever asked for the job gets it
            problem = error
        self._call_soon(lambda: job.done(result, problem))

    def _transaction(self, work: Callable[[], T]) -> T:
        if self._connection.in_transaction:
            self._connection.rollback()
        self._begin()
        try:
            result = work()
            self._connection.execute("COMMIT")
        except BaseException:
            # After some errors SQLite has rolled back already, and a dying disk may refuse.
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            raise
        return result

    def _begin(self) -> None:
        """Take the write lock. Another process holds it for a millisecond or two at most.

        SQLite's own waiting sleeps ever longer, which would be seen in the slowest replies.
        """
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(LOCK_LOOK_SECONDS)
            else:
                return

    def _tell(self, entries: list[_Write], error: StorageFailure | None) -> None:
        self._call_soon(lambda: self._finish(entries, error))

    def _call_soon(self, callback: Callable[[], None]) -> None:
        # A loop that is gone has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _finish(self, entries: list[_Write], error: StorageFailure | None) -> None:
        """On the event loop: one call for a whole group."""
        self._queued -= len(entries)
        if error is not None and entries[-1].generation == self._generation:
            self._generation += 1
            self._on_failure()
        for entry in entries:
            entry.done(error)

    def _keep_log_short(self) -> None:
        """Move a long log into the file and begin it again; when a reader is in it, a little later.

        Most of it has been moved by then where somebody else checkpoints too.
        """
        rows = self._connection.total_changes
        if rows < self._log_until:
            return
        busy = True
        with contextlib.suppress(sqlite3.Error):
            busy = self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()[0][0] != 0
        self._log_until = rows + (LOG_AGAIN_ROWS if busy else self._log_rows)


def _packed(
    text: str, rows: list[Sequence[Any]]
) -> Iterator[tuple[str, list[Any] | Sequence[Any]]]:
    """The rows as few statements, in order. SQLite applies an upsert row by row."""
    done = 0
    for pack in PACKS:
        while len(rows) - done >= pack:
            some = rows[done : done + pack]
            yield _for_rows(text, pack), [value for row in some for value in row]
            done += pack


@lru_cache(maxsize=256)
def _for_rows(text: str, count: int) -> str:
    """The statement for `count` rows: its one VALUES group repeated."""
    begin = text.index("VALUES (") + len("VALUES ")
    end = text.index(")", begin) + 1
    return text[:begin] + ", ".join([text[begin:end]] * count) + text[end:]

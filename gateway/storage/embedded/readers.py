"""A pool of reading connections: threads that each own one, so that reads never stop the loop."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_reader

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2


class Readers:
    """Runs functions of a connection on reading threads."""

    def __init__(self, path: Path, count: int = READERS) -> None:
        self._path = path
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=f"reader {path.name}")

    async def read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What `work` makes of a connection. SQLite's errors come out as StorageFailure."""

        def run() -> T:
            return work(self._connection(), *args, **kwargs)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except sqlite3.Error as error:
            raise StorageFailure(f"{self._path.name}: {error}") from error

    async def close(self) -> None:
        """Let what is running finish, then close the connections."""
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._opened:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = open_reader(self._path)
            self._own.connection = connection
            self._opened.append(connection)
        return connection

"""The worker's end of the journal: another process, on the same file.

Claims are plain reads. Settling deletes what the ledger holds, in short transactions, because the
gateway waits for the same write lock; it may be lost in a power cut, which hands the claims out
again, and the ledger passes over them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_reader, open_writer
from gateway.storage.ports import Claim

T = TypeVar("T")
SETTLED_AT_ONCE = 128

OLDEST = """
    SELECT row, project_id, environment, run_id, seq, raw FROM event ORDER BY row LIMIT ?
"""
SETTLE = "DELETE FROM event WHERE row = ?"
WRAPPED = "SELECT secret FROM run WHERE project_id = ? AND run_id = ?"


class EmbeddedDrain:
    """SQLite calls run on one thread of its own. The file must have been made by a journal."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._reader = open_reader(path)
            self._writer = open_writer(path, "NORMAL", checkpoints=False)
        except sqlite3.Error as error:
            raise StorageFailure(f"{path.name}: {error}") from error
        self._thread = ThreadPoolExecutor(1, f"drain {path.name}")

    async def claim(self, limit: int) -> Sequence[Claim]:
        return await self._call(lambda: self._claim(limit))

    async def settle(self, claims: Sequence[Claim]) -> None:
        tokens = [(claim.token,) for claim in claims]
        await self._call(lambda: self._settle(tokens))

    async def secrets(self, runs: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        return await self._call(lambda: self._secrets(runs))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._reader.close()
        self._writer.close()

    def _claim(self, limit: int) -> list[Claim]:
        found = self._reader.execute(OLDEST, (limit,)).fetchall()
        return [Claim(*row) for row in found]

    def _settle(self, tokens: list[tuple[Hashable]]) -> None:
        for start in range(0, len(tokens), SETTLED_AT_ONCE):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany(SETTLE, tokens[start : start + SETTLED_AT_ONCE])
                self._writer.execute("COMMIT")
            except BaseException:
                self._writer.rollback()
                raise
        self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _secrets(self, runs: set[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        found = {key: self._reader.execute(WRAPPED, key).fetchall() for key in runs}
        return {key: rows[0][0] for key, rows in found.items() if rows}

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise StorageFailure(f"{self._path.name}: {error}") from error

"""How a SQLite file is opened: the pragmas that the stores' promises rest on, in one place."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

BUSY_SECONDS = 5.0


def open_writer(
    path: Path,
    synchronous: Literal["FULL", "NORMAL"] = "FULL",
    *,
    checkpoints: bool = True,
    page_bytes: int = 4096,
) -> sqlite3.Connection:
    """The writing connection of a file, made when it is not there, readable by its owner only.

    With FULL a COMMIT returns after the write-ahead log is on the disk. Transactions are begun
    by hand. `checkpoints` off leaves the log to somebody else. `page_bytes` counts when the file
    is made: a commit writes whole pages, so small ones suit many small rows in many places.
    """
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    connection = _connect(path)
    connection.execute(f"PRAGMA page_size = {page_bytes}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    # Content is encrypted and erased with its key; zeroing freed pages would only cost.
    connection.execute("PRAGMA secure_delete = OFF")
    if not checkpoints:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Each statement sees what was committed before it began."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread at a time; which one is its owner's affair.
    return sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )

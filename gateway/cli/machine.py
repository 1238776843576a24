"""What the doctor looks at on the machine and in the data folder."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.findings import Finding

PYTHON = (3, 11)
# The first with UPSERT's RETURNING, strict tables and the WAL fixes of 3.37 and later.
SQLITE = (3, 37, 0)
ROOM_NOTE = 2 * 1024**3
ROOM_FAILED = 200 * 1024**2
# Nothing was recorded before this was written: a clock before it is wrong.
EARLIEST_NS = 1_760_000_000 * 1_000_000_000
LATEST_NS = 4_102_444_800 * 1_000_000_000
SKEW_NS = 300 * 1_000_000_000
FILES = ("control", "journal", "ledger")


def machine(folder: Path) -> Iterator[Finding]:
    """Python, SQLite, the clock, and room on the disk of the folder."""
    yield _python()
    yield _sqlite()
    yield _clock(folder)
    yield _room(folder)


def data(folder: Path) -> Iterator[Finding]:
    """Who may read the folder, and what its databases are like."""
    if not folder.exists():
        yield Finding(
            "data folder", "skipped", f"{folder} does not exist yet", f"checkrein up {_at(folder)}"
        )
        return
    yield _private(folder, "data folder", 0o700)
    key = folder / "master.key"
    if key.exists():
        yield _private(key, "master key", 0o600)
    else:
        yield Finding("master key", "skipped", "the folder has none of its own")
    for name in FILES:
        path = folder / f"{name}.db"
        if path.exists():
            yield _database(path)
            yield _schema(path, name)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON:
        return Finding("python", "ok", f"{version}")
    return Finding("python", "failed", f"{version} is too old", "install Python 3.11 or later")


def _sqlite() -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= SQLITE:
        return Finding("sqlite", "ok", version)
    return Finding("sqlite", "failed", f"{version} is too old", "install a Python with SQLite 3.37")


def _clock(folder: Path) -> Finding:
    """Times order the record, so a clock that is far off, or went back, is trouble."""
    now = time.time_ns()
    written = [path.stat().st_mtime_ns for path in folder.glob("*.db*") if path.exists()]
    mend = "timedatectl set-ntp true"
    if not EARLIEST_NS < now < LATEST_NS:
        return Finding("clock", "failed", "it shows an impossible date", mend)
    if written and max(written) > now + SKEW_NS:
        return Finding("clock", "failed", "it is behind what the data folder holds", mend)
    return Finding("clock", "ok", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now // 10**9)))


def _room(folder: Path) -> Finding:
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    said = f"{free / 1024**3:.1f} GiB free"
    mend = f"make room on the disk of {place}"
    if free < ROOM_FAILED:
        return Finding("disk", "failed", f"{said}: checks fail when it is full", mend)
    return Finding("disk", "note", said, mend) if free < ROOM_NOTE else Finding("disk", "ok", said)


def _private(path: Path, what: str, mode: int) -> Finding:
    found = path.stat().st_mode & 0o777
    if found & 0o077:
        mend = f"chmod {mode:o} {shlex.quote(str(path))}"
        return Finding(what, "failed", f"{path} is open to others (mode {found:o})", mend)
    return Finding(what, "ok", f"{path} is its owner's alone (mode {found:o})")


def _database(path: Path) -> Finding:
    """Opened as the gateway opens it, but for reading."""
    what = f"{path.name}"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            (damage,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(what, "failed", f"it cannot be read: {error}", "restore it from a backup")
    if damage != "ok":
        return Finding(what, "failed", f"it is damaged: {damage}", "restore it from a backup")
    if mode != "wal":
        mend = f"sqlite3 {shlex.quote(str(path))} 'PRAGMA journal_mode=WAL'"
        return Finding(what, "failed", f"its journal mode is {mode}, not wal", mend)
    return Finding(what, "ok", "whole, write-ahead log, flushed at each commit")


def _schema(path: Path, name: str) -> Finding:
    from gateway.storage.embedded.migrate import shipped

    what = f"{name} schema"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            done = dict(connection.execute("SELECT name, digest FROM migration").fetchall())
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(what, "failed", f"it cannot be read: {error}", "restore it from a backup")
    known = {migration.name: migration.digest for migration in shipped(name)}
    strange = sorted(one for one in done if done[one] != known.get(one))
    if strange:
        mend = "start the release that last wrote it"
        return Finding(what, "failed", f"not of this release: {strange[-1]}", mend)
    if len(done) < len(known):
        return Finding(what, "note", "older than this release; the next start brings it up to date")
    return Finding(what, "ok", max(done, default="empty"))


def _at(folder: Path) -> str:
    return f"--data {shlex.quote(str(folder))}"

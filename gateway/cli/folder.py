"""The stores, as commands other than the gateway itself open them: a data folder, or servers.

Every store allows that: keys are made and runs are read while a gateway is at work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.failures import ABSENT, Failure

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.wiring.stores import ControlStores, RecordStores

T = TypeVar("T")

CONTROL = "control.db"
PROJECT = "default"


def existing(folder: Path) -> Path:
    """The folder. Raises Failure when no gateway has ever made it one."""
    if (folder / CONTROL).is_file():
        return folder
    text = f"{folder} is no data folder of a gateway."
    raise Failure(text, f"checkrein up --data {folder}, or name another with --data", ABSENT)


def with_control(settings: Settings, work: Callable[[ControlStores], Awaitable[T]]) -> T:
    """Run some work on the keys and versions of a folder, or of servers."""
    import asyncio

    async def run() -> T:
        async with control(settings) as opened:
            return await work(opened)

    return asyncio.run(run())


@asynccontextmanager
async def control(settings: Settings) -> AsyncIterator[ControlStores]:
    """The store of keys and policy versions, with the key above all others."""
    from gateway.ambient import SystemAmbient
    from gateway.wiring import backend

    _there(settings)
    async with backend(settings).control_stores(settings, SystemAmbient()) as opened:
        yield opened


@asynccontextmanager
async def record(settings: Settings, *, everything: bool = False) -> AsyncIterator[RecordStores]:
    """The record for reading, a project's or `everything`. On servers they are different users."""
    from gateway.ambient import SystemAmbient
    from gateway.wiring import backend

    _there(settings)
    async with backend(settings).record_stores(
        settings, SystemAmbient(), everything=everything
    ) as opened:
        yield opened


def _there(settings: Settings) -> None:
    if not settings.on_servers:
        existing(Path(settings.data))


def in_use(folder: Path) -> bool:
    """Whether a gateway is at work on the folder: it holds the lock as long as it lives."""
    import fcntl

    try:
        descriptor = (folder / "lock").open("rb")
    except OSError:
        return False
    with descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def waiting(folder: Path) -> int:
    """How many events of the journal are not in the record yet."""
    import sqlite3

    from gateway.errors import StorageFailure
    from gateway.storage.embedded.connections import open_reader

    path = folder / "journal.db"
    if not path.is_file():
        return 0
    try:
        connection = open_reader(path)
        try:
            (count,) = connection.execute("SELECT COUNT(*) FROM event").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StorageFailure(f"{path.name}: {error}") from error
    return int(count)

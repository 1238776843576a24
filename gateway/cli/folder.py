"""The data folder, as commands other than the gateway itself open it.

Every store allows that: keys are made and runs are read while a gateway is at work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.failures import ABSENT, Failure

if TYPE_CHECKING:
    from gateway.storage.embedded.control import EmbeddedControl

T = TypeVar("T")

CONTROL = "control.db"
PROJECT = "default"


def existing(folder: Path) -> Path:
    """The folder. Raises Failure when no gateway has ever made it one."""
    if (folder / CONTROL).is_file():
        return folder
    text = f"{folder} is no data folder of a gateway."
    raise Failure(text, f"checkrein up --data {folder}, or name another with --data", ABSENT)


def master_key(folder: Path) -> bytes:
    """The key above all others: the one that settings name, otherwise the folder's own."""
    from gateway.cli.settings import read
    from gateway.storage import master_key

    settings = read(data=str(folder)).settings
    if settings.master_key is not None:
        return master_key.from_text(settings.master_key)
    named = settings.master_key_file
    return master_key.from_file(Path(named) if named else folder / "master.key")


def with_control(folder: Path, work: Callable[[EmbeddedControl], Awaitable[T]]) -> T:
    """Run some work on the folder's keys and versions."""
    import asyncio

    async def run() -> T:
        async with control(folder) as opened:
            return await work(opened)

    return asyncio.run(run())


@asynccontextmanager
async def control(folder: Path) -> AsyncIterator[EmbeddedControl]:
    """The store of keys and policy versions."""
    from gateway.ambient import SystemAmbient
    from gateway.storage.embedded.control import EmbeddedControl

    opened = EmbeddedControl(existing(folder) / CONTROL, SystemAmbient())
    try:
        yield opened
    finally:
        await opened.close()


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

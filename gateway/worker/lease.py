"""One worker at a time: a lock on a file of the data folder, which the kernel lets go when its
holder dies."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path

LOCK_FILE = "worker.lock"
LOOK_SECONDS = 0.1


@contextlib.asynccontextmanager
async def lease(folder: Path) -> AsyncIterator[None]:
    """Wait until no other worker records in this data folder, then be the one."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        held = False
        while not held:
            held = _take(descriptor)
            await asyncio.sleep(0 if held else LOOK_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

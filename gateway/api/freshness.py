"""Read your writes: the lasting record follows the journal, so a read waits a moment for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.api.parts import Parts

T = TypeVar("T")

WAIT_SECONDS: Final = 2.0
FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.05
DELAYED: Final = {"x-checkrein-history": "delayed"}


async def of_run(parts: Parts, project_id: str, run_id: str) -> dict[str, str]:
    """Wait until the ledger holds all that the journal held of the run when this was asked.

    Returns the headers of the answer: after two seconds what is there is read, and said to be old.
    """
    wanted = await parts.journal.last_seq(project_id, run_id)

    async def there() -> bool | None:
        return await parts.ledger.last_seq(project_id, run_id) >= wanted or None

    return {} if await _until(parts, there) else DELAYED


async def soon(parts: Parts, id: str, find: Callable[[], Awaitable[T | None]]) -> T | None:
    """What `find` finds; where the id is so new that its event may be on its way, after a wait."""
    found = await find()
    if found is None and await _may_be_waiting(parts, id):
        found = await _until(parts, find)
    return found


async def _until(parts: Parts, find: Callable[[], Awaitable[T | None]]) -> T | None:
    last = parts.ambient.monotonic() + WAIT_SECONDS
    pause = FIRST_PAUSE
    while True:
        found = await find()
        if found is not None or parts.ambient.monotonic() >= last:
            return found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


async def _may_be_waiting(parts: Parts, id: str) -> bool:
    """Whether an event of this id's age could still be in the journal alone.

    Ids are UUIDv7: their first 48 bits are milliseconds. One that a caller made up costs that
    caller a wait, nobody else anything.
    """
    digits = id.rpartition("_")[2]
    try:
        made = int(digits[:12], 16) / 1000
    except ValueError:
        return False
    figures = await parts.journal.figures()
    age = parts.ambient.now_ns() / 1e9 - made
    return -WAIT_SECONDS <= age <= figures.oldest_seconds + WAIT_SECONDS

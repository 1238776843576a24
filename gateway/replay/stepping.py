"""A page of a run's steps from the ledger.

What came before the page is folded from the evidence alone: only content that is shown is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.replay.breaking import Breaking
from gateway.replay.frames import ReplayFrame, frames, shown
from gateway.replay.opening import Opening, OpenSecret, keys_of
from gateway.replay.steps import Step, Steps
from gateway.storage.ports import Ledger, StoredEvent

PAGE: Final = 500
# A state is worked out from the beginning, so this is how far one can go.
FRAMES_MAX: Final = 20_000


class Page(Struct, frozen=True):
    """Steps, whether there are more behind them, and the seq of the step that broke."""

    steps: list[Step]
    has_more: bool
    broken: int | None


async def steps_of(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    after: int,
    limit: int,
) -> Page:
    """The steps behind seq `after`, at most so many."""
    opening = Opening(await keys_of(ledger, open_secret, project_id, run_id))
    steps, breaking = Steps(project_id, run_id), Breaking()
    found: list[Step] = []
    decision: StoredEvent | None = None
    seen, more = 0, False
    while seen < FRAMES_MAX and (events := await ledger.events(project_id, run_id, seen, PAGE)):
        # Without keys there is only the evidence.
        bare = await asyncio.to_thread(frames, events, {}, None)
        for stored, frame in zip(events, bare, strict=True):
            breaking.add(frame)
            seen = frame.seq
            if seen <= after:
                steps.add(frame)
                decision = stored if frame.type == "decision" else decision
            elif len(found) < limit:
                if decision is not None:
                    (earlier,) = await _opened(ledger, opening, project_id, run_id, [decision])
                    steps.decided(earlier)
                    decision = None
                (whole,) = await _opened(ledger, opening, project_id, run_id, [stored])
                found.append(steps.add(whole))
            else:
                more = True
    broken = breaking.broken
    return Page(found, more, broken[0] if broken else None)


async def _opened(
    ledger: Ledger,
    opening: Opening,
    project_id: str,
    run_id: str,
    events: Sequence[StoredEvent],
) -> list[ReplayFrame]:
    sealed = await ledger.blobs(project_id, run_id, opening.wanted(events))
    return await asyncio.to_thread(shown, events, sealed, opening)

"""A run frame by frame: what was recorded, in order, with its content opened."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import Limit, named_run, run_missing
from gateway.replay.frames import ReplayFrame, shown
from gateway.replay.opening import Opening, keys_of, read_event
from gateway.storage.ports import StoredEvent

# A page ends early when its content reaches this size: one frame may hold a whole conversation.
PAGE_BYTES: Final = 1024 * 1024
OPENED_AT_ONCE: Final = 8

After = Annotated[int, Meta(ge=0, le=2**53 - 1, description="The seq to go on behind.")]


class FramesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The page behind the frame of seq `after`."""

    after: After = 0
    limit: Limit = 50


class FramesPage(Struct, frozen=True):
    """Frames in order. Where there are more, go on with `after=next_after`."""

    run_id: str
    frames: list[ReplayFrame]
    has_more: bool
    next_after: int | None


async def _list_frames(parts: Parts, call: Call) -> Answer:
    query: FramesQuery = call.query
    run_id = named_run(call)
    headers = await freshness.of_run(parts, call.caller.project_id, run_id)
    if await parts.ledger.run(call.caller.project_id, run_id) is None:
        raise run_missing(headers)
    page = await _page(parts, call.caller.project_id, run_id, query.after, query.limit)
    # A large page is written by a thread, while others go on.
    encoded = await asyncio.to_thread(msgspec.json.encode, page)
    return Answer(msgspec.Raw(encoded), headers)


async def _page(parts: Parts, project_id: str, run_id: str, after: int, limit: int) -> FramesPage:
    # One more than asked for tells whether there is another page.
    events = await parts.ledger.events(project_id, run_id, after, limit + 1)
    opening = Opening(await keys_of(parts.ledger, parts.keyring.run_secret, project_id, run_id))
    page: list[ReplayFrame] = []
    size = 0
    while len(page) < len(events):
        full = len(page) >= limit or size >= PAGE_BYTES
        if full and not _belongs(events[len(page)], page[-1]):
            break
        at_once = 1 if full else min(OPENED_AT_ONCE, limit - len(page))
        some = events[len(page) : len(page) + at_once]
        sealed = await parts.ledger.blobs(project_id, run_id, opening.wanted(some))
        page += await asyncio.to_thread(shown, some, sealed, opening)
        size += opening.size_of(some)
    more = len(page) < len(events)
    return FramesPage(run_id, page, more, page[-1].seq if more and page else None)


def _belongs(event: StoredEvent, last: ReplayFrame) -> bool:
    """Whether the event has the seq of the last frame: pages are cut between seqs alone."""
    return read_event(event).seq == last.seq


LIST_FRAMES: Final = Endpoint(
    _list_frames,
    Operation(
        id="listFrames",
        method="GET",
        path="/v1/runs/{run_id}/frames",
        scope="read",
        summary="A run, frame by frame",
        description=(
            "Every event of the run in order, with its content: what was asked, planned and seen, "
            "the calls, the decisions with what each rule said, the results. Nothing is worked out "
            "here: it is what was recorded."
        ),
        query=FramesQuery,
        reply=FramesPage,
        problems=("run_not_found",),
    ),
)

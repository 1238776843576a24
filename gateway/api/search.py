"""Search in the names of runs and in their content, within bounds that the answer tells."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, structs

from gateway.api import cursor
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import RunsQuery, wanted_runs
from gateway.replay.searching import Hit, Searched, Stopped, search

Sought = Annotated[
    str, Meta(min_length=1, max_length=256, description="What to look for, whatever its case.")
]
Within = Annotated[
    Literal["names", "content"],
    Meta(description="In the names of runs alone, or in what was asked, seen and answered too."),
]


class SearchQuery(RunsQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to look for, within the runs that meet all filters."""

    q: Sought
    within: Within = "names"


class SearchPage(Struct, frozen=True):
    """Where it was found. `stopped` says what ended the search before the oldest run: enough was
    `found`, or so many `runs`, `frames` or so much `time` is all that one request may take; then
    `next_cursor` goes on. Of the runs in `cut` only the beginning was looked at."""

    hits: list[Hit]
    searched_runs: int
    searched_frames: int
    cut: list[str]
    stopped: Stopped | None
    next_cursor: str | None


async def _search(parts: Parts, call: Call) -> Answer:
    query: SearchQuery = call.query
    project_id = call.caller.project_id
    listed = ["search", structs.replace(query, cursor=UNSET, limit=50)]
    before = cursor.read(parts.cursor_key, project_id, listed, query.cursor or None)
    found = await search(
        parts.ledger,
        parts.keyring.run_secret,
        project_id,
        wanted_runs(query, parts.ambient.now_ns()),
        query.q,
        content=query.within == "content",
        before=before,
        limit=query.limit,
    )
    place = found.behind
    following = cursor.write(parts.cursor_key, project_id, listed, place) if place else None
    return Answer(page_of(found, following))


def page_of(found: Searched, following: str | None) -> SearchPage:
    """What was found, as it is told."""
    return SearchPage(found.hits, found.runs, found.frames, found.cut, found.stopped, following)


SEARCH: Final = Endpoint(
    _search,
    Operation(
        id="search",
        method="GET",
        path="/v1/search",
        scope="read",
        summary="Runs in which something stands",
        description=(
            "Looks through the runs that meet the filters, the newest first. Content is encrypted "
            "and has no index: it is opened run by run, and the answer says how far that went and "
            "why it stopped."
        ),
        query=SearchQuery,
        reply=SearchPage,
        problems=("bad_cursor",),
    ),
)

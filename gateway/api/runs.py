"""Runs: begun, ended, listed, read, and stepped through frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from gateway.api import cursor, freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.instants import Instant, as_recorded
from gateway.api.parts import Parts
from gateway.api.reports import check_run_names
from gateway.domain.check import RunRef
from gateway.domain.projections import RunRow
from gateway.domain.reports import EventsReply, RunEnd, RunOpened
from gateway.domain.run_ids import run_id_of
from gateway.errors import NotFound, Problem, Unavailable
from gateway.storage.ports import RunFilter

Limit = Annotated[int, Meta(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    str, Meta(max_length=cursor.CURSOR_CHARS, description="`next_cursor` of a page.")
]
Word = Annotated[str, Meta(min_length=1, max_length=256, description="Runs with exactly this.")]
RunStatus = Literal[
    "running", "halted", "succeeded", "failed", "paused", "escalated", "rolled_back"
]


class RunsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters, all of which a run must meet."""

    environment: Word | UnsetType = UNSET
    agent_id: Word | UnsetType = UNSET
    status: RunStatus | UnsetType = UNSET
    started_after: Instant | UnsetType = UNSET
    started_before: Instant | UnsetType = UNSET


class RunsQuery(RunsWanted, frozen=True, forbid_unknown_fields=True):
    """Filters, all of which a run must meet; a page goes on behind `cursor` under the same ones."""

    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


class RunPage(Struct, frozen=True):
    """Runs, newest first. `next_cursor` is null on the last page."""

    runs: list[RunRow]
    has_more: bool
    next_cursor: str | None


def filter_of(query: RunsWanted) -> RunFilter:
    return RunFilter(
        environment=query.environment or None,
        agent_id=query.agent_id or None,
        status=query.status or None,
        started_after=as_recorded(query.started_after),
        started_before=as_recorded(query.started_before),
    )


async def _open_run(parts: Parts, call: Call) -> Answer:
    run: RunRef = call.body
    check_run_names(run, "")
    return Answer(await parts.reporter.open_run(call.caller, run))


async def _end_run(parts: Parts, call: Call) -> Answer:
    end: RunEnd = call.body
    return Answer(await parts.reporter.end_run(call.caller, call.path["run_id"], end))


async def _list_runs(parts: Parts, call: Call) -> Answer:
    query: RunsQuery = call.query
    wanted = filter_of(query)
    project_id, listed = call.caller.project_id, ["runs", structs.asdict(wanted)]
    before = cursor.read(parts.cursor_key, project_id, listed, query.cursor or None)
    # One more than asked for tells whether there is another page.
    found = await parts.ledger.runs(project_id, wanted, before, query.limit + 1)
    rows = [RunRow(**row) for row in found[: query.limit]]
    more = len(found) > len(rows)
    place = (rows[-1].started_at, rows[-1].run_id) if more else None
    following = cursor.write(parts.cursor_key, project_id, listed, place) if place else None
    return Answer(RunPage(rows, more, following))


async def _get_run(parts: Parts, call: Call) -> Answer:
    run_id = named_run(call)
    headers = await freshness.of_run(parts, call.caller.project_id, run_id)
    row = await parts.ledger.run(call.caller.project_id, run_id)
    if row is None:
        raise run_missing(headers)
    return Answer(RunRow(**row), headers)


def named_run(call: Call) -> str:
    """The run that the path names, by its id or by the caller's own string."""
    caller = call.caller
    return run_id_of(caller.project_id, caller.environment, call.path["run_id"])


def run_missing(headers: Mapping[str, str]) -> Problem:
    """Why there is nothing of a run: there is none, or its first event is still on its way."""
    if headers:
        detail = "The run is on its way into the record."
        return Unavailable("unavailable", detail, retry_after=1)
    return NotFound("run_not_found", "No run of this id in this project.")


OPEN_RUN: Final = Endpoint(
    _open_run,
    Operation(
        id="openRun",
        method="POST",
        path="/v1/runs",
        scope="check",
        summary="Begin a run, or find it",
        description=(
            "A run begins by itself with its first check or event; this begins one beforehand. The "
            "same id again finds the same run. Without an id, a new run begins."
        ),
        body=RunRef,
        reply=RunOpened,
        problems=(
            "bad_name",
            "run_environment_mismatch",
            "run_identity_mismatch",
            "run_of_another_agent",
            "run_contended",
            "journal_unavailable",
        ),
    ),
)

END_RUN: Final = Endpoint(
    _end_run,
    Operation(
        id="endRun",
        method="POST",
        path="/v1/runs/{run_id}/end",
        scope="check",
        summary="End a run",
        description="How the run ended, as its agent sees it. A halted run stays halted.",
        body=RunEnd,
        reply=EventsReply,
        problems=(
            "run_not_found",
            "run_environment_mismatch",
            "run_identity_mismatch",
            "run_of_another_agent",
            "run_contended",
            "journal_unavailable",
        ),
    ),
)

LIST_RUNS: Final = Endpoint(
    _list_runs,
    Operation(
        id="listRuns",
        method="GET",
        path="/v1/runs",
        scope="read",
        summary="The project's runs, newest first",
        description="The list follows what is recorded within a moment; a single run is never old.",
        query=RunsQuery,
        reply=RunPage,
        problems=("bad_cursor",),
    ),
)

GET_RUN: Final = Endpoint(
    _get_run,
    Operation(
        id="getRun",
        method="GET",
        path="/v1/runs/{run_id}",
        scope="read",
        summary="One run",
        description="What is known of a run so far: who, when, how many actions, what was spent.",
        reply=RunRow,
        problems=("run_not_found",),
    ),
)

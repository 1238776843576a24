"""Runs: begun, ended, listed and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from gateway.api import cursor, freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.instants import Instant, as_recorded
from gateway.api.parts import Parts
from gateway.api.reports import check_run_names
from gateway.domain.check import RunRef
from gateway.domain.facts import Attention, Standing
from gateway.domain.instants import rfc3339
from gateway.domain.projections import RunRow
from gateway.domain.reports import EventsReply, RunEnd, RunOpened
from gateway.domain.run_ids import run_id_of
from gateway.domain.verdicts import SideEffect
from gateway.errors import NotFound, Problem, Unavailable
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

_DAY_NS: Final = 86_400 * 10**9
WINDOW_NS: Final = {"24h": _DAY_NS, "7d": 7 * _DAY_NS, "30d": 30 * _DAY_NS}

Limit = Annotated[int, Meta(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    str, Meta(max_length=cursor.CURSOR_CHARS, description="`next_cursor` of a page.")
]
Word = Annotated[str, Meta(min_length=1, max_length=256, description="Runs with exactly this.")]
Window = Annotated[
    Literal["24h", "7d", "30d", "all"], Meta(description="Runs that began within that time.")
]
MinCost = Annotated[
    int,
    Meta(ge=0, le=2**53 - 1, description="What a run cost at least: minor units of `currency`."),
]
Currency = Annotated[str, Meta(min_length=1, max_length=16)]
AnyAttention = Annotated[
    Literal["any", "halted", "failed", "errors", "over_budget", "interventions"],
    Meta(description="Runs that are worth a look, for whatever reason or for this one."),
]
ApprovalFact = Annotated[
    Literal["requested", "expired", "denied"],
    Meta(
        description=(
            "Runs with such an approval: asked for, unanswered until it expired (the call did not "
            "run), or refused by a person. One that expired is not `denied`."
        )
    ),
]
RunStatus = Literal[
    "running", "halted", "succeeded", "failed", "paused", "escalated", "rolled_back"
]


class RunsWanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters, all of which a run must meet."""

    environment: Word | UnsetType = UNSET
    agent_id: Word | UnsetType = UNSET
    status: RunStatus | UnsetType = UNSET
    parent_run_id: Word | UnsetType = UNSET
    started_after: Instant | UnsetType = UNSET
    started_before: Instant | UnsetType = UNSET
    window: Window | UnsetType = UNSET
    min_cost: MinCost | UnsetType = UNSET
    currency: Currency = "USD"
    attention: AnyAttention | UnsetType = UNSET
    side_effect: SideEffect | UnsetType = UNSET
    approval: ApprovalFact | UnsetType = UNSET
    mcp_server: Word | UnsetType = UNSET
    mcp_client: Word | UnsetType = UNSET
    model: Word | UnsetType = UNSET
    prompt_version: Word | UnsetType = UNSET
    path: Word | UnsetType = UNSET
    digest: Word | UnsetType = UNSET


class RunsQuery(RunsWanted, frozen=True, forbid_unknown_fields=True):
    """Filters, all of which a run must meet; a page goes on behind `cursor` under the same ones."""

    limit: Limit = 50
    cursor: Cursor | UnsetType = UNSET


class ListedRun(RunRow, frozen=True):
    """A run in a list. `cost` is what model calls and tools were told to cost, by currency in minor
    units; `attention` says why it is worth a look: `halted`, `failed`, `errors`, `over_budget`, or
    `interventions` where half of its calls, of four or more, were stopped or asked about."""

    cost: dict[str, int] = field(default_factory=dict)
    attention: list[Attention] = field(default_factory=list)


class RunPage(Struct, frozen=True):
    """Runs, newest first. `next_cursor` is null on the last page."""

    runs: list[ListedRun]
    has_more: bool
    next_cursor: str | None


async def _open_run(parts: Parts, call: Call) -> Answer:
    run: RunRef = call.body
    check_run_names(run, "")
    return Answer(await parts.reporter.open_run(call.caller, run))


async def _end_run(parts: Parts, call: Call) -> Answer:
    end: RunEnd = call.body
    return Answer(await parts.reporter.end_run(call.caller, call.path["run_id"], end))


async def _list_runs(parts: Parts, call: Call) -> Answer:
    query: RunsQuery = call.query
    wanted = wanted_runs(query, parts.ambient.now_ns())
    project_id = call.caller.project_id
    # The window is bound as it was named: it moves on between two pages.
    bound = structs.replace(query, cursor=UNSET, limit=50)
    listed = ["runs", bound]
    before = cursor.read(parts.cursor_key, project_id, listed, query.cursor or None)
    # One more than asked for tells whether there is another page.
    found = await parts.ledger.runs(project_id, wanted, before, query.limit + 1)
    rows = await with_standing(parts.ledger, project_id, found[: query.limit])
    more = len(found) > len(rows)
    place = (rows[-1].started_at, rows[-1].run_id) if more else None
    following = cursor.write(parts.cursor_key, project_id, listed, place) if place else None
    return Answer(RunPage(rows, more, following))


def wanted_runs(query: Any, now_ns: int) -> RunFilter:
    """What the ledger is asked for; a filter that the query does not have is none."""
    given: dict[str, Any] = {
        name: value
        for name in RunFilter.__struct_fields__
        if isinstance(value := getattr(query, name, UNSET), str | int)
    }
    started_after = as_recorded(query.started_after)
    if isinstance(query.window, str) and query.window != "all":
        begun = rfc3339(now_ns - WINDOW_NS[query.window])
        started_after = max(started_after or "", begun)
    given |= {"started_after": started_after, "started_before": as_recorded(query.started_before)}
    given["currency"] = query.currency.upper()
    if isinstance(query.digest, str):
        given["digest"] = query.digest.removeprefix("sha256:").lower()
    return RunFilter(**given)


async def with_standing(
    ledger: Ledger, project_id: str, rows: Sequence[Mapping[str, Any]]
) -> list[ListedRun]:
    """Rows of a list with what is known of their runs beside them."""
    places = [(row["started_at"], row["run_id"]) for row in rows]
    known = await ledger.standing(project_id, places) if places else {}
    return [ListedRun(**row, **standing_of(known, row["run_id"])) for row in rows]


def standing_of(known: Mapping[str, Standing], run_id: str) -> dict[str, Any]:
    return structs.asdict(known.get(run_id, Standing()))


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
        description=(
            "All filters may be combined. Those from `min_cost` to `digest` ask what some event of "
            "a run said: that it wrote, asked this model, called this MCP server, made this file. "
            "The list follows what is recorded within a moment; a single run is never old."
        ),
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

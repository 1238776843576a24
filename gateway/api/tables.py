"""Many runs and their actions as one table, streamed while it is read."""

from __future__ import annotations

from typing import Any, Final, Literal

from gateway.api.endpoint import Answer, Call, Endpoint, Operation, Streamed
from gateway.api.parts import Parts
from gateway.api.runs import RunsWanted, wanted_runs
from gateway.audit.tables.rows import rows
from gateway.audit.tables.writing import written

Format = Literal["csv", "json", "jsonl"]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
}


class TableQuery(RunsWanted, frozen=True, forbid_unknown_fields=True):
    """Filters as of the list of runs. `format`: a table with a header, an array, a value a line."""

    format: Format = "jsonl"


async def _export_runs(parts: Parts, call: Call) -> Answer:
    query: TableQuery = call.query
    wanted = wanted_runs(query, parts.ambient.now_ns())
    found = rows(parts.ledger, call.caller.project_id, wanted)
    name = f"runs.{query.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Answer(Streamed(MEDIA_TYPES[query.format], written(found, query.format)), headers)


EXPORT_RUNS: Final = Endpoint(
    _export_runs,
    Operation(
        id="exportRuns",
        method="GET",
        path="/v1/exports/runs",
        scope="read",
        summary="Runs and their actions as CSV, JSON or JSONL",
        description=(
            "Each run that meets the filters, newest first, and behind it its actions in order; "
            "evidence alone, no content. As long as it is; a connection that ends before its last "
            "chunk is not the whole. No cell of a CSV is taken for a formula by a spreadsheet."
        ),
        query=TableQuery,
        reply=list[dict[str, Any]],
        media_types=("text/csv", "application/x-ndjson"),
    ),
)

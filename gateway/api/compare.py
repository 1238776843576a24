"""Two runs beside each other: a failed one and the last good one, or any two."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.domain.run_ids import run_id_of
from gateway.errors import NotFound
from gateway.replay.compare.comparing import Comparison
from gateway.replay.compare.reading import compared

Other = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description=(
            "The run to compare with. Without one, the last before it that succeeded, of the same "
            "agent, name and environment."
        ),
    ),
]


class CompareQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The other run."""

    other: Other | UnsetType = UNSET


async def _compare(parts: Parts, call: Call) -> Answer:
    query: CompareQuery = call.query
    caller, ledger = call.caller, parts.ledger
    run_id = named_run(call)
    named = query.other or None
    other_id = run_id_of(caller.project_id, caller.environment, named) if named else None
    headers: dict[str, str] = {}
    rows = []
    for each in filter(None, (run_id, other_id)):
        headers |= await freshness.of_run(parts, caller.project_id, each)
        row = await ledger.run(caller.project_id, each)
        if row is None:
            raise run_missing(headers)
        rows.append(row)
    other = rows[1] if other_id else None
    found = await compared(ledger, parts.keyring.run_secret, caller.project_id, rows[0], other)
    if found is None:
        detail = "No earlier run of the same agent, name and environment succeeded."
        raise NotFound("run_not_found", detail)
    return Answer(found, headers)


COMPARE_RUNS: Final = Endpoint(
    _compare,
    Operation(
        id="compareRuns",
        method="GET",
        path="/v1/runs/{run_id}/compare",
        scope="read",
        summary="How a run differs from another one",
        description=(
            "Puts the calls of two runs side by side, by task, tool and arguments, and tells what "
            "was configured otherwise (model, prompt, tools and schemas, policy), what was done "
            "otherwise, where the two first part, and what each took. Nothing is run again."
        ),
        query=CompareQuery,
        reply=Comparison,
        problems=("run_not_found",),
    ),
)

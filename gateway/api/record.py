"""The compact record of a run, for whoever wants to know what it was rather than read it."""

from __future__ import annotations

from typing import Final

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.replay.record.reading import recorded
from gateway.replay.record.shape import RunRecord


async def _get_record(parts: Parts, call: Call) -> Answer:
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    row = await parts.ledger.run(project_id, run_id)
    if row is None:
        raise run_missing(headers)
    found = await recorded(parts.ledger, parts.keyring.run_secret, project_id, row)
    return Answer(found, headers)


GET_RECORD: Final = Endpoint(
    _get_record,
    Operation(
        id="getRecord",
        method="GET",
        path="/v1/runs/{run_id}/record",
        scope="read",
        summary="The compact record of a run",
        description=(
            "Neither a log nor a transcript: who acted on whose behalf with which model, prompt "
            "and tools; each call with its side effects, its approval and what came of it; what "
            "was made, verified and handed on; what each agent cost. Payloads are referred to by "
            "frame and pointer. `capture` says how much of the run was seen at each boundary."
        ),
        reply=RunRecord,
        problems=("run_not_found",),
    ),
)

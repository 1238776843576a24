"""Why a call has the arguments that it has: where each came from, and where it departs."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.errors import BadRequest, NotFound
from gateway.replay.lineage.explaining import explained
from gateway.replay.lineage.explanation import Explanation, UnknownPointer

Action = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description=(
            "The call: its action id, a decision's id, or the seq of its frame. Without one it is "
            "the step that broke, or else the last one."
        ),
    ),
]
Pointer = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        description=(
            "A JSON Pointer to one argument, `/is_refund` or `/action/arguments/is_refund`, or "
            "`/action/tool`. Without one every argument that departs is told."
        ),
    ),
]


class ExplainQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which call, and which of its arguments."""

    action: Action | UnsetType = UNSET
    pointer: Pointer | UnsetType = UNSET


async def _explain(parts: Parts, call: Call) -> Answer:
    query: ExplainQuery = call.query
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    if await parts.ledger.run(project_id, run_id) is None:
        raise run_missing(headers)
    try:
        found = await explained(
            parts.ledger,
            parts.keyring.run_secret,
            project_id,
            run_id,
            query.action or None,
            query.pointer or None,
        )
    except UnknownPointer as unknown:
        raise BadRequest("bad_parameter", str(unknown)) from None
    if found is None:
        raise NotFound("decision_not_found", "No decision about that call in this run.")
    return Answer(found, headers)


EXPLAIN_CALL: Final = Endpoint(
    _explain,
    Operation(
        id="explainCall",
        method="GET",
        path="/v1/runs/{run_id}/explain",
        scope="read",
        summary="Why a call has these arguments",
        description=(
            "Traces the arguments of a recorded call back through the model's answer and words, "
            "the plan, retrieved content, the user's words, the system prompt and the runs "
            "above this one, whose frames have a `run_id`. Tells the first frame in which "
            "a value, sign, unit, currency, direction or recipient departs, the cause, and the "
            "evidence by frame. "
            "Where the record does not suffice, the cause is `unknown`, and what was not recorded "
            "is named. No model is asked."
        ),
        query=ExplainQuery,
        reply=Explanation,
        problems=("run_not_found", "decision_not_found"),
    ),
)

"""One model call with all that the model was given: what earlier calls had told, put together."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.domain.pointers import array_index
from gateway.errors import Conflict, NotFound
from gateway.replay.reexecute.recorded import Api, recorded_call
from gateway.replay.reexecute.troubles import NotReExecutable


class ModelCallShown(Struct, frozen=True):
    """What a model was given at a step, in its provider's form, and what it answered.

    `evidence` is the step's own: tokens, cost, time, and which call it continues.
    """

    run_id: str
    seq: int
    api: Api
    model: str | None
    system: str | None
    messages: list[Any]
    tools: list[Any]
    parameters: dict[str, Any]
    answer: Any
    error: str | None
    evidence: dict[str, Any]


async def _show(parts: Parts, call: Call) -> Answer:
    project_id, run_id = call.caller.project_id, named_run(call)
    headers = await freshness.of_run(parts, project_id, run_id)
    if await parts.ledger.run(project_id, run_id) is None:
        raise run_missing(headers)
    seq = array_index(call.path["seq"]) or 0
    secret = parts.keyring.run_secret
    try:
        found = await recorded_call(parts.ledger, secret, project_id, run_id, seq)
    except NotReExecutable as error:
        raise Conflict(error.code, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    if found is None:
        raise NotFound("step_not_found", "No step of this seq in this run.")
    shown = ModelCallShown(
        run_id=run_id,
        seq=found.seq,
        api=found.api,
        model=found.model,
        system=found.system,
        messages=found.messages,
        tools=found.tools,
        parameters=found.parameters,
        answer=found.answer,
        error=found.error,
        evidence=found.body,
    )
    return Answer(shown, headers)


GET_MODEL_CALL: Final = Endpoint(
    _show,
    Operation(
        id="getModelCall",
        method="GET",
        path="/v1/runs/{run_id}/steps/{seq}/model-call",
        scope="read",
        summary="What a model was given at a step",
        description=(
            "System prompt, conversation, tools and parameters of one recorded model call. A frame "
            "holds what was new in its call; here is what the calls before it had told as well."
        ),
        reply=ModelCallShown,
        problems=("run_not_found", "step_not_found", "not_a_model_call", "model_call_incomplete"),
    ),
)

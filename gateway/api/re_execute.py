"""One recorded model step asked again, with its cost shown first; the answers side by side."""

from __future__ import annotations

from typing import Annotated, Any, Final, NoReturn

from msgspec import Meta, Struct

from gateway.api import freshness
from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.api.runs import named_run, run_missing
from gateway.domain.check import Name, RunRef
from gateway.domain.observations import (
    Digits,
    Message,
    ModelCall,
    Observation,
    RunEnded,
    Usage,
    Verification,
)
from gateway.domain.pointers import array_index
from gateway.domain.reports import EventBatch
from gateway.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable
from gateway.replay.record.manifest import UNASKED_MAX, Captured, Manifest, captured
from gateway.replay.reexecute.asked import Changes
from gateway.replay.reexecute.checks import Check, Label
from gateway.replay.reexecute.endpoints import EndpointName
from gateway.replay.reexecute.reexecuting import (
    CheckOutcome,
    Estimate,
    ModelAnswer,
    Prepared,
    Result,
    Wanted,
)
from gateway.replay.reexecute.troubles import (
    BadCheck,
    EndpointTrouble,
    NotReExecutable,
    Off,
    Unreachable,
)
from gateway.storage.ports import Caller


class ReExecute(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise, and what the answer must keep to. Without `confirm` nothing is sent.

    A parameter that is null is left out. `endpoint` is the one that speaks the step's protocol.
    """

    confirm: bool = False
    endpoint: EndpointName | None = None
    model: Name | None = None
    system: Annotated[str, Meta(max_length=100_000)] | None = None
    messages: Annotated[list[Any], Meta(min_length=1, max_length=2000)] | None = None
    parameters: dict[str, Any] = {}
    checks: Annotated[list[Check], Meta(max_length=32)] = []


class ReExecution(Struct, frozen=True):
    """The recorded answer, and beside it the new one: null while nothing was sent.

    `request` is what is sent, `notes` say in what it is not what the model was given then. `label`
    is `regression` when a check does not hold on the new answer, and null without checks.
    `recorded_as` is the run in which the re-execution is recorded, a child of the run. `capture` is
    of the run that is repeated: what nobody observed in it, no label speaks of.
    """

    run_id: str
    seq: int
    endpoint: EndpointName
    unchanged: bool
    request: dict[str, Any]
    notes: list[str]
    estimate: Estimate
    original: ModelAnswer
    now: ModelAnswer | None
    checks: list[CheckOutcome]
    label: Label | None
    recorded_as: str | None
    capture: Manifest | None = None


async def _re_execute(parts: Parts, call: Call) -> Answer:
    wanted: ReExecute = call.body
    caller, run_id = call.caller, named_run(call)
    _refuse_agents(caller)
    headers = await freshness.of_run(parts, caller.project_id, run_id)
    row = await parts.ledger.run(caller.project_id, run_id)
    if row is None:
        raise run_missing(headers)
    if parts.re_executor is None:
        raise Conflict(Off.code, "No endpoint is configured.")
    seq = array_index(call.path["seq"]) or 0
    try:
        prepared = await parts.re_executor.prepare(
            caller.project_id,
            run_id,
            seq,
            _wanted(wanted),
            environment=row["environment"],
            now_ns=parts.ambient.now_ns(),
        )
    except BadCheck as error:
        raise BadRequest(error.code, f"{error}.", pointer=error.pointer) from None
    except NotReExecutable as error:
        raise Conflict(error.code, f"{_upper(str(error))}.") from None
    if prepared is None:
        raise NotFound("step_not_found", "No step of this seq in this run.")
    secret = parts.keyring.run_secret
    seen = await captured(parts.ledger, secret, caller.project_id, [run_id], UNASKED_MAX)
    if not wanted.confirm:
        return Answer(_shown(run_id, prepared, None, None, seen), headers)
    with parts.re_executions:
        return await _sent(parts, caller, RunRef(**_child(parts, row)), prepared, seen)


async def _sent(
    parts: Parts, caller: Caller, child: RunRef, prepared: Prepared, seen: Captured
) -> Answer:
    """Recorded before it is sent, and again with what came of it: nothing is spent silently."""
    assert parts.re_executor is not None
    run_id = str(child.parent_run_id)
    begun = Message(role="gateway", text=_intention(run_id, prepared))
    opened = await parts.reporter.report_events(caller, EventBatch(child, [begun]))
    try:
        result = await parts.re_executor.answer(prepared)
    except EndpointTrouble as trouble:
        failed = ModelCall(
            **_common(prepared), status="failed", error=str(trouble), parent_id=_of(prepared)
        )
        ended = RunEnded(status="failed", error=str(trouble))
        await parts.reporter.report_events(caller, EventBatch(child, [failed, ended]))
        _refuse(trouble, opened.run_id)
    batch = EventBatch(child, _events(run_id, prepared, result))
    await parts.reporter.report_events(caller, batch)
    return Answer(_shown(run_id, prepared, result, opened.run_id, seen))


def _refuse_agents(caller: Caller) -> None:
    """It spends money, which is for people to decide."""
    if caller.agent_id is not None:
        raise Forbidden(detail="A key that is bound to an agent re-executes nothing.")


def _wanted(body: ReExecute) -> Wanted:
    changes = Changes(body.model, body.system, body.messages, body.parameters)
    return Wanted(changes, tuple(body.checks), body.endpoint)


def _child(parts: Parts, row: Any) -> dict[str, Any]:
    """A run of its own, below the one that it repeats, which stays what it was."""
    return {
        "id": parts.ambient.new_id("run"),
        "name": "re-execution",
        "parent_run_id": row["run_id"],
        # Who is erased there is erased here.
        "user_id": row["user_id"],
    }


def _intention(run_id: str, prepared: Prepared) -> str:
    cost = prepared.estimate.cost
    price = f"about {cost.amount} {cost.currency}" if cost else "at an unknown price"
    model = prepared.asked.body["model"]
    return (
        f"Step {prepared.call.seq} of {run_id} goes to {prepared.endpoint.name}: {model}, {price}."
    )


def _common(prepared: Prepared) -> dict[str, Any]:
    """What was asked. What is as it was in the step is found there."""
    body, changes = prepared.asked.body, prepared.wanted.changes
    named = ("messages", "input", "tools", "system", "instructions", "model")
    return {
        "provider": prepared.endpoint.name,
        "api": prepared.api,
        "id": str(body["model"])[:256],
        "parameters": {name: value for name, value in body.items() if name not in named},
        "system": changes.system,
        "messages": changes.messages or [],
    }


def _of(prepared: Prepared) -> str:
    return prepared.call.event_id


def _events(run_id: str, prepared: Prepared, result: Result) -> list[Observation]:
    answer = result.answer
    used = answer.tokens
    took: Digits | None = None if answer.duration_ms is None else str(int(answer.duration_ms * 1e6))
    asked = ModelCall(
        **_common(prepared),
        answer=answer.answer,
        usage=Usage(used.input_tokens, used.output_tokens, used.cached_tokens) if used else None,
        cost=result.cost,
        duration_ns=took,
        response_model=answer.model,
        status="succeeded",
        parent_id=_of(prepared),
    )
    verified = [
        Verification(
            name=type(each.check).__name__,
            status="passed" if each.now else "failed",
            output=each.why or None,
        )
        for each in result.outcomes
    ]
    cost = None if answer.cost is None else f"{answer.cost.amount} {answer.cost.currency}"
    output = {"of": run_id, "step": prepared.call.seq, "label": result.label, "cost": cost}
    return [asked, *verified, RunEnded(status="succeeded", output=output)]


def _shown(
    run_id: str,
    prepared: Prepared,
    result: Result | None,
    recorded_as: str | None,
    seen: Captured,
) -> ReExecution:
    return ReExecution(
        run_id=run_id,
        seq=prepared.call.seq,
        endpoint=prepared.endpoint.name,
        unchanged=prepared.wanted.changes.none,
        request=prepared.asked.body,
        notes=list(prepared.asked.notes),
        estimate=prepared.estimate,
        original=prepared.original,
        now=None if result is None else result.answer,
        checks=list(prepared.outcomes if result is None else result.outcomes),
        label=None if result is None else result.label,
        recorded_as=recorded_as,
        capture=seen.beside(_verdict(result)),
    )


def _verdict(result: Result | None) -> str:
    """As a clause."""
    if result is None:
        return "Nothing was sent"
    told = f", labelled {result.label} by the checks" if result.label else ""
    return f"The model was asked again{told}, and no tool ran"


def _refuse(trouble: EndpointTrouble, recorded_as: str) -> NoReturn:
    detail = f"{_upper(str(trouble))}. Recorded as {recorded_as}."
    if isinstance(trouble, Unreachable):
        raise Unavailable(trouble.code, detail) from None
    raise Conflict(trouble.code, detail) from None


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


RE_EXECUTE: Final = Endpoint(
    _re_execute,
    Operation(
        id="reExecuteStep",
        method="POST",
        path="/v1/runs/{run_id}/steps/{seq}/re-execute",
        scope="read",
        summary="Ask a model again, as it was or otherwise",
        description=(
            "Sends one recorded model call again to the endpoint that the operator configured, "
            "unchanged or with another model, prompt or parameters, and puts the answer beside the "
            "recorded one. Checks label it `pass` or `regression`. The calls that it proposes are "
            "judged by the policy, and do not run. Without `confirm` nothing is sent: the reply "
            "says what would be, and what it would cost. It is recorded as a run below the one it "
            "repeats. Keys that are bound to an agent may not."
        ),
        also="check",
        body=ReExecute,
        reply=ReExecution,
        problems=(
            "run_not_found",
            "step_not_found",
            "re_execution_off",
            "not_a_model_call",
            "model_call_incomplete",
            "bad_check",
            "model_unreachable",
            "model_refused",
            "model_answer_unreadable",
            "journal_unavailable",
            "run_contended",
        ),
    ),
)

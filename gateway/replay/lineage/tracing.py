"""From a call back to the user's words: where an argument first departs, and why.

The stations are in causal order: what the user said, what was retrieved, the plan, the model's
answer, the call. The cause is told from who has the departed value and who does not. What was not
recorded can make two causes look alike: then it is `unknown`, with the causes that remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.intent.v1.values import same
from gateway.replay.lineage.arguments import Argument, Reading, arguments_of
from gateway.replay.lineage.explanation import (
    Cause,
    Explanation,
    Finding,
    Step,
    UnknownPointer,
    gravity,
    missing_of,
)
from gateway.replay.lineage.hearing import Heard, Injected, expected_of, injected_by, listen
from gateway.replay.lineage.sources import Case
from gateway.replay.lineage.telling import call_step, finding_of, step_of, with_quote
from gateway.replay.quoting import quoted


def explain(run_id: str, case: Case, pointer: str | None = None) -> Explanation:
    """Trace the argument at `pointer`, or all of them and tell those that depart.

    Raises UnknownPointer.
    """
    arguments = arguments_of(case)
    if pointer is not None:
        arguments = _named(arguments, pointer)
    traced = [trace(case, each) for each in arguments]
    kept = traced if pointer is not None else [each for each in traced if each.cause != "none"]
    return Explanation(
        run_id=run_id,
        decision_id=case.decision_id,
        action_id=case.action_id,
        seq=case.seq,
        tool=case.tool,
        verdict=case.verdict,
        enforced=case.enforced,
        findings=tuple(sorted(kept, key=gravity)),
        examined=len(arguments),
        missing=missing_of(case),
        capture=case.capture,
    )


def _named(arguments: Sequence[Argument], pointer: str) -> list[Argument]:
    """The arguments at or below a pointer into the action, the frame, or the arguments."""
    for start in ("", "/action", "/action/arguments"):
        whole = start + pointer
        found = [a for a in arguments if a.pointer == whole or a.pointer.startswith(f"{whole}/")]
        if found and pointer:
            return found
    raise UnknownPointer(f"The call has no argument at {quoted(pointer)}.")


def trace(case: Case, argument: Argument) -> Finding:
    """Where this argument comes from."""
    heard = listen(case, argument)
    expected, relation = expected_of(heard)
    injected = injected_by(heard, expected)
    if relation == "" and injected is None:
        return finding_of(heard, "none", None, "", None)
    cause, flip, candidates = _cause(heard, injected)
    return finding_of(heard, cause, flip, relation or "different", expected, candidates)


def _cause(heard: Heard, injected: Injected | None) -> tuple[Cause, Step | None, tuple[Cause, ...]]:
    """Who was the first to have the departed value."""
    case = heard.case
    (plan, planned), (model, answered) = heard.plan, heard.model
    call = call_step(heard)
    if model is not None and answered.says == "departs" and not _model_erred(heard):
        return "code_changed", call, ()
    if model is not None and answered.relation == "absent" and planned.says != "agrees":
        return "code_changed", call, ()
    if injected is not None:
        step = step_of(injected.source, Reading("agrees", heard.argument.value))
        return "injected_instruction", with_quote(step, injected.quote), ()
    if plan is not None and planned.says == "agrees":
        cause: Cause = "context_misread" if heard.saying_so else "plan_against_request"
        if heard.request[1].says != "departs" and expected_of(heard)[1]:
            cause = "context_misread"
        return cause, step_of(plan, planned), ()
    if model is not None and answered.says == "agrees":
        misread = heard.saying_so and planned.says != "departs"
        return (
            ("context_misread" if misread else "model_against_plan"),
            step_of(model, answered),
            (),
        )
    if model is not None and answered.says == "departs":
        # The answer departed already, and what runs is a third value.
        return "model_against_plan", step_of(model, answered), ("code_changed",)
    if heard.saying_so and planned.says != "departs":
        return "context_misread", call, ()
    remaining: tuple[Cause, ...] = ("model_against_plan", "code_changed")
    if not case.plan:
        remaining = ("plan_against_request", *remaining)
    return "unknown", call, remaining


def _model_erred(heard: Heard) -> bool:
    """Whether the answer's value, which the call does not have, is not the expected one either."""
    others = [said for _, said in (heard.request, heard.plan) if said.says == "departs"]
    return bool(others) and not any(_alike(said.value, heard.model[1].value) for said in others)


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return True
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return bool(one == other)
    return same(one, other) in ("equal", "equivalent", "unit")

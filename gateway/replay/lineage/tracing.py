"""From a call back to the user's words: where an argument first departs, and why.

The stations are in causal order: what another run passed on, the system prompt, what the user
said, what was retrieved, the plan, the model's own words, its answer, the call. The cause is told
from who has the departed value and who does not. What was not recorded can make two causes look
alike: then it is `unknown`, with the causes that remain.
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
from gateway.replay.lineage.hearing import Heard, listen, thought_over
from gateway.replay.lineage.meaning import Injected, expected_of, injected_by
from gateway.replay.lineage.passed_on import heard_where_passed
from gateway.replay.lineage.sources import Case, Passed
from gateway.replay.lineage.telling import (
    call_step,
    finding_of,
    found_above,
    step_of,
    with_quote,
)
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
    """Where this argument comes from; where this run was told so, in the runs above it."""
    heard = listen(case, argument)
    found = _traced(heard)
    if found.cause != "none" or argument.kind == "tool":
        return found
    above = _above(heard, case.above)
    return found if above is None else above


def _traced(heard: Heard) -> Finding:
    expected, relation = expected_of(heard)
    injected = injected_by(heard, expected)
    if relation == "" and injected is None:
        return finding_of(heard, "none", None, "", None)
    heard = thought_over(heard)
    cause, flip, candidates = _cause(heard, injected)
    return finding_of(heard, cause, flip, relation or "different", expected, candidates)


def _above(heard: Heard, chain: Sequence[Passed]) -> Finding | None:
    """The finding of the nearest run above that departs, where all below did as they were told."""
    below: tuple[Heard, ...] = (heard,)
    for passed in chain:
        told = heard_where_passed(heard, passed)
        if told.spoken[1].says != "agrees":
            return None
        found = _traced(told)
        if found.cause != "none":
            return found_above(found, below)
        if told.request[0] is not None and told.request[1].says != "agrees":
            return None
        below = (told, *below)
    return None


def _cause(heard: Heard, injected: Injected | None) -> tuple[Cause, Step | None, tuple[Cause, ...]]:
    """Who was the first to have the departed value."""
    (plan, planned), (model, answered) = heard.plan, heard.model
    call = call_step(heard)
    if model is not None and answered.says == "departs" and not _model_erred(heard):
        return "code_changed", call, ()
    if model is not None and answered.relation == "absent" and planned.says != "agrees":
        return "code_changed", call, ()
    if injected is not None:
        step = step_of(injected.source, Reading("agrees", heard.argument.value))
        return "injected_instruction", with_quote(step, injected.quote), ()
    if heard.told_otherwise and heard.ruling is not None:
        return "plan_against_request", step_of(*heard.ruling), ()
    if plan is not None and planned.says == "agrees":
        cause: Cause = "context_misread" if heard.saying_so else "plan_against_request"
        if not heard.told_otherwise and expected_of(heard)[1]:
            cause = "context_misread"
        return cause, step_of(plan, planned), ()
    handed = next((passed for passed, said in heard.handed if said.says == "agrees"), None)
    if heard.told_otherwise and handed is not None:
        return _cause(thought_over(heard_where_passed(heard, handed)), None)
    return _cause_below_plan(heard, call)


def _cause_below_plan(heard: Heard, call: Step) -> tuple[Cause, Step | None, tuple[Cause, ...]]:
    """Nobody had it before the model: the model's words, its answer, or what came behind it."""
    planned, (model, answered) = heard.plan[1], heard.model
    misread = bool(heard.saying_so) and planned.says != "departs"
    said: Cause = "context_misread" if misread else "model_against_plan"
    thought = step_of(*heard.thinking) if heard.thinking is not None else None
    if model is not None and answered.says == "agrees":
        return said, thought or step_of(model, answered), ()
    if model is not None and answered.says == "departs":
        # The answer departed already, and what runs is a third value.
        return "model_against_plan", step_of(model, answered), ("code_changed",)
    if misread or thought is not None:
        return said, thought or call, ()
    remaining: tuple[Cause, ...] = ("model_against_plan", "code_changed")
    if not heard.case.plan:
        remaining = ("plan_against_request", *remaining)
    return "unknown", call, remaining


def _model_erred(heard: Heard) -> bool:
    """Whether the answer's value, which the call does not have, is not the expected one either."""
    asked = (heard.request, heard.passed, heard.plan)
    others = [said for _, said in asked if said.says == "departs"]
    return bool(others) and not any(_alike(said.value, heard.model[1].value) for said in others)


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return True
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return bool(one == other)
    return same(one, other) in ("equal", "equivalent", "unit")

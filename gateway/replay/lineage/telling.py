"""A finding in words and steps, with its evidence and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from gateway.domain import pointers
from gateway.replay.lineage.arguments import Argument, Reading, aspect_of
from gateway.replay.lineage.explanation import Cause, Certainty, Finding, Step, missing_of
from gateway.replay.lineage.hearing import Heard
from gateway.replay.lineage.sources import Source
from gateway.replay.quoting import around, quoted, value_shown

CONTENT_SHOWN: Final = 4
STEPS_MAX: Final = 48
_CAUSES_MEAN: Final[dict[str, str]] = {
    "injected_instruction": "an instruction in retrieved content asks for it",
    "plan_against_request": "the plan does not say what the request says",
    "model_against_plan": "the model's answer does not say what was planned or asked",
    "code_changed": "the code changed it between the model's answer and the call",
    "context_misread": "it was taken from another place of the retrieved content",
    "unknown": "the record does not tell where it changed",
    "none": "nothing that was recorded says otherwise",
}


def finding_of(
    heard: Heard,
    cause: Cause,
    flip: Step | None,
    relation: str,
    expected: Any,
    candidates: tuple[Cause, ...] = (),
) -> Finding:
    argument = heard.argument
    departs = cause != "none"
    return Finding(
        pointer=argument.pointer,
        value=value_shown(argument.value),
        expected=value_shown(expected) if departs else None,
        aspect=aspect_of(argument, relation, expected) if departs else None,
        cause=cause,
        certainty=_certainty(heard, cause),
        why=_why(argument, cause, flip, expected, unsaid=relation == "unsaid"),
        flip=flip,
        path=_path(heard),
        candidates=candidates,
        missing=missing_of(heard.case) if cause == "unknown" or _silent(heard) else (),
    )


def _silent(heard: Heard) -> bool:
    """Whether nothing was recorded that could have spoken of the call."""
    case = heard.case
    return not case.request and not case.plan and case.model is None


def _certainty(heard: Heard, cause: Cause) -> Certainty:
    """`certain` where fields and not words tell it, and no station in between is missing."""
    if cause == "unknown" or (cause == "none" and _silent(heard)):
        return "open"
    if heard.case.model is None or heard.case.gone:
        return "likely"
    told = [said for _, said in (heard.plan, heard.model) if said.says != "silent"]
    return "certain" if told and all(said.structured for said in told) else "likely"


def _why(
    argument: Argument, cause: Cause, flip: Step | None, expected: Any, *, unsaid: bool
) -> str:
    path = argument.pointer.split("/")
    named = "/".join(path[-2:]) if path[-1].isdigit() else path[-1]
    told = f"{named} is {_said(argument.value)}"
    if cause != "none" and expected is not None:
        told += f" where {_said(expected)} was meant"
    if unsaid:
        told += ", which nothing that was recorded before says"
    where = ""
    if flip is not None:
        run = f" of run {flip.run_id}" if flip.run_id else ""
        where = f" (frame {flip.seq}{run}, {flip.station})"
    return f"{quoted(told)}: {_CAUSES_MEAN[cause]}{where}."


def _said(value: Any) -> str:
    shown = value_shown(value)
    return str(shown).lower() if isinstance(shown, bool) else str(shown)


def found_above(found: Finding, below: Sequence[Heard]) -> Finding:
    """A finding of a run above, with the way from there; `below` begins with the nearest to it."""
    steps = [step for heard in below for step in _path(heard, from_above=False)]
    run = found.flip.run_id if found.flip else None
    missing = tuple(f"in the run {run}: {each}" for each in found.missing) if run else found.missing
    return replace(found, path=(*found.path, *steps)[:STEPS_MAX], missing=missing)


def _path(heard: Heard, *, from_above: bool = True) -> tuple[Step, ...]:
    """The stations in causal order; of content only what speaks of the value."""
    steps = [step_of(*each) for each in heard.known[:CONTENT_SHOWN]] if from_above else []
    if from_above and heard.passed[0] is not None:
        steps.append(step_of(*heard.passed))
    steps += [step_of(*each) for each in heard.system if each[1].says != "silent"]
    steps += [step_of(*heard.request)] if heard.request[0] else []
    told = [(source, said) for source, said in heard.content if said.says != "silent"]
    told.sort(key=lambda each: (each[1].says != "agrees", each[0].seq))
    steps += sorted(
        (step_of(source, said) for source, said in told[:CONTENT_SHOWN]), key=lambda step: step.seq
    )
    handed = [(each.words, said) for each, said in heard.handed if said.says != "silent"]
    steps += [step_of(*each) for each in handed]
    steps += [step_of(*each) for each in (heard.plan,) if each[0] is not None]
    steps += [step_of(*each) for each in heard.reasoning if each[1].says != "silent"]
    steps += [step_of(*each) for each in (heard.model,) if each[0] is not None]
    steps.append(call_step(heard))
    changed = _changed_step(heard)
    return (*steps, changed) if changed else tuple(steps)


def step_of(source: Source | None, said: Reading) -> Step:
    assert source is not None
    quote = said.quote
    if not quote and said.says == "silent" and source.text:
        quote = around(source.text, 0, 0)
    return Step(
        station=source.station,
        seq=source.seq,
        part=source.part,
        says=said.says,
        value=value_shown(said.value),
        quote=quote,
        name=quoted(source.name, 120) if source.name else None,
        trusted=source.trusted,
        run_id=source.run_id,
    )


def with_quote(step: Step, quote: str) -> Step:
    return replace(step, quote=quote)


def call_step(heard: Heard) -> Step:
    """The call, or the words that stand in its place."""
    if heard.spoken[0] is not None:
        return step_of(*heard.spoken)
    part = f"/frame{heard.argument.pointer}"
    value = value_shown(heard.argument.value)
    return Step("call", heard.case.seq, part, "agrees", value, "")


def _changed_step(heard: Heard) -> Step | None:
    """What a rule put in its place, where one modified the call."""
    if heard.case.changed is None or heard.argument.kind == "tool":
        return None
    inside = heard.argument.pointer.removeprefix("/action/arguments")
    value = pointers.resolve(heard.case.changed, inside)
    if value is pointers.MISSING or value == heard.argument.value:
        return None
    part = f"/decision/arguments{inside}"
    return Step("policy", heard.case.seq, part, "departs", value_shown(value), "")

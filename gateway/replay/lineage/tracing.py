"""From a call back to the user's words: where an argument first departs, and why.

The stations are in causal order: what the user said, what was retrieved, the plan, the model's
answer, the call. The cause is told from who has the departed value and who does not. What was not
recorded can make two causes look alike: then it is `unknown`, with the causes that remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.domain import pointers
from gateway.intent.v1.values import same
from gateway.replay.lineage.instructions import ordering
from gateway.replay.lineage.labels import asked_instead
from gateway.replay.lineage.reading import (
    SILENT,
    Argument,
    Aspect,
    Reading,
    Says,
    arguments_of,
    aspect_of,
    could_be,
    read,
)
from gateway.replay.lineage.trail import Case, Source, Station
from gateway.replay.quoting import around, quoted, value_shown

Cause = Literal[
    "injected_instruction",
    "plan_against_request",
    "model_against_plan",
    "code_changed",
    "context_misread",
    "unknown",
    "none",
]
Certainty = Literal["certain", "likely", "open"]
CONTENT_SHOWN: Final = 4
_ASPECTS: Final[tuple[Aspect, ...]] = (
    "tool",
    "direction",
    "recipient",
    "sign",
    "currency",
    "unit",
    "value",
)
_CAUSES_MEAN: Final[dict[str, str]] = {
    "injected_instruction": "an instruction in retrieved content asks for it",
    "plan_against_request": "the plan does not say what the request says",
    "model_against_plan": "the model's answer does not say what was planned or asked",
    "code_changed": "the code changed it between the model's answer and the call",
    "context_misread": "it was taken from another place of the retrieved content",
    "unknown": "the record does not tell where it changed",
    "none": "nothing that was recorded says otherwise",
}


class Step(Struct, frozen=True):
    """One station on the way of a value. `part` is a JSON Pointer into the content of frame `seq`.

    `says`: whether it has the call's value (`agrees`), another one (`departs`), or none.
    """

    station: Station
    seq: int
    part: str
    says: Says
    value: Any
    quote: str
    name: str | None = None
    trusted: bool = True


class Finding(Struct, frozen=True):
    """One argument traced. `flip` is the first frame in which the departed value is there.

    `missing` says what was not recorded, and `candidates` which causes remain without it.
    """

    pointer: str
    value: Any
    expected: Any
    aspect: Aspect | None
    cause: Cause
    certainty: Certainty
    why: str
    flip: Step | None
    path: tuple[Step, ...]
    candidates: tuple[Cause, ...] = ()
    missing: tuple[str, ...] = ()


class Explanation(Struct, frozen=True):
    """What became of each argument that departs; the first finding is the gravest.

    `missing` is what the whole call lacks in its record.
    """

    run_id: str
    decision_id: str
    action_id: str
    seq: int
    tool: str
    verdict: str
    enforced: str
    findings: tuple[Finding, ...]
    examined: int
    missing: tuple[str, ...]


class UnknownPointer(ValueError):
    """The call has no argument there."""


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
        findings=tuple(sorted(kept, key=_gravity)),
        examined=len(arguments),
        missing=_missing(case),
    )


def _named(arguments: Sequence[Argument], pointer: str) -> list[Argument]:
    """The arguments at or below a pointer into the action, the frame, or the arguments."""
    for start in ("", "/action", "/action/arguments"):
        whole = start + pointer
        found = [a for a in arguments if a.pointer == whole or a.pointer.startswith(f"{whole}/")]
        if found and pointer:
            return found
    raise UnknownPointer(f"The call has no argument at {quoted(pointer)}.")


def _gravity(finding: Finding) -> tuple[int, int, str]:
    order = _ASPECTS.index(finding.aspect) if finding.aspect else len(_ASPECTS)
    return (finding.cause == "unknown", order, finding.pointer)


class _Heard(Struct, frozen=True):
    """Everything that was read about one argument."""

    case: Case
    argument: Argument
    request: tuple[Source | None, Reading]
    plan: tuple[Source | None, Reading]
    model: tuple[Source | None, Reading]
    content: tuple[tuple[Source, Reading], ...]

    @property
    def saying_so(self) -> list[tuple[Source, Reading]]:
        """The retrieved content that has the call's value."""
        return [(source, said) for source, said in self.content if said.says == "agrees"]


def trace(case: Case, argument: Argument) -> Finding:
    """Where this argument comes from."""
    heard = _listen(case, argument)
    expected, relation = _expected(heard)
    injected = _injected(heard, expected)
    if relation == "" and injected is None:
        return _finding(heard, "none", None, "", None)
    cause, flip, candidates = _cause(heard, injected)
    return _finding(heard, cause, flip, relation or "different", expected, candidates)


def _listen(case: Case, argument: Argument) -> _Heard:
    plan = case.plan[0] if case.plan and not case.stale else None
    request = case.request[0] if case.request else None
    return _Heard(
        case,
        argument,
        (request, read(case, argument, request) if request else SILENT),
        (plan, read(case, argument, plan) if plan else SILENT),
        (case.model, read(case, argument, case.model) if case.model else SILENT),
        tuple((source, read(case, argument, source)) for source in case.content),
    )


def _expected(heard: _Heard) -> tuple[Any, str]:
    """What the value should have been, and how the call's stands to it; '' when nothing departs."""
    request, plan, model = (each[1] for each in (heard.request, heard.plan, heard.model))
    if request.says == "agrees":
        return None, ""
    for said in (request, plan):
        if said.says == "departs":
            return said.value, said.relation
    meant = _meant_instead(heard)
    if meant is not None:
        return meant, "different"
    if model.says == "departs":
        return model.value, model.relation
    if plan.says == "agrees" and plan.structured:
        # Nobody's words speak against it, and a plan has it: content may only complete it.
        return _vouched(heard) if heard.argument.kind in ("amount", "recipient") else (None, "")
    return _vouched(heard)


def _meant_instead(heard: _Heard) -> Any:
    """The value of the content that the request's words name, where the call has its neighbour."""
    if heard.argument.kind in ("boolean", "tool", "text"):
        return None
    asked = " ".join(
        source.text or "" for source in (heard.request[0], heard.plan[0]) if source is not None
    )
    for source, _ in heard.saying_so:
        value, key = heard.argument.value, heard.argument.key
        found = asked_instead(source.text or "", asked, value, key)
        if found is not None and could_be(heard.argument, found):
            return found.text.strip()
    return None


def _vouched(heard: _Heard) -> tuple[Any, str]:
    """What trusted content has in its place, where no content has the call's value."""
    if heard.argument.kind not in ("amount", "recipient", "id", "date"):
        return None, ""
    if any(source.trusted for source, _ in heard.saying_so):
        return None, ""
    for source, said in heard.content:
        if source.trusted and said.says == "departs":
            return said.value, said.relation
    return None, ""


class _Injected(Struct, frozen=True):
    source: Source
    quote: str


def _injected(heard: _Heard, expected: Any) -> _Injected | None:
    """The first content that gives an order for the call's value, where the user did not."""
    if heard.request[1].says == "agrees":
        return None
    vouched = any(source.trusted and not _commanded(heard, source) for source, _ in heard.saying_so)
    for source in heard.case.content:
        if source.trusted and expected is None:
            continue
        quote = _commanded(heard, source, plainly=expected is None)
        if quote is not None and not (vouched and expected is None):
            return _Injected(source, quote)
    return None


def _commanded(heard: _Heard, source: Source, *, plainly: bool = False) -> str | None:
    """The sentence of a content that orders the call's value."""
    for sentence in ordering(source.text or "", plainly=plainly):
        part = Source("content", source.seq, source.part, sentence)
        if read(heard.case, heard.argument, part).says == "agrees":
            return quoted(sentence)
    return None


def _cause(
    heard: _Heard, injected: _Injected | None
) -> tuple[Cause, Step | None, tuple[Cause, ...]]:
    """Who was the first to have the departed value."""
    case = heard.case
    (plan, planned), (model, answered) = heard.plan, heard.model
    call = _call_step(heard)
    if model is not None and answered.says == "departs" and not _model_erred(heard):
        return "code_changed", call, ()
    if model is not None and answered.relation == "absent" and planned.says != "agrees":
        return "code_changed", call, ()
    if injected is not None:
        step = _step(injected.source, Reading("agrees", heard.argument.value))
        return "injected_instruction", _with_quote(step, injected.quote), ()
    if plan is not None and planned.says == "agrees":
        cause: Cause = "context_misread" if heard.saying_so else "plan_against_request"
        if heard.request[1].says != "departs" and _expected(heard)[1]:
            cause = "context_misread"
        return cause, _step(plan, planned), ()
    if model is not None and answered.says == "agrees":
        misread = heard.saying_so and planned.says != "departs"
        return ("context_misread" if misread else "model_against_plan"), _step(model, answered), ()
    if model is not None and answered.says == "departs":
        # The answer departed already, and what runs is a third value.
        return "model_against_plan", _step(model, answered), ("code_changed",)
    if heard.saying_so and planned.says != "departs":
        return "context_misread", call, ()
    remaining: tuple[Cause, ...] = ("model_against_plan", "code_changed")
    if not case.plan:
        remaining = ("plan_against_request", *remaining)
    return "unknown", call, remaining


def _model_erred(heard: _Heard) -> bool:
    """Whether the answer's value, which the call does not have, is not the expected one either."""
    others = [said for _, said in (heard.request, heard.plan) if said.says == "departs"]
    return bool(others) and not any(_alike(said.value, heard.model[1].value) for said in others)


def _alike(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return True
    if isinstance(one, list | dict) or isinstance(other, list | dict):
        return bool(one == other)
    return same(one, other) in ("equal", "equivalent", "unit")


def _finding(
    heard: _Heard,
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
        why=_why(argument, cause, flip, expected),
        flip=flip,
        path=_path(heard),
        candidates=candidates,
        missing=_missing(heard.case) if cause == "unknown" or _silent(heard) else (),
    )


def _silent(heard: _Heard) -> bool:
    """Whether nothing was recorded that could have spoken of the call."""
    case = heard.case
    return not case.request and not case.plan and case.model is None


def _certainty(heard: _Heard, cause: Cause) -> Certainty:
    """`certain` where fields and not words tell it, and no station in between is missing."""
    if cause == "unknown" or (cause == "none" and _silent(heard)):
        return "open"
    if heard.case.model is None or heard.case.gone:
        return "likely"
    told = [said for _, said in (heard.plan, heard.model) if said.says != "silent"]
    return "certain" if told and all(said.structured for said in told) else "likely"


def _why(argument: Argument, cause: Cause, flip: Step | None, expected: Any) -> str:
    told = f"{argument.pointer.rpartition('/')[2]} is {_said(argument.value)}"
    if cause != "none" and expected is not None:
        told += f" where {_said(expected)} was meant"
    where = f" (frame {flip.seq}, {flip.station})" if flip is not None else ""
    return f"{quoted(told)}: {_CAUSES_MEAN[cause]}{where}."


def _said(value: Any) -> str:
    shown = value_shown(value)
    return str(shown).lower() if isinstance(shown, bool) else str(shown)


def _path(heard: _Heard) -> tuple[Step, ...]:
    """The stations in causal order; of content only what speaks of the value."""
    steps = [_step(*heard.request)] if heard.request[0] else []
    told = [(source, said) for source, said in heard.content if said.says != "silent"]
    told.sort(key=lambda each: (each[1].says != "agrees", each[0].seq))
    steps += sorted(
        (_step(source, said) for source, said in told[:CONTENT_SHOWN]), key=lambda step: step.seq
    )
    steps += [_step(*each) for each in (heard.plan, heard.model) if each[0] is not None]
    steps.append(_call_step(heard))
    changed = _changed_step(heard)
    return (*steps, changed) if changed else tuple(steps)


def _step(source: Source | None, said: Reading) -> Step:
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
    )


def _with_quote(step: Step, quote: str) -> Step:
    return replace(step, quote=quote)


def _call_step(heard: _Heard) -> Step:
    part = f"/frame{heard.argument.pointer}"
    value = value_shown(heard.argument.value)
    return Step("call", heard.case.seq, part, "agrees", value, "")


def _changed_step(heard: _Heard) -> Step | None:
    """What a rule put in its place, where one modified the call."""
    if heard.case.changed is None or heard.argument.kind == "tool":
        return None
    inside = heard.argument.pointer.removeprefix("/action/arguments")
    value = pointers.resolve(heard.case.changed, inside)
    if value is pointers.MISSING or value == heard.argument.value:
        return None
    part = f"/decision/arguments{inside}"
    return Step("policy", heard.case.seq, part, "departs", value_shown(value), "")


def _missing(case: Case) -> tuple[str, ...]:
    """What would have told more, and was not recorded."""
    told = []
    if not case.request:
        told.append("what the user asked: no request was recorded before this call")
    if not case.plan:
        told.append("the plan: none was recorded before this call")
    if case.model is None:
        none = "no model call was recorded" if not case.model_calls else "none proposed this call"
        told.append(
            f"the model's answer: {none}, so a change by the model cannot be told from one by "
            "the code"
        )
    if case.unread:
        told.append(f"the first {case.unread:,} frames of the run: it is too long to be read whole")
    if case.unread_content:
        told.append(f"{case.unread_content} older retrieved contents: there are too many")
    if case.gone:
        told.append(f"content that was erased or changed: {quoted(', '.join(case.gone))}")
    return tuple(told)

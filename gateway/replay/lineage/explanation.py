"""What an explanation is: findings, each with the way of a value through its stations."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.replay.lineage.arguments import Aspect, Says
from gateway.replay.lineage.sources import Case, Station
from gateway.replay.quoting import quoted

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
_ASPECTS: Final[tuple[Aspect, ...]] = (
    "tool",
    "direction",
    "recipient",
    "sign",
    "currency",
    "unit",
    "value",
)


class Step(Struct, frozen=True):
    """One station on the way of a value. `part` is a JSON Pointer into the content of frame `seq`.

    `says`: whether it has the call's value (`agrees`), another one (`departs`), or none.
    `run_id` is the run above that has the frame, null for the call's own.
    """

    station: Station
    seq: int
    part: str
    says: Says
    value: Any
    quote: str
    name: str | None = None
    trusted: bool = True
    run_id: str | None = None


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

    `missing` is what the whole call lacks in its record; `capture` says of the run, by boundary,
    whether all of it was seen.
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
    capture: dict[str, str] = {}


class UnknownPointer(ValueError):
    """The call has no argument there."""


def gravity(finding: Finding) -> tuple[int, int, str]:
    order = _ASPECTS.index(finding.aspect) if finding.aspect else len(_ASPECTS)
    return (finding.cause == "unknown", order, finding.pointer)


def missing_of(case: Case) -> tuple[str, ...]:
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
    told += case.lost
    if case.gone:
        told.append(f"content that was erased or changed: {quoted(', '.join(case.gone))}")
    return tuple(told)

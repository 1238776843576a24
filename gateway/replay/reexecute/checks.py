"""What an answer must keep to: each check holds, or says why not.

A re-execution is a `regression` when a check does not hold on the new answer, else a `pass`.
Texts and patterns come from outside; patterns take linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.domain import canonical, pointers
from gateway.domain.check import Name
from gateway.domain.verdicts import Verdict
from gateway.replay.lineage.model_answers import ToolCall, same_tool
from gateway.replay.quoting import value_shown
from gateway.replay.reexecute import schemas
from gateway.replay.reexecute.schemas import BadSchema
from gateway.replay.reexecute.troubles import BadCheck

Text = Annotated[str, Meta(min_length=1, max_length=10_000)]
Label = Literal["pass", "regression"]


class _Check(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    pass


class ToolCalled(_Check, frozen=True, tag="tool_called"):
    """The answer proposes a call of this tool."""

    tool: Name


class ToolNotCalled(_Check, frozen=True, tag="tool_not_called"):
    """The answer proposes no call of this tool."""

    tool: Name


class ArgumentEquals(_Check, frozen=True, tag="argument_equals"):
    """The tool is called, and each time the argument at the JSON Pointer is this value."""

    tool: Name
    pointer: Annotated[str, Meta(max_length=1024, pattern="^(/|$)")]
    value: Any


class ArgumentsMatch(_Check, frozen=True, tag="arguments_match"):
    """The tool is called, and each time its arguments fit the JSON Schema, without `$ref`."""

    tool: Name
    schema: dict[str, Any]


class TextContains(_Check, frozen=True, tag="text_contains"):
    """The answer's text has these words in it."""

    text: Text


class TextMatches(_Check, frozen=True, tag="text_matches"):
    """A regular expression of RE2 finds something in the answer's text."""

    pattern: Annotated[str, Meta(min_length=1, max_length=1000)]


class VerdictIs(_Check, frozen=True, tag="verdict"):
    """The policy's verdict on every call that the answer proposes, or on those of one tool."""

    one_of: Annotated[list[Verdict], Meta(min_length=1, max_length=6)]
    tool: Name | None = None


Check = (
    ToolCalled
    | ToolNotCalled
    | ArgumentEquals
    | ArgumentsMatch
    | TextContains
    | TextMatches
    | VerdictIs
)


class Judged(Struct, frozen=True):
    """A proposed call with the policy's verdict; None where it could not be judged."""

    call: ToolCall
    verdict: Verdict | None


class Outcome(Struct, frozen=True):
    """`why` says what is there where the check does not hold."""

    holds: bool
    why: str = ""


Look = Callable[[str, Sequence[Judged]], Outcome]
HELD = Outcome(True)


def compiled(checks: Sequence[Check]) -> list[Look]:
    """The checks as functions of an answer's text and calls. Raises BadCheck."""
    looks = []
    for place, check in enumerate(checks):
        try:
            looks.append(_look(check))
        except BadSchema as error:
            name = "schema" if isinstance(check, ArgumentsMatch) else "pattern"
            raise BadCheck(str(error), f"/checks/{place}/{name}") from None
    return looks


def label(outcomes: Sequence[Outcome]) -> Label | None:
    """None without checks: nobody said what must hold."""
    if not outcomes:
        return None
    return "pass" if all(outcome.holds for outcome in outcomes) else "regression"


def _look(check: Check) -> Look:
    match check:
        case ToolCalled(tool):
            return lambda _text, calls: _held(bool(_of(tool, calls)), _named(calls))
        case ToolNotCalled(tool):
            return lambda _text, calls: _held(not _of(tool, calls), _named(calls))
        case TextContains(words):
            return lambda text, _calls: _held(words in text, _began(text))
        case TextMatches(wanted):
            found = schemas.pattern(wanted)
            return lambda text, _calls: _held(found.search(text) is not None, _began(text))
        case ArgumentEquals(tool, pointer, value):
            equal = canonical.jcs(value)
            return lambda _text, calls: _each(tool, calls, lambda call: _at(call, pointer, equal))
        case ArgumentsMatch(tool, schema):
            complaint = schemas.compiled(schema)
            return lambda _text, calls: _each(tool, calls, lambda call: complaint(call.arguments))
        case VerdictIs(one_of, only):
            return lambda _text, calls: _judged(_of(only, calls) if only else calls, one_of)


def _each(
    tool: str, calls: Sequence[Judged], complaint: Callable[[ToolCall], str | None]
) -> Outcome:
    mine = _of(tool, calls)
    if not mine:
        return Outcome(False, _named(calls))
    for judged in mine:
        if judged.call.arguments is None:
            return Outcome(False, "its arguments are no JSON object")
        wrong = complaint(judged.call)
        if wrong is not None:
            return Outcome(False, wrong)
    return HELD


def _at(call: ToolCall, pointer: str, equal: bytes) -> str | None:
    found = pointers.resolve(call.arguments, pointer)
    if found is pointers.MISSING:
        return f"there is nothing at {pointer}"
    return None if canonical.jcs(found) == equal else f"{pointer} is {value_shown(found)}"


def _judged(calls: Sequence[Judged], one_of: list[Verdict]) -> Outcome:
    for judged in calls:
        if judged.verdict not in one_of:
            return Outcome(False, f"{judged.call.name}: {judged.verdict or 'not judged'}")
    return HELD


def _of(tool: str, calls: Sequence[Judged]) -> list[Judged]:
    return [judged for judged in calls if same_tool(judged.call.name, tool)]


def _named(calls: Sequence[Judged]) -> str:
    names = ", ".join(judged.call.name for judged in calls[:8])
    return f"called: {value_shown(names)}" if names else "no tool is called"


def _began(text: str) -> str:
    return f"it says: {value_shown(text)}" if text else "it says nothing"


def _held(holds: bool, why: str) -> Outcome:
    return HELD if holds else Outcome(False, why)

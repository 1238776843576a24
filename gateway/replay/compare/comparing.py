"""How two runs differ: configuration beside behaviour, the first divergence, time and cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from gateway.domain import pointers
from gateway.replay.compare.aligning import align
from gateway.replay.compare.course import Call, Course, Totals
from gateway.replay.quoting import quoted, value_shown
from gateway.replay.record.capture import State

Likeness = Literal["same", "output", "changed", "missing", "extra", "moved"]
Aspect = Literal["arguments", "decision", "status", "error", "output"]
DIFFERENCES_MAX: Final = 16
NAME_CHARS: Final = 256


class Difference(Struct, frozen=True):
    """One value that differs. `pointer` leads into the arguments or the output; null is absent."""

    aspect: Aspect
    pointer: str
    run: Any
    other: Any


class Side(Struct, frozen=True):
    """One of the runs, with what it took. `left_out` calls were too many to be compared; `capture`
    says how far each boundary between the agent and the world was watched."""

    run_id: str
    name: str | None
    agent_id: str | None
    status: str
    started_at: str
    totals: Totals
    left_out: int
    gone: int
    capture: dict[str, State] = {}


class Change(Struct, frozen=True):
    """Something that was configured otherwise: of several values in the order of their use."""

    what: str
    name: str
    run: tuple[Any, ...]
    other: tuple[Any, ...]


class Beside(Struct, frozen=True):
    """Two calls side by side; a seq is null where a run has no such call.

    `output`: the same call, decided and ended alike, that gave something else.
    """

    likeness: Likeness
    tool: str
    task: tuple[str, ...]
    run_seq: int | None
    other_seq: int | None
    differences: tuple[Difference, ...]
    run_ms: float | None = None
    other_ms: float | None = None


class Comparison(Struct, frozen=True):
    """`first` is the place in `calls` of the first that was made, decided or ended otherwise;
    `first_output` that of the first before it that only gave something else.

    `chosen` is `last_good` where the other run was found as the last that succeeded of the same
    agent and task.
    """

    run: Side
    other: Side
    chosen: Literal["given", "last_good"]
    configuration: tuple[Change, ...]
    calls: tuple[Beside, ...]
    counts: dict[str, int]
    first: int | None
    first_output: int | None
    cost: dict[str, int]
    duration_ms: int | None


def compare(
    run: Mapping[str, Any],
    course: Course,
    other: Mapping[str, Any],
    others: Course,
    *,
    chosen: Literal["given", "last_good"] = "given",
) -> Comparison:
    """Two runs, each its row and its course."""
    pairs, moved = align(course.calls, others.calls)
    calls = tuple(_beside(*pair, moved=place in moved) for place, pair in enumerate(pairs))
    one, two = _side(run, course), _side(other, others)
    counts: dict[str, int] = {word: sum(each.likeness == word for each in calls) for word in _WORDS}
    first = next((n for n, c in enumerate(calls) if c.likeness not in ("same", "output")), None)
    outputs = (n for n, c in enumerate(calls[:first]) if c.likeness == "output")
    return Comparison(
        run=one,
        other=two,
        chosen=chosen,
        configuration=tuple(_changes(course.configuration, others.configuration)),
        calls=calls,
        counts=counts,
        first=first,
        first_output=next(outputs, None),
        cost=_minus(one.totals.cost, two.totals.cost),
        duration_ms=_less(one.totals.duration_ms, two.totals.duration_ms),
    )


_WORDS: Final[tuple[Likeness, ...]] = get_args(Likeness)


def last_good(run: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> str | None:
    """The last run that succeeded before this one, of the same agent and the same name.

    `runs` come newest first.
    """
    for each in runs:
        if (
            each["status"] == "succeeded"
            and each["run_id"] != run["run_id"]
            and each["started_at"] < run["started_at"]
            and (each["agent_id"], each["name"], each["environment"])
            == (run["agent_id"], run["name"], run["environment"])
        ):
            return str(each["run_id"])
    return None


def _side(run: Mapping[str, Any], course: Course) -> Side:
    return Side(
        run_id=run["run_id"],
        name=_short(run["name"]),
        agent_id=_short(run["agent_id"]),
        status=run["status"],
        started_at=run["started_at"],
        totals=course.totals(),
        left_out=course.left_out,
        gone=course.gone,
        capture=course.capture.states(),
    )


def _short(name: str | None) -> str | None:
    return None if name is None else quoted(name, NAME_CHARS)


def _changes(
    run: Mapping[tuple[str, str], Sequence[Any]], other: Mapping[tuple[str, str], Sequence[Any]]
) -> Iterator[Change]:
    """Sorted by what it is and by name. What only one side recorded is a change as well."""
    for what, name in sorted({*run, *other}):
        mine, yours = run.get((what, name), ()), other.get((what, name), ())
        if list(mine) != list(yours):
            shown = [tuple(map(value_shown, each)) for each in (mine, yours)]
            yield Change(what, quoted(name, NAME_CHARS), *shown)


def _beside(call: Call | None, other: Call | None, *, moved: bool) -> Beside:
    known = call or other
    assert known is not None
    differences = tuple(_differences(call, other)) if call and other else ()
    likeness: Likeness = "changed" if differences else "same"
    if differences and all(each.aspect == "output" for each in differences):
        likeness = "output"
    if call is None:
        likeness = "missing"
    elif other is None:
        likeness = "extra"
    elif moved:
        likeness = "moved"
    return Beside(
        likeness=likeness,
        tool=quoted(known.tool, NAME_CHARS),
        task=tuple(known.task),
        run_seq=call.seq if call else None,
        other_seq=other.seq if other else None,
        differences=differences,
        run_ms=_ms(call),
        other_ms=_ms(other),
    )


def _differences(call: Call, other: Call) -> Iterator[Difference]:
    if call.arguments_digest != other.arguments_digest:
        yield from _values("arguments", call.arguments, other.arguments)
    mine, yours = (
        {"verdict": each.verdict, "enforced": each.enforced, "rules": sorted(each.rules)}
        for each in (call, other)
    )
    if mine != yours:
        yield from _values("decision", mine, yours)
    if call.status != other.status:
        yield Difference("status", "", call.status, other.status)
    if call.error != other.error:
        yield Difference("error", "", value_shown(call.error), value_shown(other.error))
    if call.output_digest != other.output_digest:
        yield from _values("output", call.output, other.output)


def _values(aspect: Aspect, one: Any, other: Any) -> Iterator[Difference]:
    """Where two values differ, at most so many places; too large ones only that they do."""
    left = DIFFERENCES_MAX
    for pointer, mine, yours in _apart(one, other, ()):
        yield Difference(aspect, pointer, value_shown(mine), value_shown(yours))
        left -= 1
        if not left:
            return
    if left == DIFFERENCES_MAX:
        yield Difference(aspect, "", value_shown(one), value_shown(other))


def _apart(one: Any, other: Any, steps: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            yield from _apart(one.get(name), other.get(name), (*steps, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (mine, yours) in enumerate(zip(one, other, strict=True)):
            yield from _apart(mine, yours, (*steps, str(place)))
    elif msgspec.json.encode(one) != msgspec.json.encode(other):
        yield pointers.write(steps), one, other


def _ms(call: Call | None) -> float | None:
    if call is None or call.duration_ns is None:
        return None
    return round(call.duration_ns / 1e6, 3)


def _minus(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) - other.get(name, 0) for name in sorted({*one, *other})}


def _less(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one - other

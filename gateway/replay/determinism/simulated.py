"""Determinism told from simulations: the same code, played several times against one recording.

The world is the recorded one each time, so whatever is otherwise comes from the code itself: what
differs between the simulations is chance, a clock, an order or arithmetic; what is the same in all
of them and differs from the record comes from something that was not recorded, or from other code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.replay.determinism.advice import ADVICE
from gateway.replay.determinism.detectors import (
    EFFECTS,
    Issue,
    Kind,
    Severity,
    made_up,
    moment_of,
)
from gateway.replay.determinism.scoring import COSTS, ISSUES_MAX, Coverage, Determinism, band_of

_Divergence = Literal["name", "input", "output", "order", "missing", "extra"]
# By run and seq.
Effects = Mapping[tuple[str, int], frozenset[str]]
_KEYS: Final = ("idempotency", "idempotent", "dedup", "nonce")


class SeenDifference(Struct, frozen=True):
    """A value in the record, and in one simulation."""

    pointer: str
    recorded: Any
    simulated: Any


class SeenRow(Struct, frozen=True):
    """A call on either side, as an SDK's report has it."""

    call: str
    name: str
    made: int | None
    run_id: str | None
    seq: int | None
    result: str
    kinds: tuple[_Divergence, ...] = ()
    differences: tuple[SeenDifference, ...] = ()
    file: str | None = None
    line: int | None = None


class Simulated(Struct, frozen=True):
    """One simulation: the part of an SDK's report that is read here."""

    run_id: str
    rows: tuple[SeenRow, ...]


class _Call(Struct, frozen=True):
    run_id: str
    seq: int
    side_effects: tuple[str, ...] = ()


class _Calls(Struct, frozen=True):
    calls: tuple[_Call, ...]


def effects_of(cassette: bytes) -> Effects:
    """The side effects of the recorded calls, by their events. Raises msgspec.MsgspecError."""
    read = msgspec.json.decode(cassette, type=_Calls)
    return {(call.run_id, call.seq): frozenset(call.side_effects) for call in read.calls}


def from_simulations(simulations: Sequence[Simulated], effects: Effects) -> Determinism:
    """The score; `effects` are the side effects of the recorded calls."""
    found: dict[tuple[str, str, str], Issue] = {}
    for issue in (*_of_values(simulations, effects), *_of_course(simulations, effects)):
        if len(found) < ISSUES_MAX:
            found.setdefault((issue.kind, issue.tool, issue.place), issue)
    order = list(COSTS)
    issues = sorted(found.values(), key=lambda i: (order.index(i.severity), i.seq))
    rows = simulations[0].rows
    tools = [row for row in rows if row.call == "tool"]
    score = max(0, 100 - sum(COSTS[each.severity] for each in issues)) if rows else None
    return Determinism(
        run_id=simulations[0].run_id,
        score=score,
        band=None if score is None else band_of(score),
        source="simulations",
        how=(
            f"From {len(simulations)} simulations of the code against the record: 100, less 30 for "
            "each critical issue, 15 for a high one, 8 for a medium and 3 for a low one. The same "
            "place of the same tool counts once."
        ),
        coverage=Coverage(
            calls=len(tools),
            arguments=sum(row.made is not None for row in tools),
            outputs=0,
            model_calls=len(rows) - len(tools),
            unseen=(
                "what the tools themselves do: they were answered from the record",
                f"what happens less often than once in {len(simulations)} times",
            ),
        ),
        issues=tuple(issues),
        advice=tuple(ADVICE[kind] for kind in dict.fromkeys(each.kind for each in issues)),
    )


def _of_values(simulations: Sequence[Simulated], effects: Effects) -> Iterator[Issue]:
    """Arguments that were otherwise, by recorded call and place."""
    values: dict[tuple[tuple[str, int], str], dict[int, SeenDifference]] = {}
    rows: dict[tuple[str, int], SeenRow] = {}
    for number, simulation in enumerate(simulations):
        for row in simulation.rows:
            event = _event(row)
            if event is None or "input" not in row.kinds:
                continue
            rows.setdefault(event, row)
            for each in _together(row.differences):
                values.setdefault((event, each.pointer), {})[number] = each
    for (event, pointer), differing in sorted(values.items(), key=lambda one: one[0]):
        first = next(iter(differing.values()))
        seen = {msgspec.json.encode(each.simulated) for each in differing.values()}
        varies = len(seen) > 1 or len(differing) < len(simulations)
        kind, what = _kind(first, varies=varies)
        count = f"{len(differing)} of {len(simulations)} simulations"
        told = f"{what}: another value than the recorded one in {count}"
        yield _issue(kind, rows[event], pointer, first.simulated, told, effects)


def _together(differences: Sequence[SeenDifference]) -> list[SeenDifference]:
    """Items of one list that only changed places are one difference, at the list."""
    by_list: dict[str, list[SeenDifference]] = {}
    for each in differences:
        head, _, last = each.pointer.rpartition("/")
        by_list.setdefault(head if last.isdigit() else each.pointer, []).append(each)
    made: list[SeenDifference] = []
    for pointer, some in by_list.items():
        before = sorted(msgspec.json.encode(each.recorded) for each in some)
        after = sorted(msgspec.json.encode(each.simulated) for each in some)
        if len(some) > 1 and before == after:
            items = [[each.recorded for each in some], [each.simulated for each in some]]
            made.append(SeenDifference(pointer, *items))
        else:
            made += some
    return made


def _kind(seen: SeenDifference, *, varies: bool) -> tuple[Kind, str]:
    before, now = seen.recorded, seen.simulated
    if isinstance(now, list):
        return "ordering", "the same items in another order"
    if moment_of(now) is not None and moment_of(before) is not None:
        return "timestamp", "a time, read when the call was made"
    if _nearly(before, now):
        return "floating_point", "a number that was worked out otherwise"
    what = made_up(now)
    if what is not None:
        return "random", what
    if varies:
        return "random", "a value that the code makes up each time"
    return "external_state", "a value from something that was not recorded, or from other code"


def _nearly(before: Any, now: Any) -> bool:
    numbers = [each for each in (before, now) if isinstance(each, int | float)]
    if len(numbers) < 2 or any(isinstance(each, bool) for each in numbers):
        return False
    return isinstance(now, float) and abs(now - before) <= 1e-9 * max(map(abs, numbers))


def _of_course(simulations: Sequence[Simulated], effects: Effects) -> Iterator[Issue]:
    """Calls that were made or not, and in which order."""
    seen: dict[tuple[_Divergence, str, tuple[str, int]], list[SeenRow]] = {}
    for simulation in simulations:
        extra: dict[str, int] = {}
        for row in simulation.rows:
            for kind in row.kinds:
                if kind in ("input", "output"):
                    continue
                # What nobody recorded is told apart by how many there are of a tool.
                extra[row.name] = extra.get(row.name, 0) + (row.seq is None)
                event = _event(row) or ("", extra[row.name])
                seen.setdefault((kind, row.name, event), []).append(row)
    for (kind, _name, _), rows in seen.items():
        count = f"{len(rows)} of {len(simulations)} simulations"
        if kind == "order":
            yield _issue("ordering", rows[0], "", None, f"made earlier in {count}", effects)
            continue
        always = len(rows) == len(simulations)
        what = {"name": "another call in its place", "missing": "not made"}.get(kind, "made anew")
        why = "something that was not recorded, or other code" if always else "chance or a clock"
        issue: Kind = "external_state" if always else "random"
        yield _issue(issue, rows[0], "", None, f"{what} in {count}, for {why}", effects)


def _event(row: SeenRow) -> tuple[str, int] | None:
    return None if row.run_id is None or row.seq is None else (row.run_id, row.seq)


def _issue(
    kind: Kind,
    row: SeenRow,
    place: str,
    value: Any,
    told: str,
    effects: Effects,
) -> Issue:
    keyed = any(word in place.lower() for word in _KEYS)
    event = _event(row)
    acts = event is not None and bool(effects.get(event, frozenset()) & EFFECTS)
    severity: Severity = "critical" if keyed else "high" if acts else "medium"
    if row.file is not None:
        told = f"{told} ({PurePath(row.file).name}:{row.line})"
    return Issue(kind, severity, row.seq or 0, row.name, place, value, told, row.line)

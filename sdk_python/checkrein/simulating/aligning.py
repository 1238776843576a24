"""What was otherwise: the calls that were made beside those that were recorded, at the end.

A call that was lent another's outcome and whose own was never made had other input. Of what is left
on both sides, a call of another tool in the place of a recorded one is another name; the rest is
extra or missing. Calls are out of order when a call came before one that was over, when they were
recorded, before it began: what overlapped has no order.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Literal, NamedTuple

from checkrein.simulating.matching import How

Kind = Literal["name", "input", "output", "order", "missing", "extra"]
# With more calls than this in disorder, each that takes part is marked: nobody reads a smaller set.
INVERSIONS_MAX = 500


class Entry(NamedTuple):
    """A call as it was made: which recorded one it was given, and how that fits."""

    name: str
    at: int
    how: How


class Interval(NamedTuple):
    """When a recorded call was under way, by the order of events. `end` None: it was never over."""

    name: str
    start: int
    end: int | None


class Pair(NamedTuple):
    """A row of the comparison: the place of the call made, that of the recorded one, or both."""

    made: int | None
    recorded: int | None
    kind: Kind | None


def align(
    made: Sequence[Entry], recorded: Sequence[Interval], unexpected: Set[int] = frozenset()
) -> list[Pair]:
    """Every call of both sides once, in the order in which calls were made, what is missing in its
    place in between. `unexpected` are recorded calls that nobody needs to make."""
    pairs = _pairs(made, recorded, unexpected)
    late = out_of_order(
        [
            recorded[pair.recorded]
            for pair in pairs
            if pair.kind is None and pair.recorded is not None
        ]
    )
    rows: list[Pair] = []
    place = 0
    for pair in pairs:
        if pair.kind is None:
            rows.append(pair._replace(kind="order" if place in late else None))
            place += 1
        else:
            rows.append(pair)
    return _with_missing(rows, len(recorded), unexpected)


def out_of_order(intervals: Sequence[Interval]) -> set[int]:
    """The fewest places, nearly, without which all calls are in an order that was recorded."""
    against: dict[int, set[int]] = {}
    latest = 0
    for place, (_, start, end) in enumerate(intervals):
        if end is not None and latest > end:
            for before in range(place):
                if intervals[before].start > end:
                    against.setdefault(before, set()).add(place)
                    against.setdefault(place, set()).add(before)
        latest = max(latest, start)
        if len(against) > INVERSIONS_MAX:
            return _in_disorder(intervals)
    found: set[int] = set()
    while against:
        worst = min(against, key=lambda one: (-len(against[one]), one))
        found.add(worst)
        for other in against.pop(worst):
            against[other].discard(worst)
        against = {one: others for one, others in against.items() if others}
    return found


def _in_disorder(intervals: Sequence[Interval]) -> set[int]:
    """Every place that is out of order with some other one."""
    found: set[int] = set()
    latest = 0
    for place, (_, start, end) in enumerate(intervals):
        found |= {place} if end is not None and latest > end else set()
        latest = max(latest, start)
    earliest: int | None = None
    for place in reversed(range(len(intervals))):
        _, start, end = intervals[place]
        found |= {place} if earliest is not None and start > earliest else set()
        if end is not None:
            earliest = end if earliest is None else min(earliest, end)
    return found


def _pairs(made: Sequence[Entry], recorded: Sequence[Interval], unexpected: Set[int]) -> list[Pair]:
    """Each call that was made, with the recorded one that it was, if any."""
    same = {entry.at for entry in made if entry.how == "same"}
    pairs: list[Pair] = []
    for place, entry in enumerate(made):
        if entry.how == "same":
            pairs.append(Pair(place, entry.at, None))
        elif entry.how == "input" and entry.at not in same:
            pairs.append(Pair(place, entry.at, "input"))
        else:
            pairs.append(Pair(place, None, "extra"))
    taken = {pair.recorded for pair in pairs if pair.recorded is not None} | unexpected
    left = [at for at in range(len(recorded)) if at not in taken]
    for place, pair in enumerate(pairs):
        if pair.kind == "extra":
            at = _in_the_place_of(pairs, place, left)
            if at is not None:
                left.remove(at)
                alike = recorded[at].name == made[place].name
                pairs[place] = Pair(pair.made, at, "input" if alike else "name")
    return pairs


def _in_the_place_of(pairs: list[Pair], place: int, left: list[int]) -> int | None:
    """A recorded call that nobody made, between the neighbours of one that nobody recorded."""
    before = max((p.recorded for p in pairs[:place] if p.recorded is not None), default=-1)
    after = min((p.recorded for p in pairs[place:] if p.recorded is not None), default=None)
    return next((at for at in left if before < at and (after is None or at < after)), None)


def _with_missing(rows: list[Pair], recorded: int, unexpected: Set[int]) -> list[Pair]:
    taken = {row.recorded for row in rows} | unexpected
    made: list[Pair] = []
    missing = [at for at in range(recorded) if at not in taken]
    reached = -1
    for row in rows:
        if row.recorded is not None and row.recorded > reached:
            while missing and missing[0] < row.recorded:
                made.append(Pair(None, missing.pop(0), "missing"))
            reached = row.recorded
        made.append(row)
    return made + [Pair(None, at, "missing") for at in missing]

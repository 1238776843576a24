"""The calls of two runs side by side: by task, tool and arguments, in the order of both.

Equal beginnings and ends are taken first, the middle by the best alignment there is. What is left
over on both sides and is the same call has moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.intent.v1.values import contained, forms
from gateway.replay.compare.course import Call

Pair = tuple[Call | None, Call | None]
# The work of aligning grows with the product of both sides: what is longer is paired in order.
CELLS_MAX: Final = 250_000
_SAME: Final = 1.0
_TOOL: Final = 0.5
_GAP: Final = -0.1


def align(run: Sequence[Call], other: Sequence[Call]) -> tuple[list[Pair], frozenset[int]]:
    """Pairs in order, and the places of those that moved."""
    start = 0
    while start < min(len(run), len(other)) and same_call(run[start], other[start]):
        start += 1
    end = 0
    most = min(len(run), len(other)) - start
    while end < most and same_call(run[-1 - end], other[-1 - end]):
        end += 1
    middle = _middle(run[start : len(run) - end], other[start : len(other) - end])
    pairs: list[Pair] = [
        *zip(run[:start], other[:start], strict=True),
        *middle,
        *zip(run[len(run) - end :], other[len(other) - end :], strict=True),
    ]
    return _moved(pairs)


def same_call(one: Call, other: Call) -> bool:
    """The same task, tool and arguments."""
    return (one.task, one.tool, one.arguments_digest) == (
        other.task,
        other.tool,
        other.arguments_digest,
    )


def likeness(one: Call, other: Call, mine: frozenset[str], yours: frozenset[str]) -> float:
    """0 for calls of different tools, 1 for the same call; the last two spell their arguments."""
    if one.tool != other.tool:
        return 0.0
    if one.arguments_digest == other.arguments_digest:
        return _SAME if one.task == other.task else 0.9
    return _TOOL + 0.3 * contained(mine, yours) + (0.1 if one.task == other.task else 0.0)


def _spelled(arguments: Any) -> frozenset[str]:
    if not isinstance(arguments, dict):
        return frozenset()
    found: set[str] = set()
    for key, value in list(arguments.items())[:32]:
        if not isinstance(value, dict | list):
            found |= {f"{key}={each}" for each in sorted(forms(value))[:2]}
    return frozenset(found)


def _middle(run: Sequence[Call], other: Sequence[Call]) -> list[Pair]:
    if len(run) * len(other) > CELLS_MAX:
        return _in_order(run, other)
    mine, yours = ([_spelled(call.arguments) for call in each] for each in (run, other))
    likes = [
        [likeness(one, two, mine[i], yours[j]) for j, two in enumerate(other)]
        for i, one in enumerate(run)
    ]
    scores = [[0.0] * (len(other) + 1) for _ in range(len(run) + 1)]
    for i in range(len(run) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            like = likes[i][j]
            paired = scores[i + 1][j + 1] + like if like else -1.0
            scores[i][j] = max(paired, scores[i + 1][j] + _GAP, scores[i][j + 1] + _GAP)
    return _walked(run, other, scores, likes)


def _walked(
    run: Sequence[Call],
    other: Sequence[Call],
    scores: Sequence[Sequence[float]],
    likes: Sequence[Sequence[float]],
) -> list[Pair]:
    pairs: list[Pair] = []
    i = j = 0
    while i < len(run) and j < len(other):
        like = likes[i][j]
        if like and scores[i][j] == scores[i + 1][j + 1] + like:
            pairs.append((run[i], other[j]))
            i, j = i + 1, j + 1
        elif scores[i][j] == scores[i][j + 1] + _GAP:
            pairs.append((None, other[j]))
            j += 1
        else:
            pairs.append((run[i], None))
            i += 1
    pairs += [(call, None) for call in run[i:]]
    pairs += [(None, call) for call in other[j:]]
    return pairs


def _in_order(run: Sequence[Call], other: Sequence[Call]) -> list[Pair]:
    """Too long to align: each call with the next of the same tool and arguments behind it."""
    pairs: list[Pair] = []
    at = 0
    places: dict[tuple[str, str], list[int]] = {}
    for place, call in enumerate(other):
        places.setdefault((call.tool, call.arguments_digest), []).append(place)
    for call in run:
        ahead = places.get((call.tool, call.arguments_digest), [])
        while ahead and ahead[0] < at:
            ahead.pop(0)
        if ahead:
            pairs += [(None, each) for each in other[at : ahead[0]]]
            pairs.append((call, other[ahead[0]]))
            at = ahead.pop(0) + 1
        else:
            pairs.append((call, None))
    return pairs + [(None, each) for each in other[at:]]


def _moved(pairs: Sequence[Pair]) -> tuple[list[Pair], frozenset[int]]:
    """Pair what is missing on one side with the same call that is extra on the other."""
    extra = {
        (call.tool, call.arguments_digest): place
        for place, (call, other) in reversed(list(enumerate(pairs)))
        if call is not None and other is None
    }
    kept: dict[int, Pair] = dict(enumerate(pairs))
    moved: set[int] = set()
    for place, (call, other) in enumerate(pairs):
        if call is not None or other is None:
            continue
        found = extra.pop((other.tool, other.arguments_digest), None)
        if found is not None:
            kept[found] = (pairs[found][0], other)
            moved.add(found)
            del kept[place]
    order = sorted(kept)
    return [kept[place] for place in order], frozenset(order.index(place) for place in moved)

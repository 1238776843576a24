"""A list of a plan against one of a call: what was lost, added, or said again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.intent.v1.plan_difference import HARD, WEIGHTS, Difference, difference, vague
from gateway.intent.v1.plan_fields import Pair, elements
from gateway.intent.v1.plan_kinds import Kind, scalar
from gateway.intent.v1.values import forms, same


def lists(pair: Pair, kind: Kind) -> Difference | None:
    """Lists are sets to a planner, save rows of numbers, whose order tells."""
    meant, observed = elements(pair.meant.value), elements(pair.called.value)
    if pair.meant.value == pair.called.value or (not meant and not observed):
        return None
    if isinstance(pair.meant.value, Mapping) or isinstance(pair.called.value, Mapping):
        return difference(pair, kind, "shape", observed, meant, 0.3)
    numbers = all(isinstance(each, (int, float)) for each in meant)
    if numbers and sorted(map(str, meant)) == sorted(map(str, observed)):
        return difference(pair, kind, "order", observed, meant, 0.6)
    lost, gained = _unmatched(meant, observed, pair)
    if not lost and not gained:
        count = isinstance(pair.meant.value, list) and len(meant) != len(observed)
        return difference(pair, kind, "repeated", observed, meant, 0.7) if count else None
    return _changed_list(pair, kind, lost, gained)


def _unmatched(
    meant: list[Any], observed: list[Any], pair: Pair
) -> tuple[list[Any], list[tuple[int, Any]]]:
    """What only one of the lists has. Long lists are compared by their forms alone."""
    if len(meant) * len(observed) > 64:
        left = frozenset().union(*(forms(each) for each in meant))
        right = frozenset().union(*(forms(each) for each in observed))
        return (
            [each for each in meant if not forms(each) & right],
            [(at, each) for at, each in enumerate(observed) if not forms(each) & left],
        )
    return (
        [each for each in meant if not any(_alike(each, other, pair) for other in observed)],
        [
            (at, each)
            for at, each in enumerate(observed)
            if not any(_alike(other, each, pair) for other in meant)
        ],
    )


def _changed_list(
    pair: Pair, kind: Kind, lost: list[Any], gained: list[tuple[int, Any]]
) -> Difference | None:
    if lost and all(vague(each) for each in lost):
        return difference(pair, kind, "vague", pair.called.value, pair.meant.value, 0.12)
    weight = WEIGHTS[kind] if kind != "text" else 0.75
    weight = max(weight, 0.75) if gained else min(weight, 0.9)
    at = f"/{gained[0][0]}" if gained and isinstance(pair.called.value, list) else ""
    relation = "different" if gained and lost else "added" if gained else "lost"
    observed = gained[0][1] if gained else pair.called.value
    hard = weight >= 0.9 and kind in HARD
    expected = lost[0] if lost else pair.meant.value
    return Difference(kind, relation, pair.called.pointer + at, observed, expected, weight, hard)


def _alike(meant: Any, observed: Any, pair: Pair) -> bool:
    if not scalar(meant) or not scalar(observed):
        return bool(meant == observed)
    return same(meant, observed, key=pair.called.key, a_key=pair.meant.key) in {
        "equal",
        "equivalent",
    }

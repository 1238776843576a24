"""Figures over labelled scores, with intervals from resampling whole groups. Plain Python."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from msgspec import Struct

RESAMPLES = 200


class Scored(Struct, frozen=True):
    """One case, as evaluation saw it."""

    group: str
    wrong: bool
    score: float


Figure = Callable[[Sequence[Scored]], float]


def auc(cases: Sequence[Scored]) -> float:
    """The chance that a wrong call scores above a right one; half for a tie."""
    order = sorted(cases, key=lambda case: case.score)
    ranks, i = 0.0, 0
    while i < len(order):
        j = i
        while j < len(order) and order[j].score == order[i].score:
            j += 1
        ranks += sum(case.wrong for case in order[i:j]) * (i + j + 1) / 2
        i = j
    wrong = sum(case.wrong for case in cases)
    right = len(cases) - wrong
    if not wrong or not right:
        return math.nan
    return (ranks - wrong * (wrong + 1) / 2) / (wrong * right)


def threshold_at(right: Sequence[float], budget: float) -> float:
    """The lowest threshold that at most `budget` of these right calls lie above."""
    order = sorted(right, reverse=True)
    allowed = int(budget * len(order))
    return order[allowed] if allowed < len(order) else -1.0


def recall_at(budget: float) -> Figure:
    """Recall of wrong calls at a share of right calls flagged."""

    def recall(cases: Sequence[Scored]) -> float:
        limit = threshold_at([case.score for case in cases if not case.wrong] or [0.0], budget)
        wrong = [case.score for case in cases if case.wrong]
        return sum(score > limit for score in wrong) / len(wrong) if wrong else math.nan

    return recall


def ece(cases: Sequence[Scored], bins: int = 10) -> float:
    """The mean distance between what was said and what was so, over equal-sized bins."""
    order = sorted(cases, key=lambda case: case.score)
    total = 0.0
    for i in range(bins):
        part = order[i * len(order) // bins : (i + 1) * len(order) // bins]
        total += abs(sum(case.score - case.wrong for case in part))
    return total / len(order) if order else math.nan


FIGURES: dict[str, Figure] = {
    "auc": auc,
    "recall_at_1": recall_at(0.01),
    "recall_at_5": recall_at(0.05),
    "ece": ece,
}


def with_interval(figure: Figure, cases: Sequence[Scored]) -> list[float]:
    """A figure, and the 2.5 and 97.5 percentiles of it over resampled groups."""
    groups: dict[str, list[Scored]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    held = list(groups.values())
    chance = random.Random(4)
    found = []
    for _ in range(RESAMPLES):
        drawn = [case for group in chance.choices(held, k=len(held)) for case in group]
        found.append(figure(drawn))
    found = sorted(value for value in found if not math.isnan(value))
    if not found:
        return [figure(cases), math.nan, math.nan]
    low, high = found[int(0.025 * len(found))], found[int(0.975 * (len(found) - 1))]
    return [round(value, 4) for value in (figure(cases), low, high)]


def conformal(right: Sequence[float], budget: float) -> float:
    """The threshold that a new right call exceeds with a chance of at most `budget`."""
    order = sorted(right)
    at = math.ceil((len(order) + 1) * (1 - budget))
    return order[at - 1] if at <= len(order) else math.inf


def declared_budget(
    cases: Sequence[Scored], labels: int = 100, budget: float = 0.05, rounds: int = 50
) -> list[float]:
    """What 100 labelled right calls make of a declared budget: mean and worst share reached.

    The labelled calls and the counted ones come from different groups.
    """
    groups = sorted({case.group for case in cases})
    chance = random.Random(5)
    reached = []
    for _ in range(rounds):
        chance.shuffle(groups)
        half = set(groups[: len(groups) // 2])
        known = [case.score for case in cases if not case.wrong and case.group in half]
        fresh = [case.score for case in cases if not case.wrong and case.group not in half]
        limit = conformal(chance.sample(known, min(labels, len(known))), budget)
        reached.append(sum(score > limit for score in fresh) / len(fresh))
    return [round(sum(reached) / rounds, 4), round(sorted(reached)[int(0.9 * rounds)], 4)]

"""A chance moved by what a project's labels taught: by two numbers, or by a table.

Both rise strictly, so that they keep the order of calls and can be taken back: as far as six
decimals tell, `undone` gives what `moved` was given.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

# Chances are rounded to six decimals, so 0 and 1 are as far out as the rounding can tell.
STEP: Final = 1e-6

Points = Sequence[tuple[float, float]]


def moved(chance: float, slope: float, intercept: float, points: Points = ()) -> float:
    """The chance on the calibrated scale; `points` count in place of the two numbers."""
    if points:
        return _along(chance, points)
    if slope == 1.0 and intercept == 0.0:
        return round(chance, 6)
    return round(sigmoid(slope * logit(chance) + intercept), 6)


def undone(chance: float, slope: float, intercept: float, points: Points = ()) -> float:
    """The chance before."""
    if points:
        return _along(chance, [(gives, at) for at, gives in points])
    if slope == 1.0 and intercept == 0.0:
        return round(chance, 6)
    return round(sigmoid((logit(chance) - intercept) / slope), 6)


def logit(chance: float) -> float:
    """The log-odds of a chance."""
    kept = min(max(chance, STEP), 1 - STEP)
    return math.log(kept / (1 - kept))


def sigmoid(odds: float) -> float:
    if odds >= 0:
        return 1 / (1 + math.exp(-odds))
    return math.exp(odds) / (1 + math.exp(odds))


def _along(chance: float, points: Points) -> float:
    """Straight between the points in log-odds, and beside them where they end."""
    odds = logit(chance)
    ats = [logit(at) for at, _ in points]
    right = bisect_right(ats, odds)
    if right == 0 or right == len(ats):
        at, gives = points[0 if right == 0 else -1]
        return round(sigmoid(odds + logit(gives) - logit(at)), 6)
    low, high = ats[right - 1], ats[right]
    below, above = logit(points[right - 1][1]), logit(points[right][1])
    return round(sigmoid(below + (above - below) * (odds - low) / (high - low)), 6)

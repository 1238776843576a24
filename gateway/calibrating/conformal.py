"""A threshold from a budget of false positives: a conformal quantile of scores known as fine.

Of n exchangeable fine calls and one more, the one more lies above the k-th smallest score with a
chance of at most 1 - k/(n + 1). So k = ceil((n + 1)(1 - budget)) keeps the budget on average,
whatever the scores look like; with too few calls there is no such k, and no threshold is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gateway.calibrating.points import rounded
from gateway.domain.calibration import STEP

_EPSILON = 1e-9


def needed(budget: float) -> int:
    """How many fine calls it takes before this budget can be kept."""
    return max(1, math.ceil((1 - budget) / budget - _EPSILON)) if budget > 0 else 2**53


def threshold(scores: Sequence[float], budget: float) -> float | None:
    """From which score on a call is caught, so that at most `budget` of the fine ones are."""
    return weighted(scores, [1.0] * len(scores), budget)


def weighted(scores: Sequence[float], weights: Sequence[float], budget: float) -> float | None:
    """The same where some calls stand for more than themselves.

    The one more call weighs as much as the heaviest, which is the careful side.
    """
    if not scores:
        return None
    heaviest = max(weights)
    total = sum(weights) + heaviest
    below = 0.0
    for score, weight in sorted(zip(scores, weights, strict=True)):
        below += weight
        if below / total >= 1 - budget - _EPSILON:
            # Caught is what lies above, and a threshold counts itself as caught.
            return rounded(score + STEP)
    return None

"""Figures about scores: Brier, calibration error, population stability, a binomial tail."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

BINS: Final = 10
PSI_MIN: Final = 50
PSI_ALARM: Final = 0.2
ECE_ALARM: Final = 0.08
ECE_LABELS: Final = 100


def brier(scores: Sequence[float], wrong: Sequence[bool], weights: Sequence[float]) -> float:
    """The weighted mean of the squared distance from what was true."""
    rows = zip(scores, wrong, weights, strict=True)
    return sum(w * (s - bad) ** 2 for s, bad, w in rows) / sum(weights)


def calibration_error(
    scores: Sequence[float], wrong: Sequence[bool], weights: Sequence[float]
) -> float:
    """The expected calibration error over ten bins of equal width."""
    bins: dict[int, list[float]] = {}
    for score, bad, weight in zip(scores, wrong, weights, strict=True):
        held = bins.setdefault(min(int(score * BINS), BINS - 1), [0.0, 0.0])
        held[0] += weight * score
        held[1] += weight * bad
    return sum(abs(said - was) for said, was in bins.values()) / sum(weights)


def psi(before: Sequence[float], after: Sequence[float]) -> float | None:
    """The population stability index, over the tenths of what was before; None for too few.

    Above 0.2 what is judged now is not what was judged then.
    """
    if min(len(before), len(after)) < PSI_MIN:
        return None
    ordered = sorted(before)
    edges = sorted({ordered[len(ordered) * n // BINS] for n in range(1, BINS)})
    was, now = _shares(before, edges), _shares(after, edges)
    return round(sum((n - w) * math.log(n / w) for w, n in zip(was, now, strict=True)), 6)


def _shares(values: Sequence[float], edges: Sequence[float]) -> list[float]:
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    # Half a case in each bin, so that an empty one is rare and not impossible.
    return [(count + 0.5) / (len(values) + 0.5 * len(counts)) for count in counts]


def at_least(hits: int, of: int, chance: float) -> float:
    """How likely so many hits or more are, if each comes with this chance."""
    below = sum(
        math.comb(of, k) * chance**k * (1 - chance) ** (of - k) for k in range(min(hits, of + 1))
    )
    return max(0.0, 1 - below)

"""The table that a thousand labels allow: rising steps through what labels say, held near the two
numbers that explain them best (pool adjacent violators)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.calibrating.platt import Platt
from gateway.calibrating.points import rounded
from gateway.domain.calibration import logit, sigmoid

BINS: Final = 20
# How many labels the two numbers count as in each bin.
PRIOR: Final = 20.0
# Points that lie closer say the same.
GAP: Final = 1e-3

Pool = tuple[float, float, float]


def fit(
    bases: Sequence[float], wrong: Sequence[bool], weights: Sequence[float], near: Platt
) -> Platt:
    """A table of at most twenty points; `near` itself where it would have fewer than three."""
    rows = sorted(zip(bases, wrong, weights, strict=True))
    size = max(1, -(-len(rows) // BINS))
    pools: list[Pool] = []
    for start in range(0, len(rows), size):
        pools.append(_pool(rows[start : start + size], near))
        while len(pools) > 1 and _chance(pools[-2]) >= _chance(pools[-1]):
            after, before = pools.pop(), pools.pop()
            pools.append((before[0] + after[0], before[1] + after[1], before[2] + after[2]))
    points: list[tuple[float, float]] = []
    for pool in pools:
        at, gives = rounded(sigmoid(pool[0] / pool[2])), rounded(_chance(pool))
        if 0 < gives < 1 and (not points or min(at - points[-1][0], gives - points[-1][1]) >= GAP):
            points.append((at, gives))
    return Platt(points=tuple(points)) if len(points) >= 3 else near


def _pool(rows: Sequence[tuple[float, bool, float]], near: Platt) -> Pool:
    """(log-odds, misaligned, weight), each summed, with what is believed beforehand."""
    weight = sum(w for _, _, w in rows)
    middle = sum(w * logit(base) for base, _, w in rows) / weight
    hits = sum(w * bad for _, bad, w in rows) + PRIOR * near.apply(sigmoid(middle))
    return middle * (weight + PRIOR), hits, weight + PRIOR


def _chance(pool: Pool) -> float:
    return pool[1] / pool[2]

"""The isotonic table: the monotone steps that fit labels best (pool adjacent violators)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.calibrating.points import rounded

Table = list[tuple[float, float]]


def table(scores: Sequence[float], wrong: Sequence[bool], weights: Sequence[float]) -> Table:
    """(from this score on, this probability), rising."""
    pools: list[tuple[float, float, float]] = []
    for score, bad, weight in sorted(zip(scores, wrong, weights, strict=True)):
        pool = (score, weight * bad, weight)
        # Pools of equal scores, or out of order, become one.
        while pools and (
            pools[-1][0] == pool[0] or pools[-1][1] * pool[2] >= pool[1] * pools[-1][2]
        ):
            before = pools.pop()
            pool = (before[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    return [(start, rounded(hits / weight)) for start, hits, weight in pools]

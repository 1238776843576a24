"""Platt's calibration: log-odds are shifted and stretched, and held near where they were.

Newton's method on two numbers, in plain Python: the same labels give the same bits everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.calibrating.points import rounded
from gateway.domain import calibration
from gateway.domain.calibration import logit, sigmoid

STEPS_MAX: Final = 100
# How strongly the global calibration (slope 1, intercept 0) is believed, in log-odds squared.
INTERCEPT_PRECISION: Final = 1.0
SLOPE_PRECISION: Final = 10.0
# However the labels came about, they move a score no further than this.
SLOPES: Final = (0.5, 2.0)
INTERCEPT_MAX: Final = 2.0
SHIFT_MAX: Final = 1.0


class Platt(Struct, frozen=True):
    """score -> sigmoid(slope * log-odds + intercept), or through a table of points where there are
    some. The default changes nothing."""

    slope: float = 1.0
    intercept: float = 0.0
    points: tuple[tuple[float, float], ...] = ()

    def apply(self, base: float) -> float:
        return calibration.moved(base, self.slope, self.intercept, self.points)

    def undo(self, score: float) -> float:
        """The score before: what `apply` was given, as far as six decimals tell."""
        return calibration.undone(score, self.slope, self.intercept, self.points)


IDENTITY: Final = Platt()


def fit(
    bases: Sequence[float], wrong: Sequence[bool], weights: Sequence[float], *, shift_only: bool
) -> Platt:
    """The calibration that explains the labels best and stays near the global one."""
    rows = [
        (logit(base), 1.0 if bad else 0.0, weight)
        for base, bad, weight in zip(bases, wrong, weights, strict=True)
    ]
    slope, intercept = 1.0, 0.0
    loss = _loss(rows, slope, intercept)
    for _ in range(STEPS_MAX):
        by_slope, by_intercept = _step(rows, slope, intercept, shift_only=shift_only)
        size = 1.0
        while size > 1e-6:
            tried = (slope - size * by_slope, intercept - size * by_intercept)
            if (new := _loss(rows, *tried)) <= loss:
                break
            size /= 2
        else:
            break
        moved = abs(tried[0] - slope) + abs(tried[1] - intercept)
        (slope, intercept), loss = tried, new
        if moved < 1e-10:
            break
    furthest = SHIFT_MAX if shift_only else INTERCEPT_MAX
    return Platt(
        rounded(min(max(slope, SLOPES[0]), SLOPES[1])),
        rounded(min(max(intercept, -furthest), furthest)),
    )


def _loss(rows: Sequence[tuple[float, float, float]], slope: float, intercept: float) -> float:
    loss = SLOPE_PRECISION / 2 * (slope - 1) ** 2 + INTERCEPT_PRECISION / 2 * intercept**2
    for x, y, weight in rows:
        odds = slope * x + intercept
        loss += weight * (max(odds, 0.0) - y * odds + math.log1p(math.exp(-abs(odds))))
    return loss


def _step(
    rows: Sequence[tuple[float, float, float]], slope: float, intercept: float, *, shift_only: bool
) -> tuple[float, float]:
    """Newton's step: the gradient over the curvature, which the two priors keep positive."""
    g_a, g_b = SLOPE_PRECISION * (slope - 1), INTERCEPT_PRECISION * intercept
    h_aa, h_ab, h_bb = SLOPE_PRECISION, 0.0, INTERCEPT_PRECISION
    for x, y, weight in rows:
        p = sigmoid(slope * x + intercept)
        off, bend = weight * (p - y), weight * p * (1 - p)
        g_a, g_b = g_a + off * x, g_b + off
        h_aa, h_ab, h_bb = h_aa + bend * x * x, h_ab + bend * x, h_bb + bend
    if shift_only:
        return 0.0, g_b / h_bb
    determinant = h_aa * h_bb - h_ab * h_ab
    return (g_a * h_bb - g_b * h_ab) / determinant, (g_b * h_aa - g_a * h_ab) / determinant

"""From log-odds to a probability: two ways, both monotone and both between 0 and 1."""

from __future__ import annotations

import math
from bisect import bisect_right

from msgspec import Struct

# Beyond this, exp() adds nothing that six decimals could show.
FARTHEST = 40.0


class Platt(Struct, frozen=True, tag="platt"):
    """A line in log-odds. A slope below zero is refused: it would turn the order round."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not self.slope >= 0:
            raise ValueError("a calibrator's slope is at least 0")

    def __call__(self, log_odds: float) -> float:
        return sigmoid(self.slope * log_odds + self.intercept)


class Isotonic(Struct, frozen=True, tag="isotonic"):
    """A table that rises, straight between its points and flat outside them."""

    at: tuple[float, ...]
    gives: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.at or len(self.at) != len(self.gives):
            raise ValueError("a table has as many points as values, and at least one")
        if any(a >= b for a, b in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("a table's points rise")
        if any(a > b for a, b in zip(self.gives, self.gives[1:], strict=False)):
            raise ValueError("a table's values never fall")
        if self.gives[0] < 0 or self.gives[-1] > 1:
            raise ValueError("a table's values are probabilities")

    def __call__(self, log_odds: float) -> float:
        right = bisect_right(self.at, log_odds)
        if right == 0:
            return self.gives[0]
        if right == len(self.at):
            return self.gives[-1]
        low, high = self.at[right - 1], self.at[right]
        below, above = self.gives[right - 1], self.gives[right]
        value = below + (above - below) * ((log_odds - low) / (high - low))
        # Rounding may step over the next point's value; that would break the order by one bit.
        return min(above, max(below, value))


Calibrator = Platt | Isotonic


def sigmoid(log_odds: float) -> float:
    """The probability of log-odds, safe at any size."""
    bounded = min(FARTHEST, max(-FARTHEST, log_odds))
    return 1.0 / (1.0 + math.exp(-bounded))

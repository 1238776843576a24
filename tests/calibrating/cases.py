"""Histories of seeded chance: what calibration is tried on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from gateway.calibrating.points import Point, Vote

Draw = Callable[[random.Random], float]
VERSION = "v" * 64

# Shapes of the scores of fine calls: low, spread, in two heaps, with ties, and bad throughout.
SHAPES: dict[str, Draw] = {
    "low": lambda chance: chance.betavariate(1, 12),
    "spread": lambda chance: chance.betavariate(2, 3),
    "two heaps": lambda chance: chance.betavariate(
        *((20, 2) if chance.random() < 0.1 else (2, 20))
    ),
    "ties": lambda chance: round(chance.betavariate(1, 6), 1),
    "bad": lambda chance: chance.random(),
}


def point(n: int, base: float, *labels: str, by: Sequence[str] = ("ann",), **more: Any) -> Point:
    """The n-th decision of a history, labelled by these in turn."""
    at = f"2026-11-20T12:{n // 60 % 60:02}:{n % 60:02}.{n // 3600:06}Z"
    votes = tuple(Vote(who, label, at) for who, label in zip(by, labels, strict=False))
    fields: dict[str, Any] = {"tool": "bank.transfer", "side_effects": ("payment",)} | more
    return Point(
        decision_id=f"dec_{n:08x}",
        at=fields.pop("at", at),
        base=round(min(max(base, 0.0), 1.0), 6),
        version=VERSION,
        votes=votes,
        **fields,
    )


def history(
    chance: random.Random, draw: Draw, *, labels: int, wrong: float = 0.4, people: int = 2
) -> list[Point]:
    """So many labelled calls, by so many people in turn."""
    found = []
    for n in range(labels):
        bad = chance.random() < wrong
        base = chance.betavariate(6, 2) if bad else draw(chance)
        label = "missed" if bad else "fine"
        found.append(point(n, base, label, by=(f"person {n % people}",)))
    return found

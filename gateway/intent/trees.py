"""Boosted trees, walked one row at a time without the library that grew them.

A tree is nested: a branch is (feature, threshold, low, high), a leaf is its value. That walks about
as fast as arrays do for one row, and reads as what it is in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Branch = tuple[int, float, Any, Any]
Node = Branch | float


class Forest(Struct, frozen=True):
    """Trees over named features. `directions` says which way each may push (+1, 0, -1)."""

    features: tuple[str, ...]
    directions: tuple[int, ...]
    base: float
    trees: tuple[Any, ...]

    def log_odds(self, features: Mapping[str, float]) -> float:
        """What the trees make of the features; one that is not there counts as zero."""
        return walk(self, [features.get(name, 0.0) for name in self.features])


def walk(forest: Forest, row: list[float]) -> float:
    """The sum of the leaves that a row falls into."""
    total = forest.base
    for tree in forest.trees:
        node = tree
        while node.__class__ is tuple:
            node = node[2] if row[node[0]] <= node[1] else node[3]
        total += node
    return total


def forest_of(data: Mapping[str, Any]) -> Forest:
    """The forest that a file holds."""
    return Forest(
        features=tuple(data["features"]),
        directions=tuple(data["directions"]),
        base=float(data["base"]),
        trees=tuple(_node(tree) for tree in data["trees"]),
    )


def _node(data: Any) -> Node:
    if isinstance(data, list):
        feature, threshold, low, high = data
        return (int(feature), float(threshold), _node(low), _node(high))
    return float(data)

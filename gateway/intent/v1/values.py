"""Values in forms that can be compared: what a planner writes and what a call carries.

`flatten` takes arguments apart, `forms` gives the normalised spellings of one value, `values_in`
finds the hard values of a text, and `same` says how two values differ, if they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.intent.v1.values_forms import forms, number_in
from gateway.intent.v1.values_likeness import contained
from gateway.intent.v1.values_read import LIMIT, Value, values_in
from gateway.intent.v1.values_same import Likeness, is_minor, same
from gateway.intent.v1.values_words import plain, words

__all__ = [
    "LIMIT",
    "Leaf",
    "Likeness",
    "Value",
    "contained",
    "flatten",
    "forms",
    "is_minor",
    "number_in",
    "plain",
    "same",
    "values_in",
    "words",
]

MOST_LEAVES: Final = 256
DEEPEST: Final = 12


class Leaf(Struct, frozen=True):
    """One value of the arguments: where it stands, the nearest name above it, what it is."""

    pointer: str
    key: str
    value: Any


def flatten(arguments: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """The leaves of the arguments in order; an empty list or object is a leaf as well."""
    found: list[Leaf] = []
    stack: list[tuple[str, str, Any, int]] = [("", "", arguments, 0)]
    while stack and len(found) < MOST_LEAVES:
        pointer, key, value, depth = stack.pop()
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            inner = list(value.items())[:MOST_LEAVES]
            stack += [
                (f"{pointer}/{_escaped(str(name))}", str(name), each, depth + 1)
                for name, each in reversed(inner)
            ]
        elif isinstance(value, (list, tuple)) and value and depth < DEEPEST:
            stack += [
                (f"{pointer}/{at}", key, each, depth + 1)
                for at, each in reversed(list(enumerate(value[:MOST_LEAVES])))
            ]
        elif pointer:
            found.append(Leaf(pointer, key, value))
    return tuple(found)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name

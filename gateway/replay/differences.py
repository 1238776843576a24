"""Where two JSON values first differ."""

from __future__ import annotations

from typing import Any

from gateway.domain import pointers


def first_difference(one: Any, other: Any) -> str | None:
    """The JSON Pointer of the first difference in order of names and places, None when equal.

    A name that only one of them has differs at its own pointer. 1, 1.0 and true all differ.
    """
    found = _differ(one, other)
    return None if found is None else pointers.write(found)


def _differ(one: Any, other: Any) -> tuple[str, ...] | None:
    if type(one) is not type(other):
        return ()
    if isinstance(one, dict):
        steps = [(name, name in one and name in other) for name in sorted({*one, *other})]
        return _first(one, other, steps)
    if isinstance(one, list):
        shorter, longer = sorted((len(one), len(other)))
        found = _first(one, other, [(n, True) for n in range(shorter)])
        return found if found or shorter == longer else (str(shorter),)
    return None if one == other else ()


def _first(one: Any, other: Any, steps: list[tuple[Any, bool]]) -> tuple[str, ...] | None:
    for step, in_both in steps:
        below = _differ(one[step], other[step]) if in_both else ()
        if below is not None:
            return (str(step), *below)
    return None

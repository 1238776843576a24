"""RFC 6902 patches of a call's arguments: `add`, `replace` and `remove`.

`move`, `copy` and `test` are left out: a rule says what the arguments should be, and each
operation must name the one place it touches, so that overlaps can be seen.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from gateway.domain import pointers

PREFIX = ("action", "arguments")
OPERATIONS = frozenset({"add", "replace", "remove"})


class PatchRefused(ValueError):
    """The patch does not fit the arguments, or two patches touch the same place."""


def apply(arguments: dict[str, Any], patches: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """The arguments after all patches, in order. Raises PatchRefused.

    Two patches overlap when one touches a place at, above or below a place of another. Adding to
    an array or removing from it moves what comes behind, so it touches the whole array.
    """
    _refuse_overlaps(arguments, patches)
    changed = copy.deepcopy(arguments)
    for patch in patches:
        for operation in patch:
            _apply_one(changed, operation)
    return changed


def _refuse_overlaps(
    arguments: dict[str, Any], patches: Sequence[Sequence[dict[str, Any]]]
) -> None:
    taken: list[tuple[int, tuple[str, ...]]] = []
    for number, patch in enumerate(patches):
        for operation in patch:
            touched = _touched(arguments, operation)
            for other, place in taken:
                if other != number and _related(touched, place):
                    raise PatchRefused(f"two rules change {pointers.write(PREFIX + touched)}")
            taken.append((number, touched))


def _touched(arguments: dict[str, Any], operation: dict[str, Any]) -> tuple[str, ...]:
    """The place that an operation touches.

    An array that is not in `arguments` yet was put there by the same patch, or by one that this
    overlaps with anyway.
    """
    steps = _steps(operation)
    if operation["op"] == "replace":
        return steps
    parent = pointers.resolve(arguments, pointers.write(steps[:-1]))
    return steps[:-1] if isinstance(parent, list) else steps


def _related(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _steps(operation: dict[str, Any]) -> tuple[str, ...]:
    path = operation.get("path")
    if operation.get("op") not in OPERATIONS or not isinstance(path, str):
        raise PatchRefused("a patch operation needs op (add, replace, remove) and path")
    try:
        steps = pointers.parse(path)
    except ValueError as error:
        raise PatchRefused(str(error)) from error
    if steps[:2] != PREFIX or len(steps) < 3:
        raise PatchRefused(f"{path} is not below /action/arguments")
    if operation["op"] != "remove" and "value" not in operation:
        raise PatchRefused(f"the patch of {path} has no value")
    return steps[2:]


def _apply_one(arguments: dict[str, Any], operation: dict[str, Any]) -> None:
    steps = _steps(operation)
    parent = pointers.resolve(arguments, pointers.write(steps[:-1]))
    if isinstance(parent, dict):
        _change_object(parent, steps[-1], operation)
    elif isinstance(parent, list):
        _change_array(parent, steps[-1], operation)
    else:
        raise PatchRefused(f"{operation['path']} has no parent")


def _change_object(parent: dict[str, Any], key: str, operation: dict[str, Any]) -> None:
    if operation["op"] != "add" and key not in parent:
        raise PatchRefused(f"{operation['path']} does not exist")
    if operation["op"] == "remove":
        del parent[key]
    else:
        parent[key] = copy.deepcopy(operation["value"])


def _change_array(parent: list[Any], step: str, operation: dict[str, Any]) -> None:
    adding = operation["op"] == "add"
    index = len(parent) if adding and step == "-" else pointers.array_index(step)
    if index is None or index > len(parent) - (0 if adding else 1):
        raise PatchRefused(f"{operation['path']} does not exist")
    if operation["op"] == "remove":
        del parent[index]
    elif adding:
        parent.insert(index, copy.deepcopy(operation["value"]))
    else:
        parent[index] = copy.deepcopy(operation["value"])

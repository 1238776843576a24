"""Where in a refused body the offence stands, as a JSON Pointer.

Apart, because it may be slow: it runs only for a body that is refused, or all but. It uses the
standard library's parser, which can keep every member of an object, repeated ones too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, isinf
from typing import Any

from gateway.checking.limits import NUMBER_CHARS
from gateway.domain import pointers
from gateway.domain.check import MAX_SAFE

# Asked of each member and item in the order of the text: its depth (1 right below the root), its
# key (empty in an array), its value, and the keys that came before it in the same object.
Offence = Callable[[int, str, Any, set[str]], bool]

# A pointer that names its place with more text than this names an array or object above it.
_POINTER_CHARS = 1024
# The parser makes tuples of objects.
_HOLDING = frozenset({tuple, list})


def find(body: bytes, offence: Offence, *, safe_numbers: bool = False) -> str | None:
    """The first place of an offence; None when there is none, or when the body is no JSON.

    With `safe_numbers` no number in it is slow to read.
    """
    rough: dict[str, Any] = {"parse_int": _rough_integer, "parse_float": _rough_float}
    numbers = {} if safe_numbers else rough
    try:
        document = json.loads(body.decode(), object_pairs_hook=tuple, **numbers)
    except (ValueError, RecursionError):
        return None
    found = _search(document, 1, offence)
    return None if found is None else write(tuple(reversed(found)))


def write(steps: tuple[str, ...]) -> str:
    """The pointer, or that of what encloses the place when it would be too long to read."""
    pointer = pointers.write(steps)
    while len(pointer) > _POINTER_CHARS:
        steps = steps[:-1]
        pointer = pointers.write(steps)
    return pointer


def is_unsafe_number(_depth: int, _key: str, value: Any, _earlier: set[str]) -> bool:
    if type(value) is int:
        return abs(value) > MAX_SAFE
    return type(value) is float and isinf(value)


def is_repeated_key(_depth: int, key: str, _value: Any, earlier: set[str]) -> bool:
    return key in earlier


def is_key_longer(limit: int) -> Offence:
    return lambda _depth, key, _value, _earlier: len(key) > limit


def is_below(limit: int) -> Offence:
    """An array or object with `limit` others around it."""
    return lambda depth, _key, value, _earlier: depth == limit and type(value) in (tuple, list)


def _search(value: Any, depth: int, offence: Offence) -> list[str] | None:
    """The steps to the first offence below `value`, innermost first."""
    if type(value) is tuple:
        return _search_object(value, depth, offence)
    if type(value) is list:
        return _search_array(value, depth, offence)
    return None


def _search_object(
    members: tuple[tuple[str, Any], ...], depth: int, offence: Offence
) -> list[str] | None:
    earlier: set[str] = set()
    for key, value in members:
        if offence(depth, key, value, earlier):
            return [key]
        earlier.add(key)
        found = _search(value, depth + 1, offence) if type(value) in _HOLDING else None
        if found is not None:
            return [*found, key]
    return None


def _search_array(items: list[Any], depth: int, offence: Offence) -> list[str] | None:
    no_keys: set[str] = set()
    for index, item in enumerate(items):
        if offence(depth, "", item, no_keys):
            return [str(index)]
        found = _search(item, depth + 1, offence) if type(item) in _HOLDING else None
        if found is not None:
            return [*found, str(index)]
    return None


def _rough_integer(digits: str) -> int:
    """Safe integers are themselves; any other stays unsafe, however many digits it has."""
    return int(digits[:20])


def _rough_float(digits: str) -> float:
    """Infinite when it overflows or is too long; which number it is otherwise does not matter."""
    if len(digits) > NUMBER_CHARS:
        return inf
    return float(digits) if "e" in digits or "E" in digits else 0.0

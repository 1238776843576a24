"""Any Python value as plain JSON that the gateway's input gate accepts.

Exact where JSON can be: strings, booleans, null, finite numbers, lists, objects, and what msgspec
knows (dates, decimals, dataclasses, enumerations, bytes). Two things are said, not hidden:

- a value that JSON has no word for (a connection, a file) becomes its `repr`, cut at 256
  characters. It stays the developer's object and counts as exact;
- content that had to be cut or changed (too deep, too many items, half a surrogate pair) makes the
  result inexact, and an inexact call counts as not checked.

Integers beyond 2^53 and floats that need an exponent become strings: other JSON readers round the
former, and the gateway refuses more than a few of the latter.
"""

from __future__ import annotations

import math
import operator
from enum import Enum
from typing import Any, NamedTuple

import msgspec

MAX_SAFE = 2**53 - 1
MAX_DEPTH = 40
KEY_CHARS = 512
REPR_CHARS = 256


class Plain(NamedTuple):
    """`value` is JSON; `exact` false when something was lost; `nodes` counts values and keys."""

    value: Any
    exact: bool
    nodes: int


class Plainer:
    """Makes plain values; an object seen twice reads the same twice.

    That memory is what lets a second look at the same arguments find real changes only: the `repr`
    of a connection may count its requests, which is nobody's argument.
    """

    def __init__(self, max_nodes: int = 12_000) -> None:
        self._max_nodes = max_nodes
        self._seen: dict[int, tuple[object, str]] = {}
        self._nodes = 0
        self._exact = True

    def __call__(self, value: Any) -> Plain:
        self._nodes, self._exact = 0, True
        made = self._walk(value, 0)
        return Plain(made, self._exact, self._nodes)

    def _walk(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > self._max_nodes:
            return self._lost("[left out: too deep or too many values]")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self._walk(value.value, depth + 1)
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, int):
            number = int(value)
            return number if -MAX_SAFE <= number <= MAX_SAFE else str(number)
        if isinstance(value, float):
            return _float(float(value))
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return self._items(value, depth)
        if isinstance(value, set | frozenset):
            made = self._items(value, depth)
            return sorted(made, key=msgspec.json.encode)
        return self._other(value, depth)

    def _items(self, values: Any, depth: int) -> list[Any]:
        made = []
        for value in values:
            made.append(self._walk(value, depth + 1))
            if self._nodes > self._max_nodes:
                break
        return made

    def _object(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, item in list(value.items()):
            name = self._walk(key, depth + 1)
            name = name if isinstance(name, str) else msgspec.json.encode(name).decode()
            if name in made or len(name) > KEY_CHARS:
                self._exact = False
                name = name[:KEY_CHARS]
            made[name] = self._walk(item, depth + 1)
            if self._nodes > self._max_nodes:
                break
        return made

    def _string(self, value: str) -> str:
        text = str.__str__(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self._exact = False
            return text.encode("utf-8", "replace").decode()
        return text

    def _lost(self, marker: str) -> str:
        self._exact = False
        return marker

    def _other(self, value: Any, depth: int) -> Any:
        known = self._seen.get(id(value))
        if known is not None:
            return known[1]
        try:
            return self._walk(_builtin(value), depth + 1)
        except Exception:  # noqa: BLE001 - any object may be passed, and any may fail to describe itself
            text = self._string(describe(value))
            # Holding the object keeps its id from being given to another one.
            self._seen[id(value)] = (value, text)
            return text


def _float(number: float) -> float | str:
    """A string where JSON would need an exponent, or has no word at all."""
    written = math.isfinite(number) and b"e" not in msgspec.json.encode(number)
    return number if written else str(number)


def _builtin(value: Any) -> Any:
    """One step towards JSON; raises when there is none."""
    if hasattr(type(value), "__index__"):
        return operator.index(value)
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if hasattr(type(value), "__dataclass_fields__"):
        return {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return msgspec.to_builtins(value)


def describe(value: object) -> str:
    """`repr` cut at 256 characters; without the address where there is nothing but that."""
    kind = type(value)
    if kind.__repr__ is object.__repr__:
        return f"<{kind.__module__}.{kind.__qualname__}>"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ must not decide anything
        return f"<{kind.__module__}.{kind.__qualname__}>"
    head, address, _ = text.partition(" at 0x")
    text = f"{head}>" if address else text
    return text if len(text) <= REPR_CHARS else text[: REPR_CHARS - 1] + "…"

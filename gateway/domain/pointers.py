"""JSON Pointers (RFC 6901) into frames: plain values and structs alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

MISSING: Final = object()


@lru_cache(maxsize=4096)
def parse(pointer: str) -> tuple[str, ...]:
    """The unescaped steps. Raises ValueError when it does not begin with a slash."""
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON Pointer: it must begin with a slash")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))


def write(steps: tuple[str, ...]) -> str:
    """The pointer for unescaped steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def resolve(value: Any, pointer: str) -> Any:
    """What stands at the pointer, or MISSING."""
    for step in parse(pointer):
        value = child(value, step)
        if value is MISSING:
            return MISSING
    return value


def each(value: Any, pointer: str) -> Iterator[Any]:
    """Everything at a pointer in which a step `*` means each item of an array or object."""
    yield from _each(value, parse(pointer))


def child(value: Any, step: str) -> Any:
    """One step down, or MISSING."""
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list):
        index = array_index(step)
        return value[index] if index is not None and index < len(value) else MISSING
    if isinstance(value, Struct):
        return getattr(value, step) if step in value.__struct_fields__ else MISSING
    return MISSING


def array_index(step: str) -> int | None:
    """A pointer step as an array index: ASCII digits without a leading zero."""
    if not (step.isascii() and step.isdigit()) or len(step) > 9:
        return None
    return None if len(step) > 1 and step[0] == "0" else int(step)


def _each(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    if steps[0] == "*":
        items = value if isinstance(value, list) else []
        items = list(value.values()) if isinstance(value, dict) else items
        for item in items:
            yield from _each(item, steps[1:])
        return
    below = child(value, steps[0])
    if below is not MISSING:
        yield from _each(below, steps[1:])

"""Which paths of `input` can exist, and which parts of the run's state a path needs.

The frame's own structs are the only source: a field added there is readable here at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from gateway.domain import pointers
from gateway.domain.frame import Frame
from gateway.policies import shapes

Path = tuple[str, ...]
ARGUMENTS: Path = ("action", "arguments")
# What gathering can leave out when no rule reads it, and what may fail beside it.
SECTIONS: dict[str, Path] = {
    "state": ("state",),
    "recent": ("state", "recent"),
    "budgets": ("state", "budgets"),
    "context": ("context",),
    "history": ("history",),
    "assessment": ("assessment",),
}


def impossible(path: Path) -> str | None:
    """Why no frame has this path, in words; None when one may. `*` is a step not known."""
    wanted: Any = Frame
    for depth, step in enumerate(path):
        wanted = _given(wanted)
        if wanted is Any:
            return None
        origin = get_origin(wanted)
        if isinstance(wanted, type) and issubclass(wanted, Struct):
            hints = _hints(wanted)
            if step == "*":
                return None
            if step not in hints:
                return f"`{say(path[: depth + 1])}` is never given{shapes.nearest(step, hints)}"
            wanted = hints[step]
        elif origin is dict:
            wanted = get_args(wanted)[1]
        elif origin is list:
            if step != "*" and pointers.array_index(step) is None:
                return f"`{say(path[:depth])}` is a list: `{step}` is not one of its places"
            wanted = get_args(wanted)[0]
        else:
            return f"`{say(path[:depth])}` has nothing below it"
    return None


def undeclared(path: Path, declared: Iterable[str]) -> str | None:
    """The pointer that METADATA should name for this read of the arguments; None if it does.

    A declared `*` stands for any step. Reading the arguments whole is declared by
    `/action/arguments/*`.
    """
    if not _overlaps(path, ARGUMENTS):
        return None
    wanted = path if len(path) > len(ARGUMENTS) else (*ARGUMENTS, "*")
    for pointer in declared:
        steps = pointers.parse(pointer)
        if len(steps) <= len(wanted) and all(
            own in ("*", other) for own, other in zip(steps, wanted, strict=False)
        ):
            return None
    return pointers.write(wanted)


def needs(paths: Iterable[Path]) -> frozenset[str]:
    """The sections of state that these paths reach into."""
    known = list(paths)
    return frozenset(
        name
        for name, section in SECTIONS.items()
        if any(_overlaps(path, section) for path in known)
    )


def say(path: Path) -> str:
    """`input.action.arguments.amount`"""
    return ".".join(("input", *path))


def _overlaps(one: Path, other: Path) -> bool:
    """Whether one is the other, or stands above or below it."""
    return all(a == b or "*" in (a, b) for a, b in zip(one, other, strict=False))


@cache
def _hints(struct: type[Struct]) -> dict[str, Any]:
    return get_type_hints(struct)


def _given(wanted: Any) -> Any:
    """The type when it is there: without its None."""
    if get_origin(wanted) in (Union, UnionType):
        kept = [part for part in get_args(wanted) if part is not NoneType]
        return kept[0] if len(kept) == 1 else Any
    return wanted

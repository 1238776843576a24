"""Which arguments of which tools never leave the process: a plan of them must not tell them."""

from __future__ import annotations

from collections.abc import Iterable

from checkrein._names import folded

_paths: dict[str, frozenset[str]] = {}


def redact_also(names: Iterable[str], paths: Iterable[str]) -> None:
    """Remember what a guard redacts; two tools of one name redact what either does."""
    for name in names:
        key = folded(name)
        _paths[key] = _paths.get(key, frozenset()) | frozenset(paths)


def redactions(tool: str | None) -> tuple[str, ...]:
    """The paths of a tool; of all tools where none is named."""
    if tool is None:
        return tuple(sorted(frozenset().union(*_paths.values())))
    return tuple(sorted(_paths.get(folded(tool), ())))

"""More training rows, made from those that are there: calls that their own tool's schema refuses.

Few sources have schemas with types, and hardly a case breaks one, so that what it says about a
call would otherwise have to be learned from the one source that is left out. A row loses an
argument that is required, or has a value of another type, or one that is no option.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import msgspec

from benchmarks.intent.data import Case

_TYPES = ("integer", "number", "boolean", "string")


def made(cases: list[Case]) -> list[Case]:
    """One row for each right call whose schema can be broken."""
    return [row for case in cases if not case.wrong and (row := _broken(case)) is not None]


def _broken(case: Case) -> Case | None:
    chance = Random(int.from_bytes(hashlib.sha256(f"broken {case.id}".encode()).digest()[:8]))
    ways = [
        arguments
        for way in (_without, _of_other_type, _no_option)
        for arguments in way(case, chance)
    ]
    if not ways:
        return None
    return msgspec.structs.replace(
        case,
        id=f"{case.id}-broken",
        label="misaligned",
        kind="broken",
        arguments=chance.choice(ways),
        made=True,
    )


def _without(case: Case, chance: Random) -> list[dict[str, Any]]:
    """The call without an argument that it needs."""
    needed = [
        name for name in (case.tool.schema or {}).get("required") or () if name in case.arguments
    ]
    if not needed:
        return []
    gone = chance.choice(needed)
    return [{name: value for name, value in case.arguments.items() if name != gone}]


def _of_other_type(case: Case, chance: Random) -> list[dict[str, Any]]:
    """The call with another of its values where such a one cannot be."""
    known = _properties(case)
    typed = [name for name in case.arguments if known.get(name, {}).get("type") in _TYPES]
    if not typed:
        return []
    at = chance.choice(typed)
    others = [
        value
        for name, value in case.arguments.items()
        if name != at and type(value) is not type(case.arguments[at])
    ]
    strange = 7 if known[at]["type"] == "string" else "unknown"
    return [case.arguments | {at: chance.choice(others) if others else strange}]


def _no_option(case: Case, chance: Random) -> list[dict[str, Any]]:
    """The call with a word that is none of a field's options."""
    known = _properties(case)
    chosen = [name for name in case.arguments if known.get(name, {}).get("enum")]
    if not chosen:
        return []
    at = chance.choice(chosen)
    others = [value for value in case.arguments.values() if isinstance(value, str)]
    value = chance.choice([*others, "other"])
    return [] if value in known[at]["enum"] else [case.arguments | {at: value}]


def _properties(case: Case) -> dict[str, Any]:
    properties = (case.tool.schema or {}).get("properties") or {}
    return {name: one for name, one in properties.items() if isinstance(one, dict)}

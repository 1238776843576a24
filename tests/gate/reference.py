"""The rules of the gate once more, slowly and plainly, to hold the quick ones to.

It shares no code with the gate: the standard library's parser tells everything, token by token.
"""

from __future__ import annotations

import json
import math
from typing import Any

from gateway.checking.limits import NUMBER_CHARS, Limits

MAX_SAFE = 9007199254740991


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def offences(body: bytes, limits: Limits) -> dict[str, set[str]]:
    """Each code that a body deserves, with every pointer that would be right for it."""
    if len(body) > limits.body_bytes:
        return {"body_too_large": {""}}
    if not body.strip(b" \t\r\n\v\f"):
        return {"empty_body": {""}}
    try:
        text = body.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return {"not_utf8": {""}}
    try:
        document = json.loads(
            text,
            object_pairs_hook=tuple,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_refuse,
        )
    except ValueError:
        return {"not_json": {""}}
    found: dict[str, set[str]] = {}
    counts = {"nodes": 0, "exponents": 0}
    _walk(document, "", 0, limits, found, counts)
    if counts["nodes"] > limits.nodes:
        found["too_many_nodes"] = {""}
    if counts["exponents"] > limits.exponents:
        found["too_many_exponents"] = {""}
    return found


def value(body: bytes) -> Any:
    """What the body says, by the standard library."""
    return json.loads(body.decode())


def _walk(
    item: Any,
    pointer: str,
    depth: int,
    limits: Limits,
    found: dict[str, set[str]],
    counts: dict[str, int],
) -> None:
    counts["nodes"] += 1
    if isinstance(item, Number):
        counts["exponents"] += "e" in item.lower()
        if _is_out_of_range(item):
            found.setdefault("number_out_of_range", set()).add(pointer)
    elif isinstance(item, str):
        _check_characters(item, found)
    elif isinstance(item, list | tuple):
        if depth == limits.depth:
            found.setdefault("too_deep", set()).add(pointer)
        members = item if isinstance(item, tuple) else [(str(n), x) for n, x in enumerate(item)]
        keys: set[str] = set()
        for key, below in members:
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if isinstance(item, tuple):
                _check_characters(key, found)
                if key in keys:
                    found.setdefault("duplicate_key", set()).add(place)
                if len(key) > limits.key_chars:
                    found.setdefault("key_too_long", set()).add(pointer)
            keys.add(key)
            _walk(below, place, depth + 1, limits, found, counts)


def _is_out_of_range(number: str) -> bool:
    if len(number) > NUMBER_CHARS:
        return True
    if set(number) & set(".eE"):
        return math.isinf(float(number))
    return abs(int(number)) > MAX_SAFE


def _check_characters(text: str, found: dict[str, set[str]]) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        found["not_json"] = {""}


def _refuse(constant: str) -> Any:
    raise ValueError(constant)

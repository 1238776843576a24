"""The decoder's complaint about a body, as a problem with a code and a JSON Pointer.

The decoder says it in one line of text, such as "Expected `str`, got `int` - at `$.action.tool`".
Part of that line can be a key or a word of the agent's, so the place is taken from its end, and
for a key it is looked up in the body.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gateway.checking import locate
from gateway.domain import pointers
from gateway.errors import BadRequest

_STEP: Final = re.compile(r"\.([^.\[]+)|\[([0-9]+)\]")
_UNKNOWN: Final = "Object contains unknown field `"
_MISSING: Final = "Object missing required field `"
_QUOTED_CHARS: Final = 200
_NUMBER: Final = ("Number out of range", "Integer value out of range")


def as_problem(complaint: str, body: bytes, value: Any) -> BadRequest:
    """What the text of a msgspec.ValidationError means.

    `body` is what it was said about, `value` the same parsed, None when no parser could.
    """
    if complaint.startswith(_NUMBER):
        place = locate.find(body, locate.is_unsafe_number) or ""
        return BadRequest("number_out_of_range", "A number is too large.", pointer=place)
    if complaint.startswith(_UNKNOWN):
        steps = _unknown_field(complaint, value)
        detail = f"There is no field of the name {steps[-1]!r} here."
        return BadRequest("unknown_field", detail, pointer=locate.write(steps))
    what, steps = _split(complaint)
    if complaint.startswith(_MISSING):
        steps = (*steps, what.removeprefix(_MISSING).removesuffix("`"))
        detail = f"The field {steps[-1]!r} is needed."
        return BadRequest("missing_field", detail, pointer=locate.write(steps))
    if what.startswith("Expected `") and "`, got `" in what:
        return BadRequest("wrong_type", f"{what}.", pointer=locate.write(steps))
    # It may quote the value, which may be as long as a body.
    detail = f"{what}." if len(what) <= _QUOTED_CHARS else f"{what[:_QUOTED_CHARS]}..."
    return BadRequest("value_out_of_range", detail, pointer=locate.write(steps))


def _split(complaint: str) -> tuple[str, tuple[str, ...]]:
    """The complaint without its place, and the steps to the place."""
    what, at, place = complaint.rpartition(" - at `")
    place = place.removeprefix("key` in `")
    if not (at and place.startswith("$") and place.endswith("`")):
        return complaint, ()
    # `[...]` is the decoder's word for some member of a mapping: the place is the mapping.
    known = place[1:-1].partition("[...]")[0]
    return what, tuple(field or index for field, index in _STEP.findall(known))


def _unknown_field(complaint: str, value: Any) -> tuple[str, ...]:
    """The steps to an unknown field, though its name may itself read like a place."""
    what, steps = _split(complaint)
    steps = (*steps, what.removeprefix(_UNKNOWN).removesuffix("`"))
    if _stands(value, steps):
        return steps
    return (complaint.removeprefix(_UNKNOWN).removesuffix("`"),)


def _stands(value: Any, steps: tuple[str, ...]) -> bool:
    for step in steps:
        value = pointers.child(value, step)
        if value is pointers.MISSING:
            return False
    return True

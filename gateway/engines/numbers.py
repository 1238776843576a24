"""Numbers in patches, in one form whichever engine wrote them.

One engine says 10 for the 10.0 of the frame, the other 10.0; one keeps a long integer whole
and the other the digits of a double. A decision must not depend on that.
"""

from __future__ import annotations

from typing import Any, Final

LEAST: Final = -(1 << 63)
BEYOND: Final = 1 << 64


def in_one_form(value: Any) -> Any:
    """Whole numbers that fit 64 bits are integers, all others doubles.

    Raises OverflowError for a number that is neither.
    """
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() and LEAST <= value < BEYOND else value
    if kind is int:
        return value if LEAST <= value < BEYOND else float(value)
    if kind is list:
        return [in_one_form(item) for item in value]
    if kind is dict:
        return {key: in_one_form(item) for key, item in value.items()}
    return value

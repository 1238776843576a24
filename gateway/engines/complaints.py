"""What an engine complains of, as one line for the author of a rule: where, and what.

A complaint quotes values, so it can hold what an agent wrote: it is cut, loses its control
characters, and belongs to the content of a decision.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from gateway.domain.rule_results import Failure

ERROR_CHARS: Final = 300

# An arrow and the place, the line of the policy with a mark below it, then the reason.
_PLACED: Final = re.compile(
    r"\s*--> (?P<place>[^\n]{1,200}?:\d+):\d+\n(?:[^\n]*\n){0,4}?error: (?P<reason>.*)", re.DOTALL
)
_TRACE: Final = "\n\nStack backtrace:"
# Modules that a policy does not hold, and whose lines say nothing to its author.
_OWN: Final = "checkrein/"


class Failed(Struct, frozen=True):
    """A rule that failed, and what is known of the reason."""

    failure: Failure
    error: str | None = None


def readable(complaint: str) -> str | None:
    """`rules/a.rego:5: what is wrong`; None when nothing was said."""
    said = complaint.partition(_TRACE)[0]
    found = _PLACED.match(said)
    if found is not None:
        place = "" if found["place"].startswith(_OWN) else f"{found['place']}: "
        said = place + found["reason"]
    return one_line(said)


def one_line(text: str) -> str | None:
    """The text without line breaks and control characters, cut; None when nothing is left."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(line) > ERROR_CHARS:
        return f"{line[: ERROR_CHARS - 1]}…"
    return line or None

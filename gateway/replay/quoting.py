"""Evidence as it is shown: bounded, on one line, and with nothing in it that a reader cannot see.

What is quoted was written by agents, people and web pages. Control and bidirectional characters
are named, so that a quotation is read in the order in which it was compared.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import msgspec

QUOTE_CHARS: Final = 240
VALUE_CHARS: Final = 200
CUT: Final = "…"
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are drawn as nothing, or as a blank.
_BLANK: Final = frozenset(
    {
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)
_BEFORE: Final = 80


def quoted(text: str, limit: int = QUOTE_CHARS) -> str:
    """The text on one line; what is unseen is named, what is too long is cut."""
    short = " ".join(text[: limit * 2].split())
    cut = len(short) > limit or len(text) > limit * 2
    return "".join(map(_named, short[:limit])) + (CUT if cut else "")


def around(text: str, start: int, end: int, limit: int = QUOTE_CHARS) -> str:
    """The sentence or line in which something stands."""
    first = max(text.rfind(mark, 0, start) + len(mark) for mark in ("\n", ". ", "! ", "? ", "; "))
    first = max(first if first > 1 else 0, start - _BEFORE)
    ends = [at for mark in ("\n", ". ", "! ", "? ", "; ") if (at := text.find(mark, end)) >= 0]
    last = min([*(at + 1 for at in ends), len(text)])
    return quoted(text[first:last].strip(), limit)


def value_shown(value: Any) -> Any:
    """A value for the answer: scalars as they are, texts quoted, anything else as its JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else quoted(str(value)[:VALUE_CHARS], VALUE_CHARS)
    if isinstance(value, str):
        return quoted(value, VALUE_CHARS)
    return quoted(msgspec.json.encode(value).decode(), VALUE_CHARS)


def _named(char: str) -> str:
    point = ord(char)
    if 0x20 <= point < 0x7F:
        return char
    unseen = point in _BLANK or unicodedata.category(char) in _UNSEEN
    return f"⟨U+{point:04X}⟩" if unseen else char

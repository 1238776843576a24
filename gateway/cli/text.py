"""Text that an agent or a person wrote, made safe to look at.

A terminal obeys what it is sent: escape sequences move the cursor, set the clipboard or the
title, and bidirectional controls show a text in another order than it is compared in. So nothing
that came from outside is printed as it is: whatever a reader cannot see is named instead.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from typing import Any, Final

VALUE_CHARS: Final = 4_000
LINE_CHARS: Final = 200

# Controls, format characters (bidirectional, zero width, tags), surrogates, private and
# unassigned code points, and the separators of lines and paragraphs.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that are drawn as nothing, or as a blank.
_BLANK: Final = frozenset(
    {
        0x034F,
        0x115F,
        0x1160,
        0x17B4,
        0x17B5,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    }
)


def shown(value: str, limit: int = VALUE_CHARS) -> str:
    """The text with every unseen character but newline and tab as `⟨U+202E⟩`.

    What is longer than `limit` characters is cut, with a note of how much is missing.
    """
    kept = value[:limit]
    safe = kept if kept.isascii() and kept.isprintable() else kept.translate(_names)
    return safe if len(value) <= limit else f"{safe}… ({len(value) - limit:,} more characters)"


def line(value: str, limit: int = LINE_CHARS) -> str:
    r"""The same on one line: a newline is `\n` and a tab `\t`, so that no text begins a new row."""
    return shown(value, limit).replace("\n", "\\n").replace("\t", "\\t")


def as_json(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII: what a terminal might obey is escaped, and every reader gets it back."""
    return json.dumps(value, ensure_ascii=True, indent=indent)


def pretty(value: Any, limit: int = VALUE_CHARS) -> str:
    """A value as people read JSON: indented, letters as they are, and nothing unseen in it."""
    if isinstance(value, str):
        return shown(value, limit)
    return shown(json.dumps(value, ensure_ascii=False, indent=2, default=str), limit)


@cache
def _name(point: int) -> str:
    char = chr(point)
    unseen = point in _BLANK or unicodedata.category(char) in _UNSEEN
    return f"⟨U+{point:04X}⟩" if unseen and char not in "\n\t" else char


class _Names:
    """What `str.translate` looks each code point up in."""

    def __getitem__(self, point: int) -> str:
        return _name(point)


_names: Final = _Names()

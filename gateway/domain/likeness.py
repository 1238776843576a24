"""A digest that near-identical calls share: what a loop of slightly varied calls has in common."""

from __future__ import annotations

import hashlib
import re
from typing import Any

# One class of characters and nothing to go back to: linear, also on hostile text.
_LETTERS = re.compile(r"[^\W\d_]+")
TEXT_MAX = 2_000
NODES_MAX = 400


def likeness(tool: str, arguments: dict[str, Any]) -> str:
    """Equal for the same tool and arguments but for numbers, case, white space and word order.

    Only the first 2,000 characters of a text and the first 400 values count: enough to tell
    calls apart, and bounded for hostile ones.
    """
    parts: list[str] = [tool]
    _collect(arguments, parts)
    return hashlib.blake2b(
        "\x1f".join(parts).encode("utf-8", "replace"), digest_size=12
    ).hexdigest()


def _collect(value: Any, parts: list[str]) -> None:
    if len(parts) > NODES_MAX:
        return
    if isinstance(value, str):
        parts.append(_words(value[:TEXT_MAX]))
    elif isinstance(value, dict):
        for key in sorted(value):
            parts.append(key)
            _collect(value[key], parts)
    elif isinstance(value, list):
        for item in value:
            _collect(item, parts)
    elif isinstance(value, bool) or value is None:
        parts.append(str(value))
    else:
        parts.append("#")


def _words(text: str) -> str:
    """Lower-case words without digits and punctuation, sorted."""
    return " ".join(sorted(_LETTERS.findall(text.lower())))

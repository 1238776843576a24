"""A digest that near-identical calls share: what a loop of slightly varied calls has in common."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

TEXT_MAX = 16_000
# One class of characters and nothing to go back to: linear, also on hostile text.
_WORDS = re.compile(r"[^\W\d_]+")


def likeness(tool: str, arguments: dict[str, Any]) -> str:
    """Equal for the same tool and arguments but for numbers, case, white space and word order.

    Only the first 16,000 bytes of the arguments count: enough to tell calls apart, and bounded.
    """
    text = msgspec.json.encode(arguments, order="sorted")[:TEXT_MAX].decode("utf-8", "replace")
    words = sorted(_WORDS.findall(text.lower()))
    joined = "\x1f".join([tool, *words]).encode("utf-8", "replace")
    return hashlib.blake2b(joined, digest_size=12).hexdigest()

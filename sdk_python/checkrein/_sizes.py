"""Cutting what is too large, with a marker that says so.

The gateway's gate closes at 256 KiB for a whole body. What does not fit is cut from the longest
strings and lists first, so the shape survives and rules can still read the small fields.
"""

from __future__ import annotations

from typing import Any

import msgspec

BODY_BYTES = 256 * 1024 - 1024
# For what stands beside the arguments in a check: names, ids, description.
ENVELOPE_BYTES = 8 * 1024
SCHEMA_BYTES = 24 * 1024
HISTORY_BYTES = 32 * 1024
OUTPUT_BYTES = 128 * 1024
EVENT_BYTES = 96 * 1024
MODEL_CALL_BYTES = 192 * 1024
TEXT_BYTES = 16 * 1024
CONTEXT_BYTES = 64 * 1024
RESULT_BYTES = 8 * 1024
NODES = 18_000

_STEPS = ((65_536, 4096), (16_384, 1024), (4096, 256), (1024, 64), (256, 16), (64, 4))


def fit(value: Any, limit: int) -> tuple[Any, bool]:
    """The value, cut until its JSON has at most `limit` bytes, and whether it was cut."""
    if len(msgspec.json.encode(value)) <= limit:
        return value, False
    for chars, items in _STEPS:
        cut = _cut(value, chars, items)
        if len(msgspec.json.encode(cut)) <= limit:
            return cut, True
    return _nothing(value), True


def short(text: str, limit: int = TEXT_BYTES) -> str:
    """The text, cut until its JSON has at most about `limit` bytes, with a marker."""
    chars = len(text)
    while (size := len(msgspec.json.encode(text[:chars]))) > limit:
        chars = min(chars - 1, chars * limit // size)
    return text if chars == len(text) else _marked(text, chars)


def _nothing(value: Any) -> Any:
    """What is left when nothing fits: of the same JSON type, so that the shape stays valid."""
    marker = "[left out: too large]"
    if isinstance(value, dict):
        return {"[cut]": marker}
    return [marker] if isinstance(value, list) else marker


def _marked(text: str, chars: int) -> str:
    return f"{text[:chars]}…[cut: {len(text) - chars} more]"


def _cut(value: Any, chars: int, items: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= chars else _marked(value, chars)
    if isinstance(value, list):
        kept = [_cut(item, chars, items) for item in value[:items]]
        return kept if len(value) <= items else [*kept, f"[cut: {len(value) - items} more]"]
    if isinstance(value, dict):
        pairs = list(value.items())
        made = {key[:256]: _cut(item, chars, items) for key, item in pairs[:items]}
        return made if len(pairs) <= items else {**made, "[cut]": f"{len(pairs) - items} more"}
    return value

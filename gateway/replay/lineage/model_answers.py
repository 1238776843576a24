"""The tool calls in a recorded model answer, whatever the provider's shape.

OpenAI's chat and responses, Anthropic's content blocks and plain objects all come down to a name
beside arguments. Arguments may be a JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

NODES: Final = 2_000
JSON_CHARS: Final = 65_536
_ARGUMENTS: Final = ("arguments", "input", "args", "parameters")
_IDS: Final = ("call_id", "id", "tool_call_id", "tool_use_id")
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")


class ToolCall(Struct, frozen=True):
    """A call that a model proposed. `steps` lead to its arguments within the answer.

    `arguments` is None where they cannot be read.
    """

    name: str
    arguments: dict[str, Any] | None
    id: str | None = None
    steps: tuple[str, ...] = ()


def tool_calls(answer: Any) -> list[ToolCall]:
    """The calls that an answer proposes, in order."""
    return list(_calls(_opened(answer), (), None, [NODES]))


def proposes(value: dict[str, Any]) -> bool:
    """Whether an object of an answer is itself a call."""
    return _call(value, (), None) is not None


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return _NOT_NAME.sub("", name.lower())


def same_tool(proposed: str, called: str) -> bool:
    """Whether two names are of one tool: providers allow no dots, and MCP hosts prefix a server."""
    left, right = _plain(proposed), _plain(called)
    shorter, longer = sorted((left, right), key=len)
    return bool(shorter) and (left == right or (len(shorter) > 5 and longer.endswith(shorter)))


def _calls(
    value: Any, steps: tuple[str, ...], above: str | None, left: list[int]
) -> Iterator[ToolCall]:
    left[0] -= 1
    if left[0] < 0 or len(steps) > 12:
        return
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _calls(item, (*steps, str(place)), None, left)
    elif isinstance(value, dict):
        id_ = next((value[key] for key in _IDS if isinstance(value.get(key), str)), above)
        call = _call(value, steps, id_)
        if call is not None:
            yield call
            return
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from _calls(item, (*steps, str(key)), id_, left)


def _call(value: dict[str, Any], steps: tuple[str, ...], id_: str | None) -> ToolCall | None:
    name = value.get("name") if isinstance(value.get("name"), str) else value.get("tool")
    key = next((key for key in _ARGUMENTS if key in value), None)
    if not isinstance(name, str) or key is None:
        return None
    arguments = _opened(value[key])
    known = arguments if isinstance(arguments, dict) else None
    return ToolCall(name, known, id_, (*steps, key))


def _opened(value: Any) -> Any:
    """A JSON text as what it says; anything else as it is."""
    if not isinstance(value, str) or len(value) > JSON_CHARS or value[:1] not in "{[":
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return value

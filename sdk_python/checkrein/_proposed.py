"""Proposed tool calls, in the shapes in which models' providers give them.

| from | shape |
| --- | --- |
| OpenAI, chat completions | `tool_calls[].function.{name, arguments}`, the arguments as JSON text |
| OpenAI, responses | items of type `function_call` with `name` and `arguments` |
| Anthropic | blocks of type `tool_use` with `name` and `input` |
| Checkrein | `{"text", "tool", "arguments"}` |

Each as dictionaries or as the client libraries' objects, alone, in a list, in its message or in the
whole answer. No such library is imported: what has the attributes is taken for the thing. What a
model wrote is never a reason to raise here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

log = logging.getLogger("checkrein")
CALLS_MAX = 64
DEPTH_MAX = 6

_OWN = frozenset({"text", "tool", "arguments", "call_id"})
_CALLS = frozenset(
    {"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call", "mcp_call"}
)
_TEXTS = frozenset({"text", "output_text"})
_INSIDE = ("message", "content", "output", "tool_calls", "function_call", "function", "custom")
_said: set[str] = set()


class Proposal(NamedTuple):
    """One call. `unread` is what was given for arguments when that is no object."""

    tool: str | None
    arguments: dict[Any, Any] | None = None
    unread: str | None = None
    id: str | None = None
    text: Any = None


def proposals(given: Any) -> tuple[list[Any], list[Proposal]]:
    """The texts and the calls in what was given, in their order."""
    texts: list[Any] = []
    calls: list[Proposal] = []
    _walk(given, texts, calls, 0)
    return texts, calls[:CALLS_MAX]


def _walk(given: Any, texts: list[Any], calls: list[Proposal], depth: int) -> None:
    if given is None or depth > DEPTH_MAX or len(calls) >= CALLS_MAX:
        return
    if isinstance(given, str):
        texts.append(given)
    elif isinstance(given, list | tuple):
        for one in given:
            _walk(one, texts, calls, depth + 1)
    elif isinstance(given, Mapping) and given.keys() <= _OWN:
        calls.extend([_own(given)] if given else [])
    elif (kind := _word(given, "type")) in _TEXTS:
        texts.extend(filter(None, [_word(given, "text")]))
    elif (name := _word(given, "name")) is not None and (kind in _CALLS or _has_arguments(given)):
        calls.append(_call(given, name))
    elif not _inside(given, texts, calls, depth) and kind is None:
        texts.append(given)


def _inside(given: Any, texts: list[Any], calls: list[Proposal], depth: int) -> bool:
    """What messages and answers hold. Of several answers to one question the first is taken."""
    choices = _member(given, "choices")
    held = [choices[0]] if isinstance(choices, list | tuple) and choices else []
    for name in _INSIDE:
        one = _member(given, name)
        if one is not None and not callable(one):
            held.append(one)
    before = len(calls)
    for one in held:
        _walk(one, texts, calls, depth + 1)
    if len(calls) == before + 1 and calls[-1].id is None and not calls[-1].text:
        calls[-1] = calls[-1]._replace(id=_word(given, "call_id") or _word(given, "id"))
    return bool(held)


def _own(given: Mapping[str, Any]) -> Proposal:
    tool = None if given.get("tool") is None else str(given["tool"])
    arguments, unread = (None, None)
    if given.get("arguments") is not None:
        arguments, unread = _arguments(given["arguments"], tool)
    return Proposal(tool, arguments, unread, _word(given, "call_id"), given.get("text"))


def _call(given: Any, name: str) -> Proposal:
    held = (_member(given, word) for word in ("arguments", "input", "args"))
    arguments, unread = _arguments(next((one for one in held if one is not None), None), name)
    return Proposal(name, arguments, unread, _word(given, "call_id") or _word(given, "id"))


def _arguments(held: Any, tool: str | None) -> tuple[dict[Any, Any] | None, str | None]:
    if held is None or (isinstance(held, str) and not held.strip()):
        return {}, None
    if isinstance(held, Mapping):
        return dict(held), None
    read: Any = None
    try:
        read = msgspec.json.decode(held) if isinstance(held, str | bytes) else None
    except (msgspec.DecodeError, RecursionError, ValueError):
        read = None
    if isinstance(read, dict):
        return read, None
    if "arguments" not in _said:
        _said.add("arguments")
        log.warning(
            "The planned arguments of %s are no JSON object; that plan is taken as text. "
            "This is said once.",
            (tool or "a tool")[:256],
        )
    return None, held if isinstance(held, str) else repr(held)[:4096]


def _has_arguments(given: Any) -> bool:
    return any(_member(given, word) is not None for word in ("arguments", "input", "args"))


def _word(given: Any, name: str) -> str | None:
    held = _member(given, name)
    return held if isinstance(held, str) and held else None


def _member(given: Any, name: str) -> Any:
    try:
        return given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)
    except Exception:  # noqa: BLE001 - a property may do anything; this only looks
        return None

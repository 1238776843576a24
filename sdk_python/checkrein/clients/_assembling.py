"""An answer put together again from what a stream brought, in the provider's own form.

Bounded: of an answer without end the first megabyte of text is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from checkrein.clients._answers import plain
from checkrein.clients._requests import CHAT, RESPONSES

CHARS_MAX = 1024 * 1024
PARTS_MAX = 1024

Assembled = dict[str, Any]


class Assembling:
    """`add` every event of the stream; `whole` is the answer as far as it came."""

    def __init__(self, api: str) -> None:
        self._add = {CHAT: self._chat, RESPONSES: self._response}.get(api, self._message)
        self._left = CHARS_MAX
        self.whole: Assembled = {}

    def add(self, event: Any) -> None:
        """The next event, as the client's object or as a dictionary."""
        given = plain(event)
        if isinstance(given, Mapping):
            self._add(given)

    def _chat(self, chunk: Mapping[str, Any]) -> None:
        for name in ("id", "model", "usage"):
            if chunk.get(name) is not None:
                self.whole[name] = chunk[name]
        choices = self.whole.setdefault("choices", [])
        for given in chunk.get("choices") or []:
            choice = _at(choices, given.get("index", 0), {"message": {"role": "assistant"}})
            if choice is None:
                continue
            if given.get("finish_reason"):
                choice["finish_reason"] = given["finish_reason"]
            for name, value in (given.get("delta") or {}).items():
                self._merge(choice["message"], name, value)

    def _merge(self, message: Assembled, name: str, value: Any) -> None:
        if name == "tool_calls" and isinstance(value, list):
            calls = message.setdefault("tool_calls", [])
            for given in value:
                call = _at(calls, given.get("index", len(calls)), {"type": "function"})
                if call is not None:
                    self._merge_call(call, given)
        elif isinstance(value, str) and name != "role":
            message[name] = self._more(message.get(name), value)
        elif value is not None:
            message[name] = value

    def _merge_call(self, call: Assembled, given: Mapping[str, Any]) -> None:
        for name in ("id", "type"):
            if given.get(name):
                call[name] = given[name]
        for kind in ("function", "custom"):
            for name, value in (given.get(kind) or {}).items():
                inside = call.setdefault(kind, {})
                # A name comes whole; arguments come in pieces.
                inside[name] = value if name == "name" else self._more(inside.get(name), value)

    def _response(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type", "")
        if isinstance(event.get("response"), Mapping):
            items = self.whole.get("output", [])
            self.whole = {**event["response"]}
            self.whole["output"] = self.whole.get("output") or items
        elif kind in ("response.output_item.added", "response.output_item.done"):
            output = self.whole.setdefault("output", [])
            at = event.get("output_index", len(output))
            if _at(output, at, {}) is not None:
                output[at] = event.get("item")
        elif kind == "response.output_text.delta":
            # Counts only where the stream ends before the item is done.
            item = _at(self.whole.setdefault("output", []), event.get("output_index", 0), {})
            if isinstance(item, dict):
                text = item.setdefault("content", [])
                part = _at(text, event.get("content_index", 0), {"type": "output_text"})
                if part is not None:
                    part["text"] = self._more(part.get("text"), event.get("delta", ""))
        elif kind == "error":
            self.whole["error"] = {"message": event.get("message")}

    def _message(self, event: Mapping[str, Any]) -> None:
        kind = event.get("type", "")
        blocks = self.whole.setdefault("content", [])
        if kind == "message_start":
            self.whole = {**event.get("message", {}), "content": blocks}
        elif kind == "content_block_start":
            at = event.get("index", len(blocks))
            if _at(blocks, at, {}) is not None:
                blocks[at] = {**event.get("content_block", {})}
        elif kind == "content_block_delta":
            block = _at(blocks, event.get("index", 0), {})
            if block is not None:
                self._merge_block(block, event.get("delta") or {})
        elif kind == "content_block_stop":
            _close(_at(blocks, event.get("index", 0), {}))
        elif kind == "message_delta":
            self.whole |= event.get("delta") or {}
            self.whole["usage"] = {**self.whole.get("usage", {}), **(event.get("usage") or {})}

    def _merge_block(self, block: Assembled, delta: Mapping[str, Any]) -> None:
        if delta.get("type") == "input_json_delta":
            # Until the block ends, proposed arguments are as much of their JSON text as came.
            before = block["input"] if isinstance(block.get("input"), str) else ""
            block["input"] = self._more(before, delta.get("partial_json", ""))
        elif delta.get("type") == "citations_delta":
            block.setdefault("citations", []).append(delta.get("citation"))
        else:
            for name, value in delta.items():
                if name != "type" and isinstance(value, str):
                    block[name] = self._more(block.get(name), value)

    def _more(self, before: Any, value: Any) -> str:
        text = value[: self._left] if isinstance(value, str) else ""
        self._left -= len(text)
        return (before if isinstance(before, str) else "") + text


def _at(items: list[Any], place: Any, new: Assembled) -> Any:
    """The item of that place, made where there is none; None for a place that cannot be."""
    if not isinstance(place, int) or not 0 <= place < PARTS_MAX:
        return None
    while len(items) <= place:
        items.append({key: {**one} if isinstance(one, dict) else one for key, one in new.items()})
    return items[place]


def _close(block: Any) -> None:
    """A block is whole: arguments that came as text are an object, as in an answer in one piece."""
    if isinstance(block, dict) and isinstance(block.get("input"), str):
        # What is no JSON, or was cut, stays as the text it is.
        with contextlib.suppress(msgspec.DecodeError):
            block["input"] = msgspec.json.decode(block["input"] or "{}")

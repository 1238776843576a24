"""A recorded answer as its provider would have sent it: one JSON document, or a stream's events.

Pure. Ids and times of the provider are not in the record; what stands in their place says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from checkrein.clients._requests import CHAT, MESSAGES, RESPONSES, ModelRequest

ID = "recorded"
_Event = tuple[str | None, dict[str, Any]]


def document(request: ModelRequest, answer: Any, tokens: tuple[int, int]) -> bytes:
    """The whole answer."""
    return msgspec.json.encode(_WHOLE[request.api](request, answer, tokens))


def stream(request: ModelRequest, answer: Any, tokens: tuple[int, int]) -> bytes:
    """The same as server-sent events, as few as can be."""
    whole = _WHOLE[request.api](request, answer, tokens)
    lines = []
    for name, data in _EVENTS[request.api](request, whole):
        lines += [f"event: {name}\n".encode()] if name else []
        lines.append(b"data: " + msgspec.json.encode(data) + b"\n\n")
    return b"".join(lines) + (b"data: [DONE]\n\n" if request.api == CHAT else b"")


def _chat(request: ModelRequest, answer: Any, tokens: tuple[int, int]) -> dict[str, Any]:
    messages = answer if isinstance(answer, list) else [answer]
    return {
        "id": f"chatcmpl-{ID}",
        "object": "chat.completion",
        "created": 0,
        "model": request.body.get("model", ID),
        "choices": [
            {
                "index": place,
                "message": message,
                "finish_reason": "tool_calls" if _object(message).get("tool_calls") else "stop",
            }
            for place, message in enumerate(messages)
        ],
        "usage": {
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "total_tokens": sum(tokens),
        },
    }


def _chat_events(request: ModelRequest, whole: dict[str, Any]) -> Iterator[_Event]:
    chunk = {**whole, "object": "chat.completion.chunk", "choices": [], "usage": None}
    for choice in whole["choices"]:
        message = dict(_object(choice["message"]))
        calls = message.get("tool_calls")
        if isinstance(calls, list):
            message["tool_calls"] = [{"index": n, **_object(one)} for n, one in enumerate(calls)]
        place = choice["index"]
        yield None, {**chunk, "choices": [{"index": place, "delta": message}]}
        ends = {"index": place, "delta": {}, "finish_reason": choice["finish_reason"]}
        yield None, {**chunk, "choices": [ends]}
    if _object(request.body.get("stream_options")).get("include_usage"):
        yield None, {**chunk, "usage": whole["usage"]}


def _responses(request: ModelRequest, answer: Any, tokens: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": f"resp_{ID}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": request.body.get("model", ID),
        "output": answer if isinstance(answer, list) else [answer],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": tokens[0],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": tokens[1],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(tokens),
        },
    }


def _responses_events(_: ModelRequest, whole: dict[str, Any]) -> Iterator[_Event]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    told: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": begun})]
    for place, item in enumerate(whole["output"]):
        at = {"output_index": place, "item_id": _object(item).get("id", ID)}
        begins: dict[str, Any] = {"output_index": place, "item": _begun(item)}
        told.append(("response.output_item.added", begins))
        told += [(name, {**at, **data}) for name, data in _pieces(_object(item))]
        told.append(("response.output_item.done", {"output_index": place, "item": item}))
    told.append(("response.completed", {"response": whole}))
    for number, (name, data) in enumerate(told):
        yield name, {"type": name, "sequence_number": number, **data}


def _begun(item: Any) -> dict[str, Any]:
    """An item before anything of it has come."""
    empty: dict[str, Any] = {"content": [], "arguments": "", "status": "in_progress"}
    return {key: empty.get(key, value) for key, value in _object(item).items()}


def _pieces(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if item.get("type") == "function_call":
        arguments = item.get("arguments", "")
        yield "response.function_call_arguments.delta", {"delta": arguments}
        yield "response.function_call_arguments.done", {"arguments": arguments}
    for number, part in enumerate(item.get("content") or ()):
        if _object(part).get("type") == "output_text":
            at, text = {"content_index": number}, part.get("text", "")
            empty = {**part, "text": ""}
            yield "response.content_part.added", {**at, "part": empty}
            yield "response.output_text.delta", {**at, "delta": text, "logprobs": []}
            yield "response.output_text.done", {**at, "text": text, "logprobs": []}
            yield "response.content_part.done", {**at, "part": part}


def _messages(request: ModelRequest, answer: Any, tokens: tuple[int, int]) -> dict[str, Any]:
    content = _object(answer).get("content") or []
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    calls = any(_object(block).get("type") == "tool_use" for block in blocks)
    return {
        "id": f"msg_{ID}",
        "type": "message",
        "role": "assistant",
        "model": request.body.get("model", ID),
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": tokens[0], "output_tokens": tokens[1]},
    }


def _messages_events(_: ModelRequest, whole: dict[str, Any]) -> Iterator[_Event]:
    begun = {**whole, "content": [], "stop_reason": None}
    told: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": begun})]
    for place, block in enumerate(whole["content"]):
        empty, delta = _block(dict(_object(block)))
        told.append(("content_block_start", {"index": place, "content_block": empty}))
        if delta is not None:
            told.append(("content_block_delta", {"index": place, "delta": delta}))
        told.append(("content_block_stop", {"index": place}))
    ends = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    told.append(("message_delta", {"delta": ends, "usage": whole["usage"]}))
    told.append(("message_stop", {}))
    for name, data in told:
        yield name, {"type": name, **data}


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A block as it begins, and the one piece that the rest of it comes in."""
    kind = block.get("type")
    if kind == "text":
        return {**block, "text": ""}, {"type": "text_delta", "text": block.get("text", "")}
    if kind == "tool_use":
        given = block.get("input")
        said = given if isinstance(given, str) else msgspec.json.encode(given).decode()
        return {**block, "input": {}}, {"type": "input_json_delta", "partial_json": said}
    if kind == "thinking":
        thought = block.get("thinking", "")
        return {**block, "thinking": ""}, {"type": "thinking_delta", "thinking": thought}
    return block, None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_WHOLE = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages}
_EVENTS = {CHAT: _chat_events, RESPONSES: _responses_events, MESSAGES: _messages_events}

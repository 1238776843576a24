"""A provider of language models on loopback: OpenAI's two protocols and Anthropic's, scripted.

Real HTTP, whole answers and streams. A test says what the model answers, in no provider's form:

    with models() as provider:
        provider.answer(Said("I will refund it.", [("refund", {"amount": 4500})]))
        client = OpenAI(base_url=f"{provider.url}/v1", api_key="k")
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Answering = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]
Events = Iterator[tuple[str, dict[str, Any]]]


class Said(NamedTuple):
    """What the model says: a text, the calls that it proposes, and what it used."""

    text: str = "Hello."
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    used: tuple[int, int] = (100, 20)
    model: str = "m-1-2026"
    thought: str | None = None
    # How many events of a stream come before the connection ends; None: all.
    breaks_after: int | None = None


class Provider:
    """Answers with the next one of `script`, or with the last one again; keeps all requests."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.script: deque[Answering] = deque()
        self.default: Answering = self._said(Said())
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, *said: Said | Answering) -> None:
        """What the next calls get, in order."""
        self.script.extend(self._said(one) if isinstance(one, Said) else one for one in said)

    def always(self, said: Said | Answering) -> None:
        self.default = self._said(said) if isinstance(said, Said) else said

    def refusing(self, status: int, message: str, **headers: str) -> Answering:
        """An error as providers answer it."""
        body = json.dumps({"error": {"message": message, "type": "error"}}).encode()
        return self.sending(status, body, **headers)

    def sending(self, status: int, body: bytes, **headers: str) -> Answering:
        """Exactly these bytes."""

        def reply(handler: BaseHTTPRequestHandler, _asked: dict[str, Any]) -> None:
            _send(handler, status, body, "application/json", headers)

        return reply

    def hanging(self, handler: BaseHTTPRequestHandler, _asked: dict[str, Any]) -> None:
        self.over.wait(60)
        handler.close_connection = True

    def flooding(self, handler: BaseHTTPRequestHandler, _asked: dict[str, Any]) -> None:
        """An answer without end, one byte of JSON after another."""
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.end_headers()
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.wfile.write(b'{"choices": "')
            while not self.over.is_set():
                handler.wfile.write(b"x" * 65_536)

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _said(self, said: Said) -> Answering:
        def reply(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
            path = handler.path.partition("?")[0]
            form = next((one for one in _FORMS if path.endswith(one)), None)
            if form is None:
                _send(handler, 404, b"{}", "application/json", {})
                return
            whole, streamed = _FORMS[form]
            if not asked.get("stream"):
                _send(handler, 200, json.dumps(whole(said)).encode(), "application/json", {})
                return
            _stream(handler, said, streamed(said), done=form == "/chat/completions")

        return reply

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = json.loads(body) if body else {}
        self.paths.append(handler.path)
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        self.raw.append(body)
        self.bodies.append(asked)
        (self.script.popleft() if self.script else self.default)(handler, asked)


@contextlib.contextmanager
def models() -> Iterator[Provider]:
    """A provider until the block ends."""
    provider = Provider()
    try:
        yield provider
    finally:
        provider.stop()


# Whole answers.


def _chat(said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.calls:
        message["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": _function(name, arguments)}
            for n, (name, arguments) in enumerate(said.calls)
        ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": said.model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": _chat_end(said)}
        ],
        "usage": _chat_usage(said),
    }


def _responses(said: Said, status: str = "completed") -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": said.model,
        "output": _items(said) if status == "completed" else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": said.used[0],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said.used[1],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(said.used),
        },
    }


def _messages(said: Said) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": _blocks(said),
        "stop_reason": "tool_use" if said.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": said.used[0], "output_tokens": said.used[1]},
    }


def _items(said: Said) -> list[dict[str, Any]]:
    content = [{"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": content,
    }
    return [message] + [
        {
            "id": f"fc_{n}",
            "type": "function_call",
            "call_id": f"call_{n}",
            "status": "completed",
            **_function(name, arguments),
        }
        for n, (name, arguments) in enumerate(said.calls)
    ]


def _blocks(said: Said) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thought:
        blocks.append({"type": "thinking", "thinking": said.thought, "signature": "s"})
    blocks.append({"type": "text", "text": said.text, "citations": None})
    return blocks + [
        {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": arguments}
        for n, (name, arguments) in enumerate(said.calls)
    ]


# The same as streams.


def _chat_events(said: Said) -> Events:
    def chunk(delta: dict[str, Any], end: str | None = None) -> tuple[str, dict[str, Any]]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return "", {**_chunk(said), "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(said.text):
        yield chunk({"content": piece})
    for n, (name, arguments) in enumerate(said.calls):
        begun = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": n, "id": f"call_{n}", "function": begun}]})
        for piece in _pieces(json.dumps(arguments)):
            yield chunk({"tool_calls": [{"index": n, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_end(said))
    yield "", {**_chunk(said), "choices": [], "usage": _chat_usage(said)}


def _response_events(said: Said) -> Events:
    n = iter(range(10_000))

    def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        return kind, {"type": kind, "sequence_number": next(n), **fields}

    yield event("response.created", response=_responses(said, "in_progress"))
    items = _items(said)
    empty = {**items[0], "content": [], "status": "in_progress"}
    yield event("response.output_item.added", output_index=0, item=empty)
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    yield event("response.content_part.added", **where, part=part)
    for piece in _pieces(said.text):
        yield event("response.output_text.delta", **where, delta=piece, logprobs=[])
    yield event("response.output_text.done", **where, text=said.text, logprobs=[])
    for at, item in enumerate(items):
        yield event("response.output_item.done", output_index=at, item=item)
    yield event("response.completed", response=_responses(said))


def _message_events(said: Said) -> Events:
    begun = {**_messages(said), "content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": said.used[0], "output_tokens": 1}
    yield "message_start", {"type": "message_start", "message": begun}
    for at, block in enumerate(_blocks(said)):
        yield from _block_events(at, block)
    end = {"stop_reason": "tool_use" if said.calls else "end_turn", "stop_sequence": None}
    used = {"output_tokens": said.used[1]}
    yield "message_delta", {"type": "message_delta", "delta": end, "usage": used}
    yield "message_stop", {"type": "message_stop"}


def _block_events(at: int, block: dict[str, Any]) -> Events:
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}
    begun = {**block, **empty.get(block["type"], {"input": {}})}
    yield _block("start", at, content_block=begun)
    if block["type"] == "text":
        for piece in _pieces(block["text"]):
            yield _block("delta", at, delta={"type": "text_delta", "text": piece})
    elif block["type"] == "thinking":
        thought = {"type": "thinking_delta", "thinking": block["thinking"]}
        yield _block("delta", at, delta=thought)
    else:
        for piece in _pieces(json.dumps(block["input"])):
            yield _block("delta", at, delta={"type": "input_json_delta", "partial_json": piece})
    yield _block("stop", at)


def _block(kind: str, at: int, **fields: Any) -> tuple[str, dict[str, Any]]:
    name = f"content_block_{kind}"
    return name, {"type": name, "index": at, **fields}


_FORMS: dict[str, tuple[Callable[[Said], dict[str, Any]], Callable[[Said], Events]]] = {
    "/chat/completions": (_chat, _chat_events),
    "/responses": (_responses, _response_events),
    "/messages": (_messages, _message_events),
}


def _function(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "arguments": json.dumps(arguments)}


def _chat_end(said: Said) -> str:
    return "tool_calls" if said.calls else "stop"


def _chat_usage(said: Said) -> dict[str, Any]:
    sent, answered = said.used
    return {"prompt_tokens": sent, "completion_tokens": answered, "total_tokens": sent + answered}


def _chunk(said: Said) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": said.model}


def _pieces(text: str) -> Iterator[str]:
    for at in range(0, len(text), 7):
        yield text[at : at + 7]


def _stream(handler: BaseHTTPRequestHandler, said: Said, events: Events, *, done: bool) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()

    def write(text: str) -> None:
        data = text.encode()
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        handler.wfile.flush()

    with contextlib.suppress(OSError):
        for n, (name, event) in enumerate(events):
            if n == said.breaks_after:
                handler.close_connection = True
                return
            write((f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n")
        if done:
            write("data: [DONE]\n\n")
        write("")


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, kind: str, headers: dict[str, str]
) -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is what some of these tests are about."""


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            provider.take(self, self.rfile.read(size))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler

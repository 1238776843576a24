"""How a live stream is put on the wire: as server-sent events, or as frames of a WebSocket."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.api.exchange import REQUEST_ID, Headers, Send, answer
from gateway.live.pages import Item

# What a browser waits until it connects again.
RETRY_MS: Final = 2000
# Why a stream ended, as a WebSocket says it. Those that may come back at once get 1012.
CODES: Final = {"over": 1000, "stopping": 1012, "key_revoked": 1008, "key_expired": 1008}


class Framing(Protocol):
    """One connection. `begun` from the moment an answer is under way."""

    begun: bool
    kind: str

    async def refuse(self, status: int, headers: Headers, body: bytes) -> None: ...

    async def begin(self, subprotocol: str | None) -> None: ...

    async def send(self, items: Sequence[Item]) -> None: ...

    async def end(self, why: str) -> None: ...


class Sse:
    """`text/event-stream`. A heartbeat is a comment that moves the last id along."""

    kind = "sse"

    def __init__(self, send: Send, request_id: str) -> None:
        self.begun = False
        self._send = send
        self._request_id = request_id.encode()

    async def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        await answer(self._send, status, [*headers, (REQUEST_ID, self._request_id)], body)

    async def begin(self, subprotocol: str | None) -> None:
        self.begun = True
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            # Proxies that know it pass each message on at once.
            (b"x-accel-buffering", b"no"),
            (REQUEST_ID, self._request_id),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._write(b"retry: %d\n\n" % RETRY_MS)

    async def send(self, items: Sequence[Item]) -> None:
        await self._write(b"".join(map(_event, items)))

    async def end(self, why: str) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


class Socket:
    """A WebSocket: one message to a text frame."""

    kind = "websocket"

    def __init__(self, send: Send, request_id: str) -> None:
        self.begun = False
        self._send = send
        self._request_id = request_id.encode()

    async def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        # Proxies and clients know what to do with an answer in the place of a handshake.
        start = {"status": status, "headers": [*headers, (REQUEST_ID, self._request_id)]}
        await self._send({"type": "websocket.http.response.start", **start})
        await self._send({"type": "websocket.http.response.body", "body": body})

    async def begin(self, subprotocol: str | None) -> None:
        self.begun = True
        headers = [(REQUEST_ID, self._request_id)]
        accept = {"subprotocol": subprotocol, "headers": headers}
        await self._send({"type": "websocket.accept", **accept})

    async def send(self, items: Sequence[Item]) -> None:
        # The server raises for a client that left, of which the stream hears anyway.
        with contextlib.suppress(OSError):
            for item in items:
                await self._send({"type": "websocket.send", "text": item.data.decode()})

    async def end(self, why: str) -> None:
        with contextlib.suppress(OSError):
            close = {"code": CODES.get(why, 1000), "reason": why}
            await self._send({"type": "websocket.close", **close})


def _event(item: Item) -> bytes:
    said = item.id.encode()
    if item.type == "heartbeat":
        return b": heartbeat\nid: %b\n\n" % said
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (said, item.type.encode(), item.data)

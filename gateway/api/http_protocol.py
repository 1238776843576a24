"""The HTTP protocol of the server, with the bounds that it lacks: heads, trailers and requests sent
ahead, the time a head may take, answers that nobody fetches, and the number of connections.

Without them anybody, mostly without a key, could fill the memory with what does not end or is not
fetched, or hold connections open that say nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 * 1024
# Trailers count as well.
HEADERS_MAX: Final = 128
# Requests sent ahead of the answers to those before. Hardly any client does that.
AHEAD_MAX: Final = 16
# Connections on which so much of an answer waits for its reader that the server has to wait too.
UNREAD_MAX: Final = 16
UNREAD_SECONDS: Final = 30.0
HEAD_SECONDS: Final = 15.0
CONNECTIONS_MAX: Final = 1000

_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class _TooMuch(Exception):
    """Ends the parsing of a request; the server refuses it and hangs up."""


class BoundedHttp(HttpToolsProtocol):
    """One connection. Give it to uvicorn as `http=`.

    `unread` is set while an answer waits for its reader; it ends the connection.
    """

    connections_max = CONNECTIONS_MAX
    # The one address at which a WebSocket may begin; elsewhere the wish is passed over.
    upgrades = b"/v1/live"
    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # Counts what the parser has finished: a head, a piece of a body, a whole request.
        self._steps = 0
        self._since_step = 0
        self._in_head = False
        self._owed = 0
        self._refused = False
        self._upgraded = False
        self._deadline: asyncio.TimerHandle | None = None
        self.unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.connections_max:
            self._refused = True
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_unread()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Nearly everything comes in one small piece, and costs no more than these looks.
        for start in range(0, len(data), HEAD_BYTES):
            if self._refused or self._upgraded or self.transport.is_closing():
                return
            self._take(data[start : start + HEAD_BYTES])

    def _take(self, data: bytes) -> None:
        before = self._steps
        super().data_received(data)
        if self._in_head and self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._too_slow)
        self._since_step = self._since_step + len(data) if self._steps == before else 0
        if self._since_step > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        self._steps += 1
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= HEADERS_MAX:
            raise _TooMuch
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._steps += 1
        self._in_head = False
        self._forget_deadline()
        if self._owed > AHEAD_MAX:
            raise _TooMuch
        self._owed += 1
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        super().on_body(body)

    def on_response_complete(self) -> None:
        self._owed -= 1
        super().on_response_complete()
        # The server would read on after each answer, however many requests wait already.
        if self.pipeline:
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        """A reader is slow. It has some time, unless too many others are slow after it."""
        super().pause_writing()
        self.unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)
        slow = {
            each.unread.when(): each
            for each in self.connections
            if isinstance(each, BoundedHttp) and each.unread is not None
        }
        if len(slow) > UNREAD_MAX:
            slow[min(slow)].transport.abort()

    def resume_writing(self) -> None:
        self._forget_unread()
        super().resume_writing()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, unless an answer is still owed on it."""
        if self._owed > 1:
            self.transport.abort()
            return
        self._upgraded = True
        self._forget_deadline()
        self._forget_unread()
        super().handle_websocket_upgrade()

    def _should_upgrade(self) -> bool:
        at = self.url.partition(b"?")[0]
        return at == self.upgrades and super()._should_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse, unless that would stand in the place of an answer that is still owed."""
        if self._owed:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_unread(self) -> None:
        if self.unread is not None:
            self.unread.cancel()
            self.unread = None

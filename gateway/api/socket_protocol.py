"""The WebSocket protocol of the server, with the bounds that it lacks: nothing is taken from the
client but control frames, pings are answered only while answers are read, and one who does not read
is told why and cut off.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto import events
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

# What a client sends is refused when it begins; no frame has to be kept until it is whole.
MESSAGE_BYTES: Final = 4096
PING_SECONDS: Final = 20.0
UNREAD_SECONDS: Final = 30.0
# For a last word to be read, after which the connection is cut.
LAST_SECONDS: Final = 5.0
TAKES_NOTHING: Final = 1003
TOO_SLOW: Final = 1008


class BoundedSocket(WSProtocol):
    """One connection. Give it to uvicorn as `ws=`."""

    unread_seconds = UNREAD_SECONDS
    last_seconds = LAST_SECONDS

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._unread: asyncio.TimerHandle | None = None
        self._last: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._unread, self._last):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except (LocalProtocolError, RemoteProtocolError, ValueError):
            # What is no frame, and what the library finds no answer to.
            self.transport.abort()
        if self.transport.is_closing():
            self._cut_soon()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.unread_seconds, self._too_slow)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    async def send(self, message: ASGISendEvent) -> None:
        """What is still to be said when the connection was given up is said to nobody."""
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)

    def handle_message(self, event: events.TextMessage | events.BytesMessage) -> None:
        """The first byte of any message is one too many."""
        self._hang_up(TAKES_NOTHING, "This stream takes no messages.")

    def handle_ping(self, event: events.Ping) -> None:
        if self.writable.is_set():
            super().handle_ping(event)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_soon()

    def shutdown(self) -> None:
        super().shutdown()
        self._cut_soon()

    def _too_slow(self) -> None:
        self._hang_up(TOO_SLOW, "Too slow: resume behind the last message you have.")

    def _hang_up(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            self._cut_soon()
            return
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if self.handshake_complete:
            self.transport.write(self.conn.send(events.CloseConnection(code=code, reason=reason)))
        self.transport.close()
        self._cut_soon()

    def _cut_soon(self) -> None:
        """A transport that closes first waits for its reader, who may never come."""
        if self._last is None:
            self._last = self.loop.call_later(self.last_seconds, self.transport.abort)

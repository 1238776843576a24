"""Followers as small as they can be, over a socket each, so that a test decides when one reads.

A library would read ahead, answer pings and connect again, and so hide what is looked at here.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

SECONDS = 30.0
Json = dict[str, Any]


class Ended(Exception):
    """The stream is over. `code` and `reason` are a WebSocket's."""

    def __init__(self, code: int | None = None, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The answer was no stream."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


class Reader:
    """What both transports have in common: messages, one after the other."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.host = f"{host}:{port}"
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(SECONDS)
        self.socket.connect((host, int(port)))
        # Everything that was received, as it came: to be searched for what must not be there.
        self.heard = b""
        self.id = ""
        self.ended = Ended()
        self.subprotocol: str | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def next(self) -> Json:
        """The next message that is no heartbeat. Raises Ended."""
        while True:
            message = self.message()
            self.id = message["id"]
            if message["type"] != "heartbeat":
                return message

    def take(self, count: int) -> list[Json]:
        return [self.next() for _ in range(count)]

    def until(self, holds: Callable[[Json], bool]) -> list[Json]:
        """Messages up to one that fits."""
        found = [self.next()]
        while not holds(found[-1]):
            found.append(self.next())
        return found

    def rest(self) -> list[Json]:
        """All messages until the stream ends by itself."""
        found = []
        while True:
            try:
                found.append(self.next())
            except Ended as ended:
                self.ended = ended
                return found

    def message(self) -> Json:
        raise NotImplementedError

    def receive(self) -> bytes:
        data = self.socket.recv(65536)
        self.heard += data
        return data


class Sse(Reader):
    """Server-sent events. Raises Refused for any other answer."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        receive_buffer: int | None = None,
        **query: object,
    ) -> None:
        super().__init__(url, receive_buffer=receive_buffer)
        sent = {"host": self.host, **(headers or {})}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        lines = [f"{name}: {value}" for name, value in sent.items()]
        head = f"GET /v1/live?{urlencode(query)} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        self.socket.sendall(head.encode())
        self._raw = b""
        self._text = b""
        while b"\r\n\r\n" not in self._raw:
            self._more()
        first, _, self._raw = self._raw.partition(b"\r\n\r\n")
        status = int(first.split()[1])
        if b"content-type: text/event-stream" not in first:
            length = int(first.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(self._raw) < length:
                self._more()
            self.socket.close()
            raise Refused(status, self._raw)

    def message(self) -> Json:
        while True:
            while b"\n\n" not in self._text:
                self._text += self._chunk()
            event, _, self._text = self._text.partition(b"\n\n")
            fields = dict(
                line.split(": ", 1) for line in event.decode().split("\n") if line[:1] != ":"
            )
            if "data" in fields:
                message: Json = json.loads(fields["data"])
                assert (message["id"], message["type"]) == (fields["id"], fields["event"])
                return message
            if "id" in fields:
                return {"id": fields["id"], "type": "heartbeat"}

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._raw:
            self._more()
        size, _, rest = self._raw.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            raise Ended
        self._raw = rest
        while len(self._raw) < length + 2:
            self._more()
        data, self._raw = self._raw[:length], self._raw[length + 2 :]
        return data

    def _more(self) -> None:
        data = self.receive()
        if not data:
            raise Ended
        self._raw += data


class Socket(Reader):
    """A WebSocket. `protocols` are the subprotocols it offers."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        protocols: tuple[str, ...] = (),
        receive_buffer: int | None = None,
        **query: object,
    ) -> None:
        super().__init__(url, receive_buffer=receive_buffer)
        sent = dict(headers or {})
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        self.connection = WSConnection(ConnectionType.CLIENT)
        request = Request(
            host=self.host,
            target=f"/v1/live?{urlencode(query)}",
            extra_headers=[(name.encode(), value.encode()) for name, value in sent.items()],
            subprotocols=list(protocols),
        )
        self.socket.sendall(self.connection.send(request))
        self._events = self.connection.events()
        event = self._event()
        if isinstance(event, RejectConnection):
            body = b""
            while isinstance(data := self._event(), RejectData):
                body += data.data
                if data.body_finished:
                    break
            self.socket.close()
            raise Refused(event.status_code, body)
        assert isinstance(event, AcceptConnection), event
        self.subprotocol = event.subprotocol

    def message(self) -> Json:
        text = ""
        while True:
            event = self._event()
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    message: Json = json.loads(text)
                    return message
            elif isinstance(event, Ping):
                self.socket.sendall(self.connection.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise Ended(event.code, event.reason)

    def _event(self) -> Any:
        while True:
            event = next(self._events, None)
            if event is not None:
                return event
            try:
                data = self.receive()
            except ConnectionResetError:
                data = b""
            if not data:
                raise Ended
            self.connection.receive_data(data)
            self._events = self.connection.events()


def handshake(reader_socket: socket.socket, host: str, key: str) -> None:
    """Begin a WebSocket by hand, to go on with whatever bytes a test wants."""
    lines = [
        "GET /v1/live HTTP/1.1",
        f"host: {host}",
        "upgrade: websocket",
        "connection: Upgrade",
        f"sec-websocket-key: {b64encode(bytes(16)).decode()}",
        "sec-websocket-version: 13",
        f"authorization: Bearer {key}",
    ]
    reader_socket.sendall("\r\n".join([*lines, "", ""]).encode())


TRANSPORTS: dict[str, Callable[..., Reader]] = {"sse": Sse, "websocket": Socket}

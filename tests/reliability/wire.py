"""HTTP with nothing in between: what was sent, what came back, and where a connection ended.

A library that retries or pools would hide exactly what these tests look at.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, NamedTuple

SECONDS = 30.0


class Reply(NamedTuple):
    """A whole response. `body` are its exact bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Lost(Exception):
    """The connection ended before any byte of a response: nobody was told anything."""


class Torn(Exception):
    """The connection ended within a response: half an answer."""


class Wire:
    """One keep-alive connection at a time, opened again when the last one ended."""

    def __init__(self, port: int, key: str = "", seconds: float = SECONDS) -> None:
        self.port = port
        self._key = key
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._rest = b""

    def check(self, **body: Any) -> Reply:
        return self.post("/v1/check-action", body)

    def post(self, path: str, body: Any) -> Reply:
        return self.ask("POST", path, json.dumps(body).encode())

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        """One exchange. Raises Lost, Torn, or TimeoutError when it takes too long."""
        try:
            self.send(self.head(method, path, len(body)) + body)
            return self.reply()
        except BaseException:
            self.close()
            raise

    def head(self, method: str, path: str, length: int) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            "host: 127.0.0.1",
            f"authorization: Bearer {self._key}",
        ]
        if method == "POST":
            lines += ["content-type: application/json", f"content-length: {length}"]
        return "\r\n".join([*lines, "", ""]).encode()

    def send(self, data: bytes) -> None:
        try:
            if self._socket is None:
                address = ("127.0.0.1", self.port)
                self._socket = socket.create_connection(address, timeout=self._seconds)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._rest = b""
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise Lost(str(error)) from error

    def reply(self) -> Reply:
        """The response to what was sent last."""
        raw = self._until(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self._exactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(int(first.split()[1]), headers, body)

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def __del__(self) -> None:
        # A test that fails should be heard for that, not for the connections that it left.
        self.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._more(whole=not self._rest)
        found, _, self._rest = self._rest.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._more(whole=False)
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _more(self, *, whole: bool) -> None:
        """Some more bytes. `whole`: nothing of this response has come yet."""
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            raise
        except OSError as error:
            data, reason = b"", str(error)
        else:
            reason = "end of the connection"
        if not data:
            raise Lost(reason) if whole else Torn(f"{reason} after {self._rest[:200]!r}")
        self._rest += data

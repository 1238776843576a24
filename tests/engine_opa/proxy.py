"""A TCP proxy in front of OPA that can be told to misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

# Close with RST instead of FIN.
LINGER = struct.pack("ii", 1, 0)


def reply(body: str, status: str = "200 OK", more: str = "") -> bytes:
    """The bytes of an HTTP reply."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


class Proxy:
    """`mode` is for requests from now on, also over connections that are open already.

    `pass`; `hole` (reads and says nothing); `drip` (OPA's reply, a byte a second); `cut` (a reset
    in the middle of it); `endless` (a body that does not stop); or `say`: the bytes in `words`.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.mode = "pass"
        self.words = b""
        self.requests = 0
        self.at_once = 0
        self.most_at_once = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections, and end those that are open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self._target)
            while request := await _message(reader):
                self.requests += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await self._answer(request, writer, behind, ahead)
                finally:
                    self.at_once -= 1
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(UnboundLocalError):
                ahead.close()

    async def _answer(
        self,
        request: bytes,
        writer: asyncio.StreamWriter,
        behind: asyncio.StreamReader,
        ahead: asyncio.StreamWriter,
    ) -> None:
        if self.mode == "hole":
            await asyncio.sleep(3600)
        if self.mode == "say":
            writer.write(self.words)
            return await writer.drain()
        ahead.write(request)
        answer = await _message(behind)
        if self.mode == "drip":
            for byte in answer:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(1)
        elif self.mode == "cut":
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            _reset(writer)
        elif self.mode == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
            while True:
                writer.write(b'"x":[' * 10_000)
                await writer.drain()
        else:
            writer.write(answer)
            await writer.drain()
        return None


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message whole; nothing at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    lines = head.lower().split(b"\r\n")
    sizes = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
    if sizes:
        return head + await reader.readexactly(sizes[0])
    if b"transfer-encoding: chunked" not in lines:
        return head
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        body += await reader.readuntil(b"\r\n")
    return head + body


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    writer.transport.abort()

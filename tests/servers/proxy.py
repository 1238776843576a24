"""A TCP proxy that misbehaves on command: it stands between a client and a real server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

Fault = Literal["none", "drop replies", "reset on reply", "refuse", "garbage"]


class Proxy:
    """Forwards, until it is told otherwise.

    `drop replies` lets requests through and swallows what comes back; `reset on reply` closes the
    connection instead; `refuse` closes all connections and new ones; `garbage` answers other bytes.
    Each of them applies `times` replies or connections, then the proxy is well again.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.fault: Fault = "none"
        self.times = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def fail(self, fault: Fault, times: int = 1) -> None:
        self.fault, self.times = fault, times
        if fault == "refuse":
            self._abort()

    async def close(self) -> None:
        self._server.close()
        self._abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _fails(self, *faults: Fault) -> bool:
        if self.times > 0 and self.fault in faults:
            self.times -= 1
            return True
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fails("refuse"):
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, back}
        self._writers |= ends
        up = asyncio.create_task(self._pump(reader, back))
        down = asyncio.create_task(self._replies(there, writer))
        self._tasks |= {up, down}
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        self._writers -= ends
        for end in ends:
            end.transport.abort()
        await asyncio.wait({up, down})
        self._tasks -= {up, down}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._fails("drop replies"):
                    continue
                if self._fails("reset on reply"):
                    return
                if self._fails("garbage"):
                    data = b"HTTP/1.1 200 OK\r\n\r\n"
                writer.write(data)
                await writer.drain()

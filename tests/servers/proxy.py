"""A TCP proxy that misbehaves on command: it stands between a client and a real server."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, get_args

Fault = Literal[
    "none",
    "refuse",
    "black hole",
    "one byte a second",
    "reset on reply",
    "half-open",
    "garbage",
    "drop replies",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
ALWAYS = 10**9
# Close with RST instead of FIN.
LINGER = struct.pack("ii", 1, 0)


class _Pair:
    """A client's connection and the one to the server. `deaf`: no byte passes any more, and nobody
    is told."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.deaf = False

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Forwards, until it is told otherwise.

    `drop replies` lets requests through and swallows what comes back; `reset on reply` answers with
    a reset instead; `garbage` answers other bytes. Each of them applies to `times` replies, then
    the proxy is well again. `refuse` ends all connections, and nobody listens. In a `black hole`
    connections are made and bytes are kept until it is well again; `half-open` does the same to
    the connections that there are, for ever, while new ones are well.
    """

    def __init__(self, port: int, garbage: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self._target = port
        self._garbage = garbage
        self.fault: Fault = "none"
        self.times = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._kept: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pairs: set[_Pair] = set()
        self._well = asyncio.Event()

    async def open(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._well.set()
        return self

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def fail(self, fault: Fault, times: int = 1) -> None:
        """Misbehave from now on, or with `none` be well again."""
        self.fault, self.times = fault, times
        if fault == "black hole":
            self._well.clear()
        else:
            self._well.set()
        if fault == "half-open":
            for pair in self._pairs:
                pair.deaf = True
        if fault == "refuse":
            self._stop_listening()
            for pair in self._pairs:
                pair.abort()
        elif self._kept is not None:
            self._listen_again()

    async def close(self) -> None:
        self._stop_listening()
        if self._kept is not None:
            self._kept.close()
        self._well.set()
        for pair in self._pairs:
            pair.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop_listening(self) -> None:
        """Nobody listens, but the port stays taken."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", self.port))

    def _listen_again(self) -> None:
        kept, self._kept = self._kept, None
        assert kept is not None
        kept.listen(128)
        kept.setblocking(False)

        async def listen() -> None:
            self._server = await asyncio.start_server(self._serve, sock=kept)

        self._run(listen())

    def _run(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _fails(self, fault: Fault) -> bool:
        if self.times > 0 and self.fault == fault:
            self.times -= 1
            return True
        return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, back)
        self._pairs.add(pair)
        up, down = self._run(self._requests(pair, reader)), self._run(self._replies(pair, there))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if pair.deaf and down.done():
                # The server has gone; whoever believes to be connected to it is not told.
                await asyncio.wait({up})
        finally:
            self._pairs.discard(pair)
            pair.abort()

    async def _requests(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._well.wait()
                if not pair.deaf:
                    pair.server.write(data)
                    await pair.server.drain()

    async def _replies(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._well.wait()
                if pair.deaf or self._fails("drop replies"):
                    continue
                if self._fails("reset on reply"):
                    linger = (socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                    pair.client.get_extra_info("socket").setsockopt(*linger)
                    return
                if self._fails("garbage"):
                    data = self._garbage
                while data and self.fault == "one byte a second":
                    pair.client.write(data[:1])
                    data = data[1:]
                    await asyncio.sleep(1)
                pair.client.write(data)
                await pair.client.drain()


class Faulty:
    """A proxy that runs on a thread of its own, for tests without an event loop."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.port = proxy.port

    @contextmanager
    def misbehaving(self, fault: Fault) -> Iterator[None]:
        """Until the block ends, whatever that takes."""
        self._tell(fault)
        try:
            yield
        finally:
            self._tell("none")

    def _tell(self, fault: Fault) -> None:
        told = threading.Event()

        def tell() -> None:
            self._proxy.fail(fault, ALWAYS)
            told.set()

        self._loop.call_soon_threadsafe(tell)
        assert told.wait(30)


@contextmanager
def faulty(port: int, garbage: bytes) -> Iterator[Faulty]:
    """A proxy before this port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def made() -> Proxy:
        return await Proxy(port, garbage).open()

    proxy = asyncio.run_coroutine_threadsafe(made(), loop).result(30)
    try:
        yield Faulty(proxy, loop)
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()

"""One child process, seen from the gateway: requests go in, answers come back in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, Protocol, cast

from msgspec import Struct

from gateway.children import caged
from gateway.errors import EngineUnavailable
from gateway.policies.rego.isolated import ENVIRONMENT, command

# How exactly the wall guard keeps time.
LOOK_SECONDS: Final = 0.05


class Ask(Protocol):
    """A request. `wall` is how long the process may work on it, in seconds; `key` and `first` are
    numbers for the process. `number` is the process's to set."""

    operation: int
    key: int
    first: int
    payload: bytes
    wall: float
    number: int

    def answer(self, kind: int, part: int, payload: bytes) -> bool:
        """Take a reply; whether it was the last. Raises ValueError for one that does not fit."""
        ...

    def abandoned(self) -> None:
        """The process ended without an answer."""
        ...


class Start(Struct, frozen=True):
    """How to start a child: its script, the modules that it may import, what it is told after the
    socket and the parent. `reply_bytes` is how long an answer may be, `wall` how long it may take
    until it is ready. `folders` are further places to import from."""

    script: Path
    modules: tuple[str, ...]
    arguments: tuple[str, ...]
    reply_bytes: int
    wall: float
    folders: tuple[str, ...] = ()


class Process(asyncio.Protocol):
    """Starts with `start`, ends by itself, by `kill`, or by saying something that makes no sense.

    `pending` are the requests without a (last) answer; the process works on the first of them.
    What it was given to remember is in `known` and `bases`, for whoever gives it anything.
    """

    def __init__(
        self,
        how: Start,
        on_end: Callable[[Process], None],
        on_tired: Callable[[Process], None] | None = None,
    ) -> None:
        self.pending: deque[Ask] = deque()
        self.known: set[int] = set()
        self.bases: set[int] = set()
        self.waiting_bytes = 0
        self._how = how
        self._on_end = on_end
        self._on_tired = on_tired
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._out: list[bytes] = []
        self._rest = b""
        self._since = 0.0
        self._suspect: Ask | None = None
        self._watching = False
        self._late = False

    async def start(self) -> bytes:
        """Start it and wait until it is ready: what it says then. Raises EngineUnavailable."""
        hello = _Hello(self._how.wall, self._loop.create_future())
        self._expect(hello)
        ours, theirs = socket.socketpair()
        try:
            self._child = self._spawn(theirs)
            await self._loop.create_unix_connection(lambda: self, sock=ours)
        except OSError as error:
            ours.close()
            raise EngineUnavailable(f"an evaluator could not be started: {error}") from error
        finally:
            theirs.close()
        return await hello.done

    def _spawn(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        how = self._how
        told = (str(theirs.fileno()), str(os.getpid()), *how.arguments)
        return subprocess.Popen(
            command(how.script, how.modules, *told, folders=how.folders),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=(theirs.fileno(),),
        )

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def send(self, request: Ask) -> None:
        """Ask; requests of one turn of the event loop leave together."""
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        request.number = number
        self._expect(request)
        payload = request.payload
        head = caged.REQUEST.pack(
            len(payload), request.operation, number, request.key, request.first
        )
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += (head, payload)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _expect(self, request: Ask) -> None:
        if not self.pending:
            self._since = self._loop.time()
        self.pending.append(request)
        self.waiting_bytes += len(request.payload)
        if not self._watching:
            self._watching = True
            self._loop.call_later(LOOK_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        tired = False
        while size - at >= caged.REPLY.size:
            length, kind, number, rule = caged.REPLY.unpack_from(data, at)
            start = at + caged.REPLY.size
            at_end = start + length
            if length > self._how.reply_bytes:
                return self.kill()
            if at_end > size:
                break
            tired |= bool(kind & caged.TIRED)
            if not self._take(kind & ~caged.TIRED, number, rule, data[start:at_end]):
                return self.kill()
            at = at_end
        self._rest = data[at:]
        if tired and self._on_tired is not None:
            self._on_tired(self)
        return None

    def _take(self, kind: int, number: int, rule: int, payload: bytes) -> bool:
        """Hand a reply to the request that it answers; whether it makes sense."""
        if not self.pending or self.pending[0].number != number:
            return False
        request = self.pending[0]
        try:
            finished = request.answer(kind, rule, payload)
        except ValueError:
            return False
        if finished:
            self.pending.popleft()
            self.waiting_bytes -= len(request.payload)
            self._since = self._loop.time()
        return True

    def _look(self) -> None:
        """The wall guard. It looks twice, since the answer may be here while the loop was busy."""
        if not self.pending or (self._transport and self._transport.is_closing()):
            self._watching = False
            return
        first = self.pending[0]
        if self._loop.time() - self._since <= first.wall:
            self._suspect = None
        elif self._suspect is first:
            self._late = True
            self.kill()
        else:
            self._suspect = first
        self._loop.call_later(LOOK_SECONDS, self._look)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Transports of other event loops than asyncio's own are no instances of its classes.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.kill()
        for request in self.pending:
            request.abandoned()
        self._on_end(self)

    def take(self) -> list[Ask]:
        """The requests without an answer, which are now somebody else's to answer."""
        taken = list(self.pending)
        self.pending.clear()
        self.waiting_bytes = 0
        return taken

    def kill(self) -> None:
        """End it; `on_end` follows."""
        if self._transport is not None:
            self._transport.abort()
        if self._child is not None and self._child.returncode is None:
            self._child.kill()

    async def cause(self) -> Literal["timeout", "crash"]:
        """Wait for the end, and why it came. Leaves no zombie."""
        code = await asyncio.to_thread(self._child.wait) if self._child is not None else 0
        return "timeout" if self._late or code == -signal.SIGPROF else "crash"


class _Hello:
    """What is waited for at the start. Any other first reply says why the child is not ready."""

    def __init__(self, wall: float, done: asyncio.Future[bytes]) -> None:
        self.operation = self.key = self.first = self.number = 0
        self.payload = b""
        self.wall = wall
        self.done = done

    def answer(self, kind: int, part: int, payload: bytes) -> bool:
        if not self.done.done():
            if kind == caged.HELLO:
                self.done.set_result(payload)
            else:
                self.done.set_exception(EngineUnavailable(payload.decode("utf-8", "replace")))
        return True

    def abandoned(self) -> None:
        if not self.done.done():
            self.done.set_exception(EngineUnavailable("the evaluator ended"))

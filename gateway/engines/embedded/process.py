"""One evaluator process, seen from the gateway: requests go in, answers come back in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from gateway.domain.rule_results import Failure
from gateway.engines.embedded import child
from gateway.engines.embedded.limits import Limits
from gateway.engines.embedded.requests import Order, Request
from gateway.errors import EngineUnavailable
from gateway.policies.rego.isolated import ENVIRONMENT, command

SCRIPT: Final = Path(child.__file__)
# How exactly the wall guard keeps time.
LOOK_SECONDS: Final = 0.05
NOBODY: Final = Order(child.HELLO, 0, b"", 0)


class Process(asyncio.Protocol):
    """Starts with `start`, ends by itself, by `kill`, or by saying something that makes no sense.

    `pending` are the requests without a (last) answer; the process works on the first of them.
    """

    def __init__(
        self,
        limits: Limits,
        on_end: Callable[[Process], None],
        on_tired: Callable[[Process], None] | None = None,
    ) -> None:
        self.pending: deque[Request] = deque()
        self.known: set[int] = set()
        self.bases: set[int] = set()
        self.waiting_bytes = 0
        self._limits = limits
        self._on_end = on_end
        self._on_tired = on_tired
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._out: list[bytes] = []
        self._rest = b""
        self._since = 0.0
        self._suspect: Request | None = None
        self._watching = False
        self._late = False

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises EngineUnavailable."""
        hello = Order(child.HELLO, 0, b"", self._limits.start_wall)
        hello.done = self._loop.create_future()
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
        await hello.done

    def _spawn(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        limits = self._limits
        numbers = (
            theirs.fileno(),
            os.getpid(),
            limits.memory_bytes,
            limits.evaluate_cpu,
            limits.prepare_cpu,
            limits.reply_bytes,
            limits.resident_bytes,
        )
        return subprocess.Popen(
            command(SCRIPT, ("regorus",), *(str(number) for number in numbers)),
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

    def send(self, request: Request) -> None:
        """Ask; requests of one turn of the event loop leave together."""
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        request.number = number
        self._expect(request)
        payload = request.payload
        head = child.REQUEST.pack(
            len(payload), request.operation, number, request.key, request.first
        )
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += (head, payload)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _expect(self, request: Request) -> None:
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
        while size - at >= child.REPLY.size:
            length, kind, number, rule = child.REPLY.unpack_from(data, at)
            start = at + child.REPLY.size
            at_end = start + length
            # JSON text in UTF-8 has at most four bytes for a character.
            if length > 4 * self._limits.reply_bytes:
                return self.kill()
            if at_end > size:
                break
            tired |= bool(kind & child.TIRED)
            if not self._take(kind & ~child.TIRED, number, rule, data[start:at_end]):
                return self.kill()
            at = at_end
        self._rest = data[at:]
        if tired and self._on_tired is not None:
            self._on_tired(self)
        return None

    def _take(self, kind: int, number: int, rule: int, payload: bytes) -> bool:
        """Hand a reply to the request that it answers; whether it makes sense."""
        request = self.pending[0] if self.pending else NOBODY
        if request.number != number or request is NOBODY:
            return False
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
            if isinstance(request, Order) and request.done and not request.done.done():
                request.done.set_exception(EngineUnavailable("the evaluator ended"))
        self._on_end(self)

    def take(self) -> list[Request]:
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

    async def cause(self) -> Failure:
        """Wait for the end, and why it came. Leaves no zombie."""
        code = await asyncio.to_thread(self._child.wait) if self._child is not None else 0
        return "timeout" if self._late or code == -signal.SIGPROF else "crash"

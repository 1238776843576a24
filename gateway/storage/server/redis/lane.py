"""One connection to one Redis node, and the flushes on it.

Commands that queue while a flush is under way leave together in the next: that is what makes many
concurrent appends cost one fsync. A deadline that passes in the middle of a flush closes the
connection, because the replies that follow would be other commands'.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError, ResponseError

from gateway.errors import StorageFailure

FLUSH_MAX = 512
FLUSH_BYTES = 4 * 1024 * 1024
WAITING_MAX = 20_000
# With less than this left, a command is not sent any more: its outcome would be unknown.
LEAST_SECONDS = 0.02

Reply = Any
Connect = Callable[[], Connection]
Met = Callable[[Connection], Awaitable[None]]


class NotSent(StorageFailure):
    """The command did not reach Redis: nothing happened."""


class OutcomeUnknown(StorageFailure):
    """The command was sent and no reply came: it may have happened."""


class _Waiting:
    """A command in the queue, with who waits for it and until when."""

    __slots__ = ("command", "deadline", "reply")

    def __init__(self, command: bytes, reply: asyncio.Future[Reply], deadline: float) -> None:
        self.command = command
        self.reply = reply
        self.deadline = deadline

    def answer(self, value: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(value)

    def fail(self, failure: StorageFailure) -> None:
        if not self.reply.done():
            self.reply.set_exception(failure)
            # Whoever asked may have gone: then nobody misses the answer.
            self.reply.exception()


class Lane:
    """Sends what queues, flush after flush. `ask` answers replies, error replies included.

    `met` is awaited with each new connection before anything else is sent on it.
    """

    def __init__(self, name: str, connect: Connect, met: Met, seconds: float) -> None:
        self._name = name
        self._connect = connect
        self._met = met
        self._seconds = seconds
        self._queue: deque[_Waiting] = deque()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def ask(self, command: bytes, seconds: float | None = None) -> asyncio.Future[Reply]:
        """Queue a command. The future raises NotSent or OutcomeUnknown when no reply comes."""
        reply: asyncio.Future[Reply] = self._loop.create_future()
        deadline = self._loop.time() + (self._seconds if seconds is None else seconds)
        waiting = _Waiting(command, reply, deadline)
        if self._closed:
            waiting.fail(NotSent("the journal is closed"))
        elif len(self._queue) >= WAITING_MAX:
            waiting.fail(NotSent(f"Redis {self._name} is overloaded"))
        else:
            self._queue.append(waiting)
            if self._task is None:
                self._task = self._loop.create_task(self._send())
        return reply

    async def close(self) -> None:
        """Send what is queued, then stop."""
        while self._task is not None:
            await asyncio.wait([self._task])
        self._closed = True
        await self._disconnect()

    async def drop(self) -> None:
        """Close the connection; the next command opens another."""
        await self._disconnect()

    async def _send(self) -> None:
        try:
            # What is asked for in this turn of the loop leaves together.
            await asyncio.sleep(0)
            while self._queue:
                await self._flush(self._take())
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        """The next flush. What is too late is not sent."""
        taken: list[_Waiting] = []
        size = 0
        latest = self._loop.time() + LEAST_SECONDS
        while self._queue and len(taken) < FLUSH_MAX and size < FLUSH_BYTES:
            waiting = self._queue.popleft()
            if waiting.deadline < latest:
                waiting.fail(NotSent(f"Redis {self._name} is too slow"))
                continue
            taken.append(waiting)
            size += len(waiting.command)
        return taken

    async def _flush(self, taken: list[_Waiting]) -> None:
        if not taken:
            return
        sent = False
        answered = 0
        try:
            async with asyncio.timeout_at(min(each.deadline for each in taken)):
                connection = self._connection
                if connection is None:
                    connection = self._connection = self._connect()
                    await connection.connect()  # type: ignore[no-untyped-call]
                    await self._met(connection)
                sent = True
                await connection.send_packed_command(
                    b"".join([each.command for each in taken]), check_health=False
                )
                read = connection.read_response
                for each in taken:
                    try:
                        reply = await read(disable_decoding=True)
                    except ResponseError as error:
                        reply = error
                    each.answer(reply)
                    answered += 1
        except asyncio.CancelledError:
            await self._fail(taken[answered:], sent, "the journal was stopped")
            raise
        except TimeoutError:
            await self._fail(taken[answered:], sent, "no answer in time")
        # Broad, because the parser may raise anything over bytes that are not Redis's.
        except Exception as error:  # noqa: BLE001
            kind = "" if isinstance(error, (RedisError, OSError)) else "not an answer of Redis: "
            await self._fail(taken[answered:], sent, f"{kind}{error}")

    async def _fail(self, left: list[_Waiting], sent: bool, why: str) -> None:
        text = f"Redis {self._name}: {why}"
        for each in left:
            each.fail(OutcomeUnknown(text) if sent else NotSent(text))
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

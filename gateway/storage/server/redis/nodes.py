"""One primary of the hot store: its address, its connections, and what it says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio.connection import Connection
from redis.exceptions import ResponseError

from gateway.storage.server.redis.keys import pack
from gateway.storage.server.redis.lane import Connect, Lane, NotSent, Reply

Address = tuple[str, int]


class Node:
    """One primary: a lane for appends and reservations, one for reads, one for slow work."""

    def __init__(
        self,
        address: Address,
        connect: Connect,
        greet: Callable[[Node, Connection], Awaitable[None]],
        seconds: float,
    ) -> None:
        self.address = address
        self.name = f"{address[0]}:{address[1]}"
        # The server's name for itself, which it changes when it is started.
        self.server = ""

        async def met(connection: Connection) -> None:
            await greet(self, connection)

        self.writes = Lane(self.name, connect, met, seconds)
        self.reads = Lane(self.name, connect, met, seconds)
        self.slow = Lane(self.name, connect, met, seconds)

    def lane(self, kind: str) -> Lane:
        lane: Lane = getattr(self, kind)
        return lane

    async def close(self) -> None:
        await asyncio.gather(self.writes.close(), self.reads.close(), self.slow.close())


async def told(node: Node, *sections: str) -> dict[str, str]:
    """What a node says of itself. Raises StorageFailure."""
    return fields_of(await expect(node.slow.ask(pack("INFO", *sections))))


async def expect(asked: asyncio.Future[Reply]) -> Any:
    """A reply that is no error. Raises StorageFailure."""
    reply = await asked
    if isinstance(reply, ResponseError):
        raise NotSent(f"Redis refused: {reply}")
    return reply


def fields_of(info: bytes) -> dict[str, str]:
    """The fields of an answer to INFO."""
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines}

"""From a slot to the node that has it: one Redis, or the primaries of a Redis Cluster.

The map is read when it is opened and again when a node says that a slot has moved. Nothing is
sent twice here unless Redis said that it did not run it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from gateway.errors import ConfigInvalid, StorageFailure
from gateway.storage.server.journal_functions import LOAD
from gateway.storage.server.journal_keys import pack
from gateway.storage.server.journal_lane import Connect, Lane, NotSent, Reply

DEADLINE_SECONDS = 0.25
MOVES_MAX = 5
PAUSE_SECONDS = 0.02

Address = tuple[str, int]


class Node:
    """One primary: a lane for appends and reservations, one for reads, one for slow work."""

    def __init__(self, address: Address, connect: Connect, seconds: float) -> None:
        self.address = address
        self.name = f"{address[0]}:{address[1]}"
        self.writes = Lane(self.name, connect, seconds)
        self.reads = Lane(self.name, connect, seconds)
        self.slow = Lane(self.name, connect, seconds)

    def lane(self, kind: str) -> Lane:
        lane: Lane = getattr(self, kind)
        return lane

    async def close(self) -> None:
        await asyncio.gather(self.writes.close(), self.reads.close(), self.slow.close())


class Routes:
    """All nodes behind a URL. `seconds` is the deadline of every call, connecting included."""

    def __init__(self, url: str, seconds: float = DEADLINE_SECONDS) -> None:
        try:
            self._options: dict[str, Any] = dict(parse_url(url))
        except ValueError as error:
            raise ConfigInvalid(f"The Redis URL cannot be read: {error}") from error
        self._class = self._options.pop("connection_class", Connection)
        self._seconds = seconds
        self._nodes: dict[Address, Node] = {}
        self._ranges: list[tuple[int, int, Node]] = []
        self._by_slot: dict[int, Node] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self.clustered = False
        # Changes when a slot's node is another than before: what was read may not be there.
        self.generation = 0

    @property
    def nodes(self) -> Sequence[Node]:
        """The primaries that have slots."""
        return list({id(node): node for _, _, node in self._ranges}.values())

    async def open(self) -> None:
        """Learn which nodes there are and load the Functions. Raises StorageFailure."""
        home = self._node(self._home())
        info = _text(await _expect(home.slow.ask(pack("INFO", "cluster"))))
        self.clustered = "cluster_enabled:1" in info
        if self.clustered:
            await self.refresh()
        else:
            self._ranges = [(0, 16383, home)]
        await self.load()

    async def load(self) -> None:
        """Load the Functions on every primary; a release's Functions have names of their own."""
        replies = [node.slow.ask(LOAD, 10 * self._seconds) for node in self.nodes]
        for reply in replies:
            await _expect(reply)

    def node(self, slot: int) -> Node:
        """The node of a slot. Raises NotSent when the cluster has none."""
        found = self._by_slot.get(slot)
        if found is not None:
            return found
        for first, last, node in self._ranges:
            if first <= slot <= last:
                self._by_slot[slot] = node
                return node
        raise NotSent(f"no Redis node has slot {slot}")

    def start(self, slot: int, command: bytes, lane: str = "writes") -> asyncio.Future[Reply]:
        """Queue a command behind those queued before; `finish` brings it to its end."""
        return self.node(slot).lane(lane).ask(command)

    async def call(
        self, slot: int, command: bytes, lane: str = "writes", seconds: float | None = None
    ) -> Reply:
        """The reply to a command. Raises NotSent, OutcomeUnknown, or StorageFailure."""
        return await self.finish(
            slot, command, self.node(slot).lane(lane).ask(command, seconds), lane, seconds
        )

    async def finish(
        self,
        slot: int,
        command: bytes,
        asked: asyncio.Future[Reply],
        lane: str = "writes",
        seconds: float | None = None,
    ) -> Reply:
        """Wait for a reply, and follow where Redis says that the slot is elsewhere."""
        reply = await asked
        for _ in range(MOVES_MAX):
            if not isinstance(reply, ResponseError):
                return reply
            asking = False
            node = None
            if isinstance(reply, MovedError):
                await self.refresh()
            elif isinstance(reply, AskError):
                node, asking = self._node((reply.host, reply.port)), True
            elif isinstance(reply, TryAgainError | ClusterDownError):
                await asyncio.sleep(PAUSE_SECONDS)
                await self.refresh()
            elif "Function not found" in str(reply):
                await self.load()
            else:
                break
            target = (node or self.node(slot)).lane(lane)
            if asking:
                target.ask(pack("ASKING"), seconds)
            reply = await target.ask(command, seconds)
        if isinstance(reply, ReadOnlyError):
            # A primary that became a replica: the address may lead to the new primary.
            self.generation += 1
            await self.node(slot).lane(lane).drop()
        if isinstance(reply, ResponseError):
            raise NotSent(f"Redis refused: {reply}")
        return reply

    async def refresh(self) -> None:
        """Read the map of the cluster again; several at once read it once."""
        if not self.clustered:
            return
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()

    async def _refresh(self) -> None:
        failure: StorageFailure | None = None
        for node in [*self._nodes.values()]:
            try:
                found = await _expect(node.slow.ask(pack("CLUSTER", "SLOTS")))
                ranges = [
                    (int(first), int(last), self._node(_address(primary, node)))
                    for first, last, primary, *_ in found
                ]
            except StorageFailure as error:
                failure = error
                continue
            if self._ranges and ranges != self._ranges:
                self.generation += 1
            self._ranges = ranges
            self._by_slot.clear()
            return
        raise failure or NotSent("no Redis node answers")

    def _home(self) -> Address:
        if "path" in self._options:
            return (self._options["path"], 0)
        return (self._options.get("host", "localhost"), self._options.get("port", 6379))

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = Node(address, lambda: self._connection(address), self._seconds)
            self._nodes[address] = node
        return node

    def _connection(self, address: Address) -> Connection:
        options = dict(self._options)
        if "path" not in options:
            options["host"], options["port"] = address
        if self.clustered:
            options.pop("db", None)
        connection: Connection = self._class(
            **{
                "socket_timeout": None,
                "socket_connect_timeout": self._seconds,
                "retry": Retry(NoBackoff(), 0),
                "protocol": 2,
                "driver_info": None,
                **options,
            }
        )
        return connection


async def _expect(asked: asyncio.Future[Reply]) -> Any:
    """A reply that is no error. Raises StorageFailure."""
    reply = await asked
    if isinstance(reply, ResponseError):
        raise NotSent(f"Redis refused: {reply}")
    return reply


def _address(primary: Sequence[Any], told_by: Node) -> Address:
    """A primary's address. An empty host is that of the node that tells."""
    host = primary[0].decode() if primary[0] else ""
    return (host or told_by.address[0], int(primary[1]))


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)

"""From a slot to the node that has it: one Redis, or the primaries of a Redis Cluster.

The map is read when it is opened, and again when a node says that a slot has moved or does not
answer. What is sent again here, because Redis said that it did not run it or because a connection
broke early, is harmless twice.
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
from gateway.storage.server.redis.functions import LISTED, LOAD
from gateway.storage.server.redis.keys import pack
from gateway.storage.server.redis.lane import NotSent, OutcomeUnknown, Reply
from gateway.storage.server.redis.nodes import Address, Node, expect, fields_of, told

DEADLINE_SECONDS = 0.25
MOVES_MAX = 5
PAUSE_SECONDS = 0.02
SUSPECT_SECONDS = 0.5
OLDEST_VERSION = 7


class Routes:
    """All nodes behind a URL. `seconds` is the deadline of every call, connecting included."""

    def __init__(self, url: str, seconds: float = DEADLINE_SECONDS) -> None:
        try:
            self._options: dict[str, Any] = dict(parse_url(url))
        except ValueError as error:
            raise ConfigInvalid(f"The Redis URL cannot be read: {error}") from error
        self._class = self._options.pop("connection_class", Connection)
        self.seconds = seconds
        self._nodes: dict[Address, Node] = {}
        self._ranges: list[tuple[int, int, Node]] = []
        self._by_slot: dict[int, Node] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._suspect_at = 0.0
        self.clustered = False
        # Changes when another server answers for a slot than before, or the same one after a
        # restart: what was read of the old one may be lost.
        self.generation = 0

    @property
    def nodes(self) -> Sequence[Node]:
        """The primaries that have slots."""
        return list({id(node): node for _, _, node in self._ranges}.values())

    async def open(self) -> None:
        """Learn which nodes there are and load the Functions. Raises StorageFailure."""
        home = self._node(self._home())
        info = await told(home)
        version = info.get("redis_version", "0")
        if int(version.partition(".")[0]) < OLDEST_VERSION:
            raise ConfigInvalid(
                f"Redis {home.name} is {version}; Functions need {OLDEST_VERSION}.0."
            )
        self.clustered = info.get("cluster_enabled") == "1"
        if self.clustered:
            await self.refresh()
        else:
            self._ranges = [(0, 16383, home)]
        await self.load(self.nodes)

    async def load(self, nodes: Sequence[Node]) -> None:
        """Load the Functions, under this release's names. Other releases' stay."""
        for node in nodes:
            # Not again where they are: a Redis without room would refuse that.
            if not await expect(node.slow.ask(LISTED)):
                await expect(node.slow.ask(LOAD, 10 * self.seconds))

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
        """Wait for a reply, and follow where Redis says that the slot is elsewhere.

        Asked for again when the connection broke early: it had idled, perhaps. Whatever the
        journal sends may happen twice without harm, and an append does not. From then on it may
        have happened, however the second time ends.
        """
        began = asyncio.get_running_loop().time()
        lost: OutcomeUnknown | None = None
        try:
            node = self.node(slot)
            try:
                reply = await asked
            except OutcomeUnknown as unknown:
                left = (seconds or self.seconds) - (asyncio.get_running_loop().time() - began)
                if left < (seconds or self.seconds) / 2:
                    raise
                lost = unknown
                reply = await node.lane(lane).ask(command, left)
            if isinstance(reply, ResponseError):
                reply = await self._followed(slot, command, node, reply, lane, seconds)
        except StorageFailure as failure:
            self._suspect()
            if lost is not None:
                raise lost from failure
            raise
        if isinstance(reply, ResponseError):
            raise lost or NotSent(f"Redis refused: {reply}")
        return reply

    async def _followed(
        self,
        slot: int,
        command: bytes,
        node: Node,
        reply: Reply,
        lane: str,
        seconds: float | None,
    ) -> Reply:
        """The reply of the node that has the slot, after one that refused; or what it refused."""
        for _ in range(MOVES_MAX):
            if not isinstance(reply, ResponseError):
                return reply
            found = await self._elsewhere(slot, node, reply)
            if found is None:
                break
            node = found
            if isinstance(reply, AskError) and not isinstance(reply, MovedError):
                node.lane(lane).ask(pack("ASKING"), seconds)
            reply = await node.lane(lane).ask(command, seconds)
        if isinstance(reply, ReadOnlyError):
            # A primary that became a replica: the address may lead to the new primary by now.
            await node.lane(lane).drop()
        return reply

    async def _elsewhere(self, slot: int, node: Node, refusal: ResponseError) -> Node | None:
        """Where to send a command that was refused; None when it was refused for good."""
        if isinstance(refusal, AskError):
            there = self._node((refusal.host or node.address[0], refusal.port))
            if isinstance(refusal, MovedError):
                await self.refresh()
                # Other nodes may not have heard of it yet.
                self._by_slot[slot] = there
            return there
        if isinstance(refusal, TryAgainError | ClusterDownError):
            await asyncio.sleep(PAUSE_SECONDS)
            await self.refresh()
            return self.node(slot)
        if "Function not found" in str(refusal):
            await self.load([node])
            return node
        return None

    async def refresh(self) -> None:
        """Read the map of the cluster again; several at once read it once."""
        if not self.clustered:
            return
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    def _suspect(self) -> None:
        """A node does not answer: perhaps its slots have moved, which only others can say."""
        now = asyncio.get_running_loop().time()
        if self.clustered and self._refreshing is None and now >= self._suspect_at:
            self._suspect_at = now + SUSPECT_SECONDS
            self._refreshing = asyncio.create_task(self._refresh())
            self._refreshing.add_done_callback(self._refreshed)

    async def _greet(self, node: Node, connection: Connection) -> None:
        """Notice when another server answers at an address than the one before."""
        await connection.send_command("INFO", "server")
        try:
            reply = await connection.read_response(disable_decoding=True)
        except ResponseError:
            return
        server = fields_of(reply).get("run_id", "")
        if node.server not in ("", server):
            self.generation += 1
        node.server = server

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()

    async def _refresh(self) -> None:
        failure: StorageFailure | None = None
        for node in [*self._nodes.values()]:
            try:
                found = await expect(node.slow.ask(pack("CLUSTER", "SLOTS")))
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
            node = Node(address, lambda: self._connection(address), self._greet, self.seconds)
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
                "socket_connect_timeout": self.seconds,
                "retry": Retry(NoBackoff(), 0),
                "protocol": 2,
                "driver_info": None,
                **options,
            }
        )
        return connection


def _address(primary: Sequence[Any], told_by: Node) -> Address:
    """A primary's address. An empty host is that of the node that tells."""
    host = primary[0].decode() if primary[0] else ""
    return (host or told_by.address[0], int(primary[1]))

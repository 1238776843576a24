"""Connections between simulated processes and the simulated Redis, and all that befalls them.

A connection is what the gateway's driver has, as far as its lanes use it. It keeps order, as TCP
does; it may be slow, stall for longer than anyone waits, or break at any point: with nothing, some
or all of the commands delivered, and with none, some or all of the replies.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from redis.exceptions import ResponseError

from gateway.storage.server.redis.keys import pack
from gateway.storage.server.redis.routes import Routes
from tests.simulation.keyspace import Words
from tests.simulation.server import Server


class Process:
    """A gateway or a worker, as the network knows it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True


class Network:
    """Leads to one server. `rough` is how often a flush meets with something."""

    def __init__(self, server: Server, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.rough = 0.04

    def routes(self, process: Process, seconds: float) -> Routes:
        """The routes of a process, whose connections are simulated."""
        routes = Routes("redis://simulated", seconds)
        routes._class = lambda **_options: Connection(self, process)
        return routes

    def delay(self) -> float:
        return self.chance.choice([0.0001, 0.0002, 0.0005, 0.001, 0.004])


class Connection:
    """One connection. It is the server's peer as well: replies come back through it."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._server = network.server
        self._loop = asyncio.get_running_loop()
        self._replies: asyncio.Queue[Any] = asyncio.Queue()
        self._life = 0
        self._closed = False
        self._there_at = self._back_at = 0.0
        # How many replies still come back before the connection breaks; None for all.
        self._replies_left: int | None = None
        self.name = process.name

    async def connect(self) -> None:
        await asyncio.sleep(self._network.delay())
        if not self._server.up or not self._process.alive:
            raise ConnectionRefusedError("refused")
        self._life = self._server.life
        self._server.peers.add(self)

    async def send_command(self, *words: bytes | str) -> None:
        await self.send_packed_command(pack(*words))

    async def send_packed_command(self, data: bytes, check_health: bool = True) -> None:
        if self._closed or not self._process.alive:
            raise ConnectionResetError("broken pipe")
        commands = _commands(data)
        chance = self._network.chance
        seconds = self._network.delay()
        breaks = False
        if chance.random() < self._network.rough:
            match chance.choice(["slow", "stalled", "lost", "unanswered"]):
                case "slow":
                    seconds += chance.uniform(0.02, 0.2)
                case "stalled":
                    seconds += chance.uniform(0.2, 3.0)
                case "lost":
                    commands = commands[: chance.randrange(len(commands))]
                    breaks = True
                case _:
                    self._replies_left = chance.randrange(len(commands))
        self._there_at = max(self._there_at, self._loop.time() + seconds)
        self._loop.call_at(self._there_at, self._arrive, commands, breaks)

    async def read_response(self, disable_decoding: bool = False) -> Any:
        reply = await self._replies.get()
        if isinstance(reply, ConnectionError):
            self._replies.put_nowait(reply)
            raise reply
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    async def disconnect(self, nowait: bool = False) -> None:
        """What is on its way arrives all the same."""
        self._closed = True

    def answer(self, replies: list[Any]) -> None:
        breaks = False
        if self._replies_left is not None:
            replies, breaks = replies[: self._replies_left], True
        self._back_at = max(self._back_at, self._loop.time() + self._network.delay())
        self._loop.call_at(self._back_at, self._come_back, replies, breaks)

    def reset(self) -> None:
        self._server.peers.discard(self)
        self._closed = True
        self._replies.put_nowait(ConnectionResetError("connection reset"))

    def _arrive(self, commands: list[Words], breaks: bool) -> None:
        # A server that failed since does not know this connection any more.
        if commands and self._server.up and self._server.life == self._life:
            self._server.take(self, commands)
        if breaks:
            self.reset()

    def _come_back(self, replies: list[Any], breaks: bool) -> None:
        for reply in replies:
            self._replies.put_nowait(reply)
        if breaks:
            self.reset()


def _commands(data: bytes) -> list[Words]:
    """The commands in the bytes of a flush."""
    found = []
    at = 0
    while at < len(data):
        count, at = _number(data, at)
        words = []
        for _ in range(count):
            size, at = _number(data, at)
            words.append(data[at : at + size])
            at += size + 2
        found.append(tuple(words))
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    end = data.index(b"\r\n", at)
    return int(data[at + 1 : end]), end + 2

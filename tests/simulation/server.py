"""A Redis that loses power: keys in memory, and a file whose tail is gone unless it was synced.

As with `appendfsync always`: whatever has arrived is run, the file is synced, and only then do
the replies leave. Run again from what is left of the file, it has what it had then.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct
from redis.exceptions import ResponseError

from tests.make import NOON_NS
from tests.simulation.functions import loaded
from tests.simulation.keyspace import OK, Keyspace, Words

SETTINGS = b"maxmemory-policy noeviction appendonly yes appendfsync always"
SETTINGS += b" no-appendfsync-on-rewrite no"


class Written(Struct, frozen=True):
    """What one command wrote: all of it is in the file, or nothing. `by` sent it."""

    by: str
    effects: list[Words]


class Peer(Protocol):
    """The server's end of a connection."""

    name: str

    def answer(self, replies: list[Any]) -> None: ...

    def reset(self) -> None: ...


class Server:
    """One Redis with its clock. `seen` is told of everything that is written, as it happens."""

    def __init__(self, chance: random.Random, seen: Callable[[Written], None]) -> None:
        self._chance = chance
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._inbox: list[tuple[Peer, list[Words]]] = []
        self._turning = False
        self._functions: dict[bytes, bytes] = {}
        self.keys = Keyspace()
        self.file: list[Written] = []
        self.synced = 0
        self.peers: set[Peer] = set()
        self.life = 1
        self.up = True
        self.clock_ahead = 0.0
        # Whether the disk is never slow.
        self.steady = False
        # For mutants: one that answers first and syncs now and then, and changes to the Functions.
        self.hasty = False
        self.edited: Callable[[bytes], bytes] = bytes

    def take(self, peer: Peer, commands: list[Words]) -> None:
        """Commands have arrived."""
        self._inbox.append((peer, commands))
        self._turn_soon()

    def fail(self, keep: int) -> None:
        """The power goes, or another server takes over: of the file there are `keep` writes."""
        assert keep <= len(self.file)
        self.up = False
        self.life += 1
        self._inbox.clear()
        self._turning = False
        del self.file[keep:]
        self.synced = keep
        for peer in list(self.peers):
            peer.reset()

    def start(self) -> None:
        """Begin again, from the file."""
        self.keys = Keyspace()
        self._set_clock()
        for written in self.file:
            self.keys.again(written.effects)
        self.up = True

    def _turn_soon(self) -> None:
        if self._inbox and not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn, self.life)

    def _turn(self, life: int) -> None:
        """Run what has arrived, then wait for the disk."""
        if life != self.life:
            return
        arrived, self._inbox = self._inbox, []
        answers = [(peer, [self._run(peer, each) for each in words]) for peer, words in arrived]
        seconds = self._chance.choice([0.0002, 0.0005, 0.002])
        if not self.steady and self._chance.random() < 0.01:
            seconds = self._chance.uniform(0.1, 0.6)
        if self.hasty:
            _answer(answers)
            answers = []
            seconds += 1.0
            self._turning = False
            self._turn_soon()
        self._loop.call_later(seconds, self._done, life, len(self.file), answers)

    def _done(self, life: int, length: int, answers: list[tuple[Peer, list[Any]]]) -> None:
        if life != self.life:
            return
        self.synced = max(self.synced, length)
        _answer(answers)
        if not self.hasty:
            self._turning = False
            self._turn_soon()

    def _run(self, peer: Peer, words: Words) -> Any:
        self._set_clock()
        self.keys.effects = []
        try:
            return self._reply(words)
        except ResponseError as error:
            return error
        finally:
            if self.keys.effects:
                written = Written(peer.name, self.keys.effects)
                self.file.append(written)
                self._seen(written)

    def _reply(self, words: Words) -> Any:
        match words[0]:
            case b"FCALL" | b"FCALL_RO":
                return self._call(words)
            case b"FUNCTION" if words[1] == b"LOAD":
                # Kept in the file as well, and never changed: it is simply there from then on.
                source = self.edited(words[3])
                library = source.partition(b"\n")[0].partition(b"name=")[2]
                self._functions[library] = source
                return library
            case b"FUNCTION":
                return [library for library in self._functions if library == words[3]]
            case b"INFO":
                told = f"redis_version:7.0.15\r\nrun_id:life{self.life}\r\ncluster_enabled:0\r\n"
                return told.encode()
            case b"CONFIG":
                return SETTINGS.split()
            case b"PING":
                return OK
        return self.keys.run(words)

    def _call(self, words: Words) -> Any:
        count = int(words[2])
        for source in self._functions.values():
            names, rest = words[3 : 3 + count], words[3 + count :]
            return loaded(source).call(self.keys, words[1], names, rest)
        raise ResponseError("Function not found")

    def _set_clock(self) -> None:
        seconds = self._loop.time() + self.clock_ahead
        self.keys.now_us = NOON_NS // 1000 + int(seconds * 1e6)


def _answer(answers: list[tuple[Peer, list[Any]]]) -> None:
    for peer, replies in answers:
        peer.answer(replies)

"""The model of Redis, held to a real one: the same calls get the same replies and leave the same.

Both run the journal's Functions upon a clock that the test moves, forwards and backwards, so that
replies and keys can be compared to the last byte.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from gateway.storage.server.redis import functions as journal_functions
from tests.servers import redis
from tests.simulation.functions import Functions
from tests.simulation.keyspace import Keyspace, Sorted, Stream

SEEDS = max(6, int(os.environ.get("CHECKREIN_CAMPAIGN", "0")) // 5)
CALLS = 500
# A clock of the test's own in the place of the server's, which cannot be moved.
SOURCE = journal_functions.SOURCE.replace(b"VERSION", b"model").replace(
    b"redis.call('TIME')", b"redis.call('LRANGE', 'clock', 0, -1)"
)
# Far ahead, so that an id that Redis makes itself follows the last one and not its own clock.
FUTURE_US = 2_600_000_000_000_000
P, COUNTER = b"t:{p000}:", b"t:{c:1}:daily"
KEYS = (P + b"log", P + b"never")
PLACES = (b"prj/a", b"prj/b")
OWNERS = (b"one", b"two")


class Both:
    """A real Redis and the model."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        # Without the driver's own readings of replies, which the journal does not use.
        self._connection = client.connection_pool.get_connection()
        self._model = Keyspace()
        self._functions = Functions(SOURCE)
        self.again: list[tuple[bytes, ...]] = []

    def run(self, *words: bytes) -> Any:
        """One command or call, on both. The reply, which is the same."""
        real = self._real(words)
        model = self._modelled(words)
        assert model == real, words
        self.again += self._model.effects
        self._model.effects.clear()
        return real

    def compare(self) -> None:
        """All keys, and those that the noted effects alone would give."""
        real = {key: self._content(key) for key in self._keys()}
        assert _contents(self._model) == real
        replayed = Keyspace()
        replayed.again(self.again)
        assert _contents(replayed) == real

    def _real(self, words: tuple[bytes, ...]) -> Any:
        try:
            self._connection.send_command(*words)
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return type(error)

    def _modelled(self, words: tuple[bytes, ...]) -> Any:
        try:
            if not words[0].startswith(b"FCALL"):
                return self._model.run(words)
            count = int(words[2])
            return self._functions.call(
                self._model, words[1], words[3 : 3 + count], words[3 + count :]
            )
        except ResponseError as error:
            return type(error)

    def _keys(self) -> list[bytes]:
        found: Any = self._client.keys()
        return list(found)

    def _content(self, key: bytes) -> Any:
        client: Any = self._client
        kind = client.type(key)
        found = {
            b"hash": lambda: client.hgetall(key),
            b"list": lambda: client.lrange(key, 0, -1),
            b"set": lambda: client.smembers(key),
            b"zset": lambda: dict(client.zrange(key, 0, -1, withscores=True)),
            b"string": lambda: client.get(key),
            b"stream": lambda: client.xrange(key),
        }[kind]()
        return found, client.ttl(key) > 0


def _contents(keys: Keyspace) -> dict[bytes, Any]:
    found = {}
    for key, value in keys.values.items():
        content = value
        if isinstance(value, Stream):
            content = [(b"%d-%d" % at, dict([pair])) for at, pair in value.entries.items()]
        if isinstance(value, Sorted):
            content = dict(value)
        found[key] = (content, key in keys.expires)
    return found


class Calls:
    """Calls as gateways and workers make them, with a little of everything that may be wrong."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = FUTURE_US
        self.number = 0
        self.versions = dict.fromkeys(PLACES, b"")
        self.seqs = dict.fromkeys(PLACES, 0)
        self.entries: list[bytes] = [b"1-1"]

    def next(self) -> Any:
        """One call: each Function as often as it deserves."""
        kinds = [self._append] * 12 + [self._gather, self._settle, self._own, self._oldest] * 3
        kinds += [self._above, self._mark, self._unmark, self._unhalt, self._evict, self._bring]
        kinds += [self._reserve, self._move, self._resolve, self._release, self._moved]
        kinds += [self._look, self._plain, self._tidy, self._disown, self._beat]
        return self.chance.choice(kinds)()

    def tick(self) -> list[tuple[bytes, ...]]:
        """Move the clock: mostly a little, sometimes far, sometimes back."""
        step = self.chance.choice([0, 0, 900, 40_000, 700_000, 9_000_000, -2_000_000])
        self.clock += step
        seconds, rest = divmod(self.clock, 1_000_000)
        return [(b"DEL", b"clock"), (b"RPUSH", b"clock", b"%d" % seconds, b"%d" % rest)]

    def heard(self, call: tuple[bytes, ...], reply: Any) -> None:
        """Build what follows on what was said."""
        if b"cr_append" in call[1] and isinstance(reply, int) and reply > 0:
            self.versions[call[5]], self.seqs[call[5]] = call[7], int(call[8])
        if b"cr_append" in call[1] and isinstance(reply, list) and reply[0] == b"stale":
            row = reply[1]
            self.versions[call[5]] = row[0] if row else b""
            self.seqs[call[5]] = int(row[1]) if row else 0
        if b"cr_oldest" in call[1] and reply:
            self.entries = reply[::2]

    def _call(self, name: bytes, *words: bytes | int, keys: tuple[bytes, ...] = KEYS) -> Any:
        packed = [b"%d" % word if isinstance(word, int) else word for word in words]
        return (b"FCALL", b"cr_%b_model" % name, b"%d" % len(keys), *keys, *packed)

    def _place(self) -> bytes:
        return self.chance.choice(PLACES)

    def _few(self, kind: bytes, count: int = 4) -> bytes:
        return b"%b%d" % (kind, self.chance.randrange(count))

    def _append(self) -> Any:
        chance, place = self.chance, self._place()
        self.number += 1
        events = chance.randint(1, 3)
        seq = self.seqs[place] + events
        version = self.versions[place] if chance.random() < 0.85 else b"old"
        flags = b"".join(f for f in (b"A", b"T", b"H", b"L", b"C") if chance.random() < 0.3)
        first = self.number if chance.random() < 0.9 else max(1, self.number - 3)
        words: list[bytes | int] = [place, version, b"v%d" % self.number, seq, b"s", b"w"]
        words += [self.clock, flags, chance.choice([3, 500, 500]), chance.choice(OWNERS)]
        words += [
            self._few(b"hold"),
            b"%b token%d" % (chance.choice([b"", self._few(b"token")]), first % 4),
            chance.choice([b"", b"moves"]),
            events,
        ]
        for n in range(events):
            words += [b"prj/e%d.%d" % (first, n), b"entry%d" % self.number]
        actions = chance.randint(0, 2)
        words.append(actions)
        for _ in range(actions):
            words += [self._few(b"act"), b"record", chance.choice([b"0", b"1"])]
            words += [chance.choice([b"", b"due%d" % self.number]), self._few(b"prj/d")]
            words.append(chance.choice([b"", self._few(b"prj/d")]))
        approvals = chance.randint(0, 1)
        words.append(approvals)
        for _ in range(approvals):
            words += [self._few(b"apr"), chance.choice([b"", b"asked"]), b"ex%d" % self.number]
        return self._call(b"append", *words, *chance.choice([(), (b"prj/up",), PLACES]))

    def _gather(self) -> Any:
        place = self._place()
        known = self.chance.choice([b"", self.versions[place]])
        return self._call(b"gather", place, known, 2, b"act0", b"act1", b"prj/up")

    def _settle(self) -> Any:
        words: list[bytes] = []
        for entry in self.entries[: self.chance.randint(1, 3)]:
            words += [entry, b"prj/e%d.0" % self.chance.randint(1, self.number + 1)]
        token = self.chance.randint(1, 4)
        return self._call(b"settle", token, self.chance.choice([0, 5000]), *words)

    def _own(self) -> Any:
        return self._call(b"own", self.chance.choice(OWNERS), self.chance.choice([10, 2000]))

    def _disown(self) -> Any:
        return self._call(b"disown", self.chance.choice(OWNERS), self.chance.randint(1, 4))

    def _oldest(self) -> Any:
        return self._call(b"oldest", self.chance.randint(1, 5), self.chance.choice([1, 50, 5000]))

    def _above(self) -> Any:
        return self._call(b"above", self._place(), self.chance.randint(0, 12), 3600)

    def _mark(self) -> Any:
        return self._call(b"mark", self.chance.choice([*PLACES, b"prj/up"]), self._few(b"token"))

    def _unmark(self) -> Any:
        return self._call(b"unmark", self.chance.choice([*PLACES, b"prj/up"]), self._few(b"token"))

    def _unhalt(self) -> Any:
        return self._call(b"unhalt", self._place(), self._few(b"token", self.number + 1))

    def _evict(self) -> Any:
        place = self._place()
        return self._call(b"evict", place, self.versions[place], 30, b"prj/d0")

    def _bring(self) -> Any:
        place = self._place()
        self.seqs[place] = max(1, self.seqs[place])
        words: list[bytes | int] = [
            place,
            b"b%d" % self.number,
            self.seqs[place],
            b"s",
            b"w",
            self.clock,
            b"1",
            self.chance.choice([b"", b"gone:" + self.versions[place]]),
            2,
        ]
        words += [b"act0", b"act1", b"act0", b"record", b"prj/d0", b"", b"apr0", b"asked", b"ex"]
        return self._call(b"bring", *words)

    def _reserve(self) -> Any:
        words = (self._few(b"hold"), self.chance.randint(1, 9), 5, self._place())
        return self._call(b"reserve", *words, self.chance.choice([0, 60]), keys=(COUNTER,))

    def _move(self) -> Any:
        amount = self.chance.choice([5, -3, 2**53])
        words = (self._few(b"prj/e", 9), amount, self._few(b"hold"), 0)
        return self._call(b"move", *words, keys=(COUNTER, COUNTER + b"|moved"))

    def _moved(self) -> Any:
        return self._call(b"moved", self._few(b"prj/e", 9), 500, keys=(COUNTER + b"|moved",))

    def _release(self) -> Any:
        return self._call(b"release", self._few(b"hold"), keys=(COUNTER,))

    def _resolve(self) -> Any:
        return self._call(b"resolve", self._few(b"hold"))

    def _tidy(self) -> Any:
        return self._call(b"tidy", 5000, 5000)

    def _beat(self) -> Any:
        return self._call(b"beat", self.chance.choice(OWNERS), 2000, keys=(b"t:{workers}",))

    def _look(self) -> Any:
        field = b"prj/e%d.0" % self.chance.randint(1, self.number + 1)
        return self.chance.choice(
            [
                self._call(b"placed", field),
                self._call(b"event", field),
                self._call(b"decision", self._few(b"prj/d")),
            ]
        )

    def _plain(self) -> Any:
        return self.chance.choice(
            [
                (b"XLEN", KEYS[0]),
                (b"XRANGE", KEYS[0], b"-", b"+", b"COUNT", b"1"),
                (b"HGETALL", P + b"moves"),
                (b"HDEL", P + b"moves", b"prj/e%d.0" % self.number),
                (b"HVALS", P + b"acts:prj/a"),
                (b"HMGET", P + b"run:prj/a", b"v", b"n"),
                (b"ZADD", P + b"idle", b"XX", b"%d" % self.clock, self._place()),
                (b"ZREM", P + b"idle", self._place()),
                (b"ZRANGEBYSCORE", P + b"idle", b"-inf", b"%d" % self.clock, b"LIMIT", b"0", b"3"),
                (b"ZRANGEBYLEX", P + b"due", b"-", b"[due5\xff", b"LIMIT", b"0", b"3"),
                (b"HSETNX", b"t:{installation}", b"partitions", b"%d" % self.number),
                (b"XADD", P + b"aside", b"9-9", b"e", b"bytes"),
                (b"GET", P + b"log"),
            ]
        )


@pytest.fixture
def client(tmp_path) -> Iterator[Redis]:
    with redis.one(tmp_path / "redis", "--appendfsync", "no") as server:
        # In the protocol that the gateway speaks: a hash is a flat list in it.
        yield Redis(port=server.port, socket_timeout=5, protocol=2)


def test_the_model_answers_and_keeps_what_redis_does(client):
    ends: set[Any] = set()
    for seed in range(SEEDS):
        client.flushall()
        client.function_load(SOURCE.decode(), replace=True)
        both, calls = Both(client), Calls(seed)
        for number in range(CALLS):
            for words in calls.tick():
                both.run(*words)
            call = calls.next()
            reply = both.run(*call)
            calls.heard(call, reply)
            if b"cr_append" in call[1]:
                ends.add(reply[0] if isinstance(reply, list) else type(reply))
            if number % 100 == 99:
                both.compare()

    # Each way that an append can end was met, or the calls would show little.
    assert ends >= {int, b"stale", b"leased", b"mark", b"void", b"full", b"spread"}

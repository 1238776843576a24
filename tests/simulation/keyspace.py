"""The few commands of Redis that the journal uses, on Python's own values.

A second account of Redis's behaviour, which `test_model.py` holds to a real one. Replies are what
a driver reads: bytes, integers, lists, None. What was written is noted in `effects` in a form that
gives the same keys whenever it is run again, as in an append-only file.
"""

from __future__ import annotations

import math
from typing import Any

from redis.exceptions import ResponseError

Words = tuple[bytes, ...]
Id = tuple[int, int]
WRITES = frozenset(
    b"HSET HSETNX HDEL LPUSH RPUSH LPOP LREM LTRIM XADD XDEL ZADD ZREM ZREMRANGEBYSCORE SADD SET"
    b" DEL UNLINK EXPIRE PEXPIREAT".split()
)


class Status(bytes):
    """A reply such as OK, which Lua sees as a table."""


OK = Status(b"OK")


class Sorted(dict[bytes, float]):
    """A sorted set: members with their scores."""


class Stream:
    """Entries by their ids, and the last id ever given."""

    def __init__(self) -> None:
        self.entries: dict[Id, list[bytes]] = {}
        self.last: Id = (0, 0)


class Keyspace:
    """Keys and values. `now_us` is the server's clock."""

    def __init__(self) -> None:
        self.values: dict[bytes, Any] = {}
        self.expires: dict[bytes, int] = {}
        self.effects: list[Words] = []
        self.now_us = 0

    def run(self, words: Words) -> Any:
        """Run one command. Raises ResponseError."""
        name = words[0].upper()
        command = getattr(self, "_" + name.decode().lower(), None)
        if command is None:
            raise ResponseError(f"unknown command '{name.decode()}'")
        reply = command(*words[1:])
        if name in WRITES:
            self.effects.append(self._lasting(name, words, reply))
        return reply

    def again(self, effects: list[Words]) -> None:
        """Run again what was noted."""
        for words in effects:
            self.run(words)
        self.effects.clear()

    def live(self, key: bytes) -> Any:
        """A key's value; None where there is none."""
        ends = self.expires.get(key)
        if ends is not None and ends <= self.now_us // 1000:
            self._drop(key)
        return self.values.get(key)

    def _lasting(self, name: bytes, words: Words, reply: Any) -> Words:
        key = words[1]
        if name == b"XADD":
            return (b"XADD", key, reply, *words[3:])
        if name == b"EXPIRE" and key in self.expires:
            return (b"PEXPIREAT", key, b"%d" % self.expires[key])
        if name == b"SET" and key in self.expires:
            self.effects.append((b"SET", *words[1:3]))
            return (b"PEXPIREAT", key, b"%d" % self.expires[key])
        return (name, *words[1:])

    def _of(self, key: bytes, kind: type) -> Any:
        """A key's value to read; empty where there is none."""
        found = self.live(key)
        if found is None:
            return kind()
        if type(found) is not kind:
            raise ResponseError("WRONGTYPE Operation against a key of another kind of value")
        return found

    def _made(self, key: bytes, kind: type) -> Any:
        """A key's value to change, made where there is none."""
        found = self._of(key, kind)
        self.values[key] = found
        return found

    def _drop(self, key: bytes) -> None:
        self.values.pop(key, None)
        self.expires.pop(key, None)

    def _tidied(self, key: bytes) -> None:
        """Nothing stays empty but a stream."""
        if not self.values.get(key) and not isinstance(self.values.get(key), Stream):
            self._drop(key)

    # Keys

    def _time(self) -> Any:
        return [b"%d" % (self.now_us // 1_000_000), b"%d" % (self.now_us % 1_000_000)]

    def _exists(self, *keys: bytes) -> int:
        return sum(self.live(key) is not None for key in keys)

    def _del(self, *keys: bytes) -> int:
        gone = self._exists(*keys)
        for key in keys:
            self._drop(key)
        return gone

    _unlink = _del

    def _expire(self, key: bytes, seconds: bytes) -> int:
        return self._pexpireat(key, b"%d" % (self.now_us // 1000 + 1000 * int(seconds)))

    def _pexpireat(self, key: bytes, at: bytes) -> int:
        if self.live(key) is None:
            return 0
        self.expires[key] = int(at)
        return 1

    def _get(self, key: bytes) -> bytes | None:
        found: bytes | None = self._of(key, bytes)
        return found if key in self.values else None

    def _set(self, key: bytes, value: bytes, *options: bytes) -> Status:
        self._drop(key)
        self.values[key] = value
        if options:
            self._expire(key, options[1])
        return OK

    # Hashes

    def _hget(self, key: bytes, name: bytes) -> bytes | None:
        found: bytes | None = self._of(key, dict).get(name)
        return found

    def _hmget(self, key: bytes, *names: bytes) -> Any:
        found = self._of(key, dict)
        return [found.get(name) for name in names]

    def _hgetall(self, key: bytes) -> Any:
        return [word for pair in self._of(key, dict).items() for word in pair]

    def _hvals(self, key: bytes) -> Any:
        return list(self._of(key, dict).values())

    def _hexists(self, key: bytes, name: bytes) -> int:
        return int(name in self._of(key, dict))

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        found = self._made(key, dict)
        before = len(found)
        found.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(found) - before

    def _hsetnx(self, key: bytes, name: bytes, value: bytes) -> int:
        return 0 if self._hexists(key, name) else self._hset(key, name, value)

    def _hdel(self, key: bytes, *names: bytes) -> int:
        found = self._of(key, dict)
        gone = sum(found.pop(name, None) is not None for name in names)
        self._tidied(key)
        return gone

    def _hscan(self, key: bytes, _cursor: bytes, *_options: bytes) -> Any:
        return [b"0", self._hgetall(key)]

    # Lists

    def _lrange(self, key: bytes, first: bytes, last: bytes) -> Any:
        found = self._of(key, list)
        return found[int(first) : int(last) + 1 or len(found)]

    def _lindex(self, key: bytes, at: bytes) -> bytes | None:
        found = self._of(key, list)
        return found[int(at)] if int(at) < len(found) else None

    def _lpush(self, key: bytes, *values: bytes) -> int:
        found = self._made(key, list)
        found[:0] = reversed(values)
        return len(found)

    def _rpush(self, key: bytes, *values: bytes) -> int:
        found = self._made(key, list)
        found += values
        return len(found)

    def _lpop(self, key: bytes) -> bytes | None:
        found = self._of(key, list)
        popped = found.pop(0) if found else None
        self._tidied(key)
        return popped

    def _lrem(self, key: bytes, _one: bytes, value: bytes) -> int:
        found = self._of(key, list)
        gone = value in found
        if gone:
            found.remove(value)
        self._tidied(key)
        return int(gone)

    def _ltrim(self, key: bytes, first: bytes, last: bytes) -> Status:
        self._of(key, list)[:] = self._lrange(key, first, last)
        self._tidied(key)
        return OK

    # Sets, sorted and not

    def _sadd(self, key: bytes, *members: bytes) -> int:
        found = self._made(key, set)
        before = len(found)
        found.update(members)
        return len(found) - before

    def _smembers(self, key: bytes) -> Any:
        return sorted(self._of(key, set), key=lambda each: (len(each), each))

    def _zadd(self, key: bytes, *words: bytes) -> int:
        only_known = words[0].upper() == b"XX"
        score, member = words[1:] if only_known else words
        found = self._of(key, Sorted)
        known = member in found
        if known or not only_known:
            self._made(key, Sorted)
            self.values[key][member] = float(score)
            return int(not known)
        return 0

    def _zrem(self, key: bytes, *members: bytes) -> int:
        found = self._of(key, Sorted)
        gone = sum(found.pop(member, None) is not None for member in members)
        self._tidied(key)
        return gone

    def _zscore(self, key: bytes, member: bytes) -> bytes | None:
        score = self._of(key, Sorted).get(member)
        return None if score is None else b"%.17g" % score

    def _ranked(self, key: bytes) -> list[bytes]:
        found = self._of(key, Sorted)
        return sorted(found, key=lambda member: (found[member], member))

    def _zrangebyscore(self, key: bytes, low: bytes, high: bytes, *limit: bytes) -> Any:
        found = self._of(key, Sorted)
        least, most = float(low), float(high)
        within = [each for each in self._ranked(key) if least <= found[each] <= most]
        return within[: int(limit[2])] if limit else within

    def _zremrangebyscore(self, key: bytes, low: bytes, high: bytes) -> int:
        return self._zrem(key, *self._zrangebyscore(key, low, high))

    def _zrangebylex(self, key: bytes, _low: bytes, high: bytes, *limit: bytes) -> Any:
        within = [each for each in self._ranked(key) if each <= high[1:]]
        return within[: int(limit[2])]

    # Streams

    def _xadd(self, key: bytes, id: bytes, *pair: bytes) -> bytes:
        stream: Stream = self._of(key, Stream)
        if id == b"*":
            ms = self.now_us // 1000
            new = (ms, 0) if ms > stream.last[0] else (stream.last[0], stream.last[1] + 1)
        else:
            new = _id(id)
        if new <= stream.last:
            raise ResponseError("The ID specified in XADD is equal or smaller than the last one")
        self.values[key] = stream
        stream.entries[new] = list(pair)
        stream.last = new
        return b"%d-%d" % new

    def _xlen(self, key: bytes) -> int:
        return len(self._of(key, Stream).entries)

    def _xdel(self, key: bytes, *ids: bytes) -> int:
        entries = self._of(key, Stream).entries
        return sum(entries.pop(_id(each), None) is not None for each in ids)

    def _xrange(self, key: bytes, first: bytes, last: bytes, *count: bytes) -> Any:
        low = (0, 0) if first == b"-" else _id(first)
        high: tuple[float, float] = (math.inf, 0) if last == b"+" else _id(last)
        entries = self._of(key, Stream).entries
        most = int(count[1]) if count else len(entries)
        within = [each for each in entries if low <= each <= high][:most]
        return [[b"%d-%d" % each, entries[each]] for each in within]


def _id(text: bytes) -> Id:
    ms, _, rest = text.partition(b"-")
    return int(ms), int(rest or b"0")

"""Calls of the journal's Functions, as bytes. Their names carry a digest of their text, so that
two releases work beside each other on one Redis."""

from __future__ import annotations

from hashlib import blake2b
from importlib.resources import files

from gateway.storage.server.redis.keys import pack

SOURCE = files("gateway.storage.server.redis").joinpath("functions.lua").read_bytes()
_VERSION = blake2b(SOURCE, digest_size=6).hexdigest().encode()
LOAD = pack("FUNCTION", "LOAD", "REPLACE", SOURCE.replace(b"VERSION", _VERSION))
LISTED = pack("FUNCTION", "LIST", "LIBRARYNAME", b"checkrein_journal_" + _VERSION)


class Function:
    """One of the Functions; calling it gives the command."""

    __slots__ = ("_head",)

    def __init__(self, name: str, *, reads: bool = False) -> None:
        verb = b"FCALL_RO" if reads else b"FCALL"
        function = f"cr_{name}_".encode() + _VERSION
        self._head = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(verb), verb, len(function), function)

    def __call__(self, keys: tuple[bytes, ...], *words: bytes | str | int) -> bytes:
        """Raises UnicodeEncodeError."""
        tail = pack(str(len(keys)), *keys, *words)
        _, _, rest = tail.partition(b"\r\n")
        return b"*%d\r\n%b%b" % (3 + len(keys) + len(words), self._head, rest)


GATHER = Function("gather", reads=True)
APPEND = Function("append")
BRING = Function("bring")
ABOVE = Function("above")
MARK = Function("mark")
UNHALT = Function("unhalt")
UNMARK = Function("unmark")
DECISION = Function("decision", reads=True)
EVENT = Function("event", reads=True)
OLDEST = Function("oldest", reads=True)
PLACED = Function("placed", reads=True)
EVICT = Function("evict")
ERASE = Function("erase")
BEAT = Function("beat")
OWN = Function("own")
DISOWN = Function("disown")
SETTLE = Function("settle")
RESERVE = Function("reserve")
RELEASE = Function("release")
MOVE = Function("move")
MOVED = Function("moved")
RESOLVE = Function("resolve")
TIDY = Function("tidy")

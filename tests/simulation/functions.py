"""The journal's Functions in a Lua of the kind that Redis has, upon the model of its keys.

The text that runs is the very file that is loaded into Redis, so nothing of it is told twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type
from redis.exceptions import ResponseError

from tests.simulation.keyspace import Keyspace, Status, Words

BEGIN = b"""
local call, try, register = ...
redis = {call = call, pcall = try, register_function = register}
"""


class Functions:
    """A library, loaded. It keeps nothing between calls, so any number of servers may share it."""

    def __init__(self, source: bytes) -> None:
        self._lua: Any = LuaRuntime(encoding=None)
        self._callbacks: dict[bytes, Callable[..., Any]] = {}
        self._keys = Keyspace()
        begin = self._lua.eval(b"function(...) " + BEGIN + b" end")
        begin(self._call, self._try, self._register)
        # The first line names the library to Redis, and is no Lua.
        self._lua.execute(source.partition(b"\n")[2])

    def call(self, keys: Keyspace, name: bytes, names: Words, words: Words) -> Any:
        """The reply of a Function. Raises ResponseError."""
        if name not in self._callbacks:
            raise ResponseError("Function not found")
        self._keys = keys
        table = self._lua.table_from
        return self._reply(self._callbacks[name](table(names), table(words)))

    def _register(self, what: Any) -> None:
        self._callbacks[what[b"function_name"]] = what[b"callback"]

    def _call(self, *words: Any) -> Any:
        return self._value(self._keys.run(tuple(map(_word, words))))

    def _try(self, *words: Any) -> Any:
        try:
            return self._call(*words)
        except ResponseError as error:
            return self._lua.table_from({b"err": str(error).encode()})

    def _value(self, reply: Any) -> Any:
        """A reply as Lua sees it."""
        if isinstance(reply, list):
            return self._lua.table_from([self._value(each) for each in reply])
        if isinstance(reply, Status):
            return self._lua.table_from({b"ok": bytes(reply)})
        return False if reply is None else reply

    def _reply(self, value: Any) -> Any:
        """What Lua returned as a driver sees it. A list ends where nothing is in its place."""
        if lua_type(value) != "table":
            if isinstance(value, bool):
                return 1 if value else None
            return int(value) if isinstance(value, float) else value
        replies = []
        for at in range(1, len(value) + 1):
            if value[at] is None:
                break
            replies.append(self._reply(value[at]))
        return replies


def _word(value: bytes | float) -> bytes:
    return value if isinstance(value, bytes) else b"%.17g" % value


@cache
def loaded(source: bytes) -> Functions:
    """One for each text: a Lua takes longer to begin than to run."""
    return Functions(source)

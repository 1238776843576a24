"""A recorded output as what the tool returned: by its return annotation, or by a codec.

The record holds JSON. What is made of it must read as that JSON again, else the tool returned
something that its annotation does not tell, and the call is not replayable.
"""

from __future__ import annotations

import collections.abc
import datetime
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from checkrein._plain import Plainer
from checkrein._tool import Tool
from checkrein.simulating.errors import NotReplayable
from checkrein.simulating.tokens import form

Codecs = Mapping[str | type, Callable[[Any], Any]]
_registered: dict[str | type, Callable[[Any], Any]] = {}
_ITEMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
_MOMENTS: tuple[type, ...] = (datetime.datetime, datetime.date)
# What a value without any word in JSON is recorded as: `<module.Class>`.
_DESCRIBED = re.compile(r"<[A-Za-z_]\w*(\.[\w<>]+)+>")


def register_codec(of: str | type, decode: Callable[[Any], Any]) -> None:
    """Have outputs made by `decode` from their JSON: those of a tool by its name, or of a type."""
    _registered[of] = decode


class Output(NamedTuple):
    """The value for the agent. `assumed`: nothing says its type, so it is what JSON makes of it."""

    value: Any
    assumed: bool


class Outputs:
    """Makes outputs for one simulation; its own codecs go before the registered ones."""

    def __init__(self, codecs: Codecs) -> None:
        self._codecs: dict[str | type, Callable[[Any], Any]] = {**_registered, **codecs}

    def made(self, tool: Tool, recorded: Any, *, items: bool = False) -> Output:
        """The output of a tool; of a generator its items. Raises NotReplayable."""
        codec = self._codecs.get(tool.name)
        if codec is not None:
            return Output(_decoded(tool, codec, recorded), False)
        annotated, hint = _returned(tool)
        if not annotated or hint in (Any, object):
            if isinstance(recorded, str) and _DESCRIBED.fullmatch(recorded):
                raise _no_type(tool, f"it returned an object, recorded as {recorded}")
            return Output(recorded, True)
        if items:
            hint = list[_item(hint)]  # type: ignore[misc]
        return Output(self._converted(tool, hint, recorded), False)

    def _converted(self, tool: Tool, hint: Any, recorded: Any) -> Any:
        made: Any = None
        given = _in_order(hint, recorded)
        problem = "it does not read as what was recorded"
        for strict in (True, False):
            try:
                made = msgspec.convert(given, hint, strict=strict, dec_hook=self._hook)
            except Exception as error:  # noqa: BLE001 - a type's own code may raise anything
                problem = str(error)[:200]
                continue
            if form(Plainer()(made).value) == form(recorded):
                return made
        raise _no_type(tool, f"{_shown(hint)}: {problem}")

    def _hook(self, kind: type, value: Any) -> Any:
        for known, decode in self._codecs.items():
            if isinstance(known, type) and kind is known:
                return decode(value)
        for moment in _MOMENTS:
            if issubclass(kind, moment):
                # The class that stands for it while the clock is held still.
                return msgspec.convert(value, moment)
        if hasattr(kind, "model_validate"):
            return kind.model_validate(value)
        raise NotImplementedError(f"nothing makes a {kind.__qualname__}")


def _decoded(tool: Tool, codec: Callable[[Any], Any], recorded: Any) -> Any:
    try:
        return codec(recorded)
    except Exception as error:
        raise _no_type(tool, f"its codec failed: {error}") from error


def _no_type(tool: Tool, why: str) -> NotReplayable:
    message = (
        f"{tool.name} is not replayable: output type ({why}). "
        "Annotate what it returns, or give a codec."
    )
    return NotReplayable(message, "output type")


def _returned(tool: Tool) -> tuple[bool, Any]:
    """Whether the tool says what it returns, and what. Names are looked up where it was written."""
    fn: Any = inspect.unwrap(tool.fn)
    fn = fn if inspect.isroutine(fn) else type(fn).__call__
    fn = getattr(fn, "__func__", fn)
    annotations = getattr(fn, "__annotations__", {})
    if "return" not in annotations:
        return False, None
    hint = annotations["return"]
    if isinstance(hint, str):
        try:
            hint = eval(hint, getattr(fn, "__globals__", {}), _enclosing(fn))  # noqa: S307 - the tool's own source
        except Exception as error:
            raise _no_type(tool, f"its annotation {hint!r} cannot be looked up") from error
    return True, type(None) if hint is None else hint


def _enclosing(fn: Any) -> dict[str, Any]:
    code, cells = getattr(fn, "__code__", None), getattr(fn, "__closure__", None) or ()
    found = {}
    for name, cell in zip(getattr(code, "co_freevars", ()), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _item(hint: Any) -> Any:
    if get_origin(hint) in _ITEMS and get_args(hint):
        return get_args(hint)[0]
    return Any


def _in_order(hint: Any, recorded: Any) -> Any:
    """Named tuples are recorded by name, and made of items."""
    names = getattr(hint, "_fields", None)
    if isinstance(recorded, dict) and isinstance(names, tuple) and recorded.keys() == set(names):
        return [recorded[name] for name in names]
    return recorded


def _shown(hint: Any) -> str:
    plain = get_origin(hint) is None and hasattr(hint, "__qualname__")
    return str(hint.__qualname__ if plain else hint)[:80]

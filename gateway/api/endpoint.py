"""An endpoint as data: where it is, who may call it, what goes in, what comes out.

Routes, the OpenAPI document, and the tests of who may see what are all made from these values, so
none of them can know an address that another does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.api.parts import Parts
from gateway.checking.limits import LIMITS, Limits
from gateway.storage.ports import Caller

KeyScope = Literal["check", "read", "admin"]

# Who asks where no key is needed.
NOBODY: Final = Caller("", "", "", frozenset())

# Reports carry outputs and whole batches: four times the bytes of a check, no more values.
REPORT_LIMITS: Final = Limits(body_bytes=4 * LIMITS.body_bytes)


class Call(Struct, frozen=True):
    """One request, understood: path parameters by name, `query` and `body` of declared types."""

    caller: Caller
    path: dict[str, str]
    query: Any
    body: Any


class Streamed(Struct, frozen=True):
    """An answer in pieces, as long as it is."""

    media_type: str
    pieces: AsyncIterator[bytes]


class Answer(Struct, frozen=True):
    """The value to send, which may be Streamed, and headers besides the usual ones."""

    value: Any
    headers: dict[str, str] = {}


class Operation(Struct, frozen=True, kw_only=True):
    """What is said about an endpoint. `scope` is what the key must hold, None: no key is needed;
    `also` is a second scope that it must hold besides.

    `path` holds parameters in braces. `problems` are codes besides those that every endpoint of
    its kind can answer. `query` is a struct with a default for each parameter that may be absent:
    UNSET and not None, since no text in an address stands for null. With `streams`, the
    answer is a stream of server-sent events, each with a `reply` as its data. `media_types` are
    those besides JSON in which the reply can be had.
    """

    id: str
    method: Literal["GET", "POST"]
    path: str
    scope: KeyScope | None
    summary: str
    description: str
    reply: Any
    body: type[Any] | None = None
    query: type[Any] | None = None
    problems: tuple[str, ...] = ()
    limits: Limits = REPORT_LIMITS
    streams: bool = False
    also: KeyScope | None = None
    media_types: tuple[str, ...] = ()


class Endpoint(Struct, frozen=True):
    """An operation, and the function that answers it."""

    answer: Callable[[Parts, Call], Awaitable[Answer]]
    operation: Operation

"""Whether an OPA server is there, and which one: for the breaker, for `doctor`."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from msgspec import Struct

from gateway.engines.opa.client import NO_JSON, Client, ReplyTooLarge, Unreachable

VERSION: Final = b'{"query":"version := opa.runtime().version"}'
REPLY_BYTES: Final = 1 << 16


class Probe(Struct, frozen=True):
    """What was found. `version` is None where nothing answered, or something that is not OPA."""

    reachable: bool
    version: str | None = None
    detail: str = ""


class _Row(Struct, frozen=True):
    version: str


class _Rows(Struct, frozen=True):
    result: tuple[_Row, ...] = ()


async def probe(client: Client, seconds: float) -> Probe:
    """Ask for the version, by the way that evaluations take as well. Never raises."""
    try:
        async with asyncio.timeout(seconds):
            reply = await client.exchange("POST", "query", VERSION, most=REPLY_BYTES)
    except (TimeoutError, Unreachable, ReplyTooLarge) as error:
        return Probe(False, detail=str(error) or f"no answer within {seconds:g} s")
    try:
        (row,) = msgspec.json.decode(reply.body, type=_Rows).result
    except (*NO_JSON, ValueError):
        return Probe(True, detail=f"what answers is no OPA server (status {reply.status})")
    return Probe(True, row.version)

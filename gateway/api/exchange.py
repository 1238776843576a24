"""What every request and every answer has, whichever way it goes: a request id, a key, a body."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from gateway.ambient import Ambient
from gateway.api import problems
from gateway.api.places import Places
from gateway.checking.body import Receive, read_body
from gateway.errors import BadRequest, Problem, Unauthenticated, Unexpected
from gateway.telemetry import Metrics, logger

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY_SECONDS: Final = 10.0
REQUEST_ID: Final = b"x-request-id"
_REQUEST_ID_CHARS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_log = logger("api")


def request_id_of(headers: Iterable[tuple[bytes, bytes]], ambient: Ambient) -> str:
    """The caller's own request id where it is fit for a log, otherwise a new one."""
    for name, value in headers:
        if name == REQUEST_ID and 0 < len(value) <= 64:
            if value.translate(None, _REQUEST_ID_CHARS):
                break
            return value.decode("ascii")
    return ambient.new_id("req")


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The authorization header. Raises Unauthenticated when there are two: which one counts?"""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise Unauthenticated(detail="Send one authorization header.")
    return found[0].decode("latin-1") if found else None


async def whole_body(receive: Receive, limit: int, slow: Places) -> bytes:
    """The body, cut at `limit` bytes and after ten seconds.

    Nearly every body comes with its headers. One that does not has to find a place among the slow
    ones before more of it is kept, so that many slow senders cannot fill the memory.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            first = await receive()
            if not first.get("more_body", False):
                return await read_body(_from(first, receive), limit)
            with slow:
                return await read_body(_from(first, receive), limit)
    except TimeoutError:
        detail = f"The body did not come within {BODY_SECONDS:.0f} seconds."
        raise BadRequest("bad_request", detail) from None


def _from(first: Message, receive: Receive) -> Receive:
    """Receiving again from a message that was already received."""
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def as_problem(error: Exception, request_id: str) -> Problem:
    """A problem as it is; anything else is logged, and told as nothing but `unexpected`.

    The text of a foreign error may quote what an agent sent, so the log gets its type and places.
    """
    if isinstance(error, Problem):
        return error
    _log.error(
        "request_failed",
        request_id=request_id,
        error=type(error).__name__,
        trace=[
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-12:]
        ],
    )
    return Unexpected("unexpected", f"Tell us the request id {request_id}.")


def refusal(error: Exception, request_id: str, metrics: Metrics) -> tuple[int, Headers, bytes]:
    """The answer to a request that failed, counted by its code."""
    problem = as_problem(error, request_id)
    metrics.problems.labels(problem.code).inc()
    return problems.render(problem, request_id)


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole response. To a caller who went away the server sends nothing."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""Endpoints as Litestar routes: authenticate, read what was sent, call the endpoint, encode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from gateway.api.endpoint import NOBODY, Call, Endpoint, Operation, Streamed
from gateway.api.exchange import authorization_of, whole_body
from gateway.api.parts import Parts
from gateway.api.places import Places
from gateway.checking.body import Receive, check_headers
from gateway.checking.gate import decode
from gateway.checking.limits import LIMITS
from gateway.errors import BadRequest, Forbidden, StorageFailure, Unavailable
from gateway.storage.ports import Caller
from gateway.telemetry import logger

PARAMETER_CHARS: Final = 256
QUERY_BYTES: Final = 4096
STREAMS_MAX: Final = 4

_log = logger("api")
_encoder: Final = msgspec.json.Encoder()
_Ask = Request[Any, Any, Any]


def route(parts: Parts, endpoint: Endpoint, places: Places, slow: Places) -> HTTPRouteHandler:
    """The Litestar handler of one endpoint. `places` bounds how many are answered at once."""
    operation = endpoint.operation
    streams = Places(STREAMS_MAX, "answers like this are being written")
    decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)

    async def body_of(request: _Ask) -> Any:
        if decoder is None:
            return None
        check_headers(request.scope["headers"], operation.limits.body_bytes)
        body = await whole_body(cast(Receive, request.receive), operation.limits.body_bytes, slow)
        if len(body) <= LIMITS.body_bytes:
            return decode(body, decoder, operation.limits)
        # What takes longer to read than a check may, is read while checks go on.
        return await asyncio.to_thread(decode, body, decoder, operation.limits)

    async def handler(request: Request[Any, Any, Any]) -> Response[Any]:
        caller = _authorize(parts, operation, request)
        path = {name: _parameter(name, sent) for name, sent in request.path_params.items()}
        query = query_of(operation, request.scope["query_string"])
        body = await body_of(request)
        call = Call(caller, path, query, body)
        if operation.scope is None:
            return await _answer(parts, endpoint, call, streams)
        with places:
            return await _answer(parts, endpoint, call, streams)

    return _as_route(operation, handler)


def _as_route(
    operation: Operation, handler: Callable[[_Ask], Awaitable[Response[Any]]]
) -> HTTPRouteHandler:
    return HTTPRouteHandler(
        operation.path.replace("}", ":str}"),
        http_method=operation.method,
        status_code=200,
        name=operation.id,
        include_in_schema=False,
    )(handler)


def _authorize(parts: Parts, operation: Operation, request: _Ask) -> Caller:
    if operation.scope is None:
        return NOBODY
    caller = parts.authenticate(authorization_of(request.scope["headers"]))
    for scope in filter(None, (operation.scope, operation.also)):
        if scope not in caller.scopes:
            raise Forbidden(detail=f"This key lacks the scope {scope!r}.")
    return caller


async def _answer(parts: Parts, endpoint: Endpoint, call: Call, streams: Places) -> Response[Any]:
    try:
        answer = await endpoint.answer(parts, call)
    except StorageFailure as failure:
        _log.warning("store_away", operation=endpoint.operation.id, problem=str(failure)[:300])
        detail = "The store is away, or cannot keep up."
        raise Unavailable("unavailable", detail, retry_after=1) from failure
    headers = {"cache-control": "no-store", **answer.headers}
    if isinstance(answer.value, Streamed):
        streams.refuse_when_full()
        pieces = _held(answer.value.pieces, streams)
        return Stream(pieces, media_type=answer.value.media_type, headers=headers, status_code=200)
    return Response(
        _encoder.encode(answer.value),
        status_code=200,
        media_type="application/json",
        headers=headers,
    )


async def _held(pieces: AsyncIterator[bytes], streams: Places) -> AsyncIterator[bytes]:
    """The pieces, in a place of their own: an answer that is written for minutes takes no other's.

    A store that goes away ends the connection, so that nobody takes what came for the whole.
    """
    with streams:
        async for piece in pieces:
            yield piece


def _parameter(name: str, sent: str) -> str:
    """A part of the path. Paths are matched as they were sent, so `%2F` is no slash until here."""
    try:
        text = unquote_to_bytes(sent).decode()
    except UnicodeDecodeError:
        text = ""
    if not 0 < len(text) <= PARAMETER_CHARS:
        detail = f"{name} has 1 to {PARAMETER_CHARS} characters, in UTF-8."
        raise BadRequest("bad_parameter", detail)
    return text


def query_of(operation: Operation, sent: bytes) -> Any:
    """The query as a struct: unknown, repeated and malformed parameters are refused."""
    if operation.query is None:
        return None
    if len(sent) > QUERY_BYTES:
        raise BadRequest("bad_parameter", f"A query has at most {QUERY_BYTES} bytes.")
    try:
        pairs = parse_qsl(sent.decode(), keep_blank_values=True, errors="strict")
        if len(dict(pairs)) < len(pairs):
            raise BadRequest("bad_parameter", "A parameter is given twice.")
        return msgspec.convert(dict(pairs), operation.query, strict=False)
    except UnicodeDecodeError:
        raise BadRequest("bad_parameter", "The query is not UTF-8.") from None
    except msgspec.ValidationError as error:
        raise BadRequest("bad_parameter", f"{error}.") from None

"""The API as one ASGI application: the hot address straight to its handler, the rest by routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException

from gateway.ambient import Ambient
from gateway.api import check_action, exchange, live
from gateway.api.check_action import CheckAction
from gateway.api.endpoint import Endpoint
from gateway.api.endpoints import ENDPOINTS
from gateway.api.exchange import REQUEST_ID, App, Message, Scope, Send
from gateway.api.parts import Parts
from gateway.api.places import Places
from gateway.api.routing import route
from gateway.checking.body import ClientDisconnected, Receive
from gateway.errors import BadRequest, MethodNotAllowed, NotFound, Problem
from gateway.telemetry import Metrics

SLOW_MAX: Final = 64
REPORTS_MAX: Final = 64
PATH_BYTES: Final = 4096

__all__ = ["Parts", "build"]


def build(parts: Parts) -> App:
    """The application. What it costs to route and to log is not paid by the hot address."""
    slow = Places(SLOW_MAX, "bodies are being read")
    check = CheckAction(
        authenticate=parts.authenticate,
        checker=parts.checker,
        ambient=parts.ambient,
        metrics=parts.metrics,
        judged=Places(parts.max_concurrent_checks, "checks are being judged"),
        slow=slow,
        last_append=parts.last_append,
    )
    following = live.Live(parts)
    others = Routed(parts, ENDPOINTS, slow)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == check_action.PATH:
            await check(scope, receive, send)
        elif scope["type"] == "websocket" or scope["path"] == live.PATH:
            await following(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


class Routed:
    """Every address but the hot one."""

    def __init__(self, parts: Parts, endpoints: Sequence[Endpoint], slow: Places) -> None:
        places = Places(REPORTS_MAX, "requests are being answered")
        self._ambient: Ambient = parts.ambient
        self._metrics: Metrics = parts.metrics
        self.litestar = Litestar(
            route_handlers=[route(parts, endpoint, places, slow) for endpoint in endpoints],
            exception_handlers={Exception: self._refuse},
            openapi_config=None,
            logging_config=None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.litestar(scope, receive, send)  # type: ignore[arg-type]
            return
        request_id = exchange.request_id_of(scope["headers"], self._ambient)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (REQUEST_ID, request_id.encode())]
            await send(message)

        scope.setdefault("state", {})["request_id"] = request_id
        # Routes are matched on the path as it was sent: a run's own name may hold a slash.
        scope["path"] = _path_as_sent(scope)
        await self.litestar(scope, receive, send_named)  # type: ignore[arg-type]

    def _refuse(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if isinstance(error, ClientDisconnected):
            return Response(b"", status_code=400)
        request_id = request.scope["state"]["request_id"]
        if isinstance(error, HTTPException):
            error = _in_our_dress(error)
        status, headers, body = exchange.refusal(error, request_id, self._metrics)
        return Response(
            body,
            status_code=status,
            media_type="application/problem+json",
            headers={name.decode(): value.decode() for name, value in headers},
        )


def _path_as_sent(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    # An address that long names nothing, and routing remembers addresses.
    return raw.decode("ascii", "replace") if len(raw) <= PATH_BYTES else "/too-long"


def _in_our_dress(error: HTTPException) -> Problem:
    """Litestar's own refusals: no such route, no such method, a host header that is none."""
    if error.status_code == 404:
        return NotFound(detail="There is nothing at this address.")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        methods = sorted(each for each in allowed.split(", ") if each != "OPTIONS")
        return MethodNotAllowed(extra={"allow": methods})
    if error.status_code < 500:
        return BadRequest("bad_request", error.detail)
    return Problem()

"""Metrics for Prometheus, as an application of its own: it is served on another port, which only
operators reach, and it knows nothing but counters."""

from __future__ import annotations

from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway.api.exchange import App, Headers, Scope, Send, answer
from gateway.checking.body import Receive
from gateway.telemetry import Metrics

PATH: Final = "/metrics"


def metrics_app(metrics: Metrics) -> App:
    """An ASGI application that answers `GET /metrics` and nothing else."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        status, kind, body = _reply(metrics, scope)
        headers: Headers = [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await answer(send, status, headers, b"" if scope["method"] == "HEAD" else body)

    return app


def _reply(metrics: Metrics, scope: Scope) -> tuple[int, str, bytes]:
    if scope["path"] != PATH:
        return 404, "text/plain", b"Metrics are at /metrics.\n"
    if scope["method"] not in ("GET", "HEAD"):
        return 405, "text/plain", b"Metrics are read with GET.\n"
    return 200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry)

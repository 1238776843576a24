"""A worker as a process of its own: it records, verifies, makes room ahead, and shows metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from msgspec import Struct

from gateway.api.metrics_server import metrics_app
from gateway.config import Settings
from gateway.errors import StorageFailure
from gateway.serving.collecting import WORKERS_YOUNG, collect_seldom
from gateway.serving.http import http_server, listen
from gateway.telemetry import Metrics, logger
from gateway.wiring import Worker, open_worker
from gateway.worker.process import record_until_told
from gateway.worker.recorder import Figures

FIGURES_SECONDS = 1.0
MAINTAIN_SECONDS = 600.0

_log = logger("worker")


class Ready(Struct, frozen=True):
    """A worker that records."""

    metrics_url: str


async def work(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    """Record until SIGTERM or SIGINT; what is in hand is finished. Raises ConfigInvalid,
    StorageFailure when it cannot start."""
    metrics = Metrics()
    exposition = listen(settings.host, settings.metrics_port, "--metrics-port")
    url = f"http://{settings.host}:{exposition.getsockname()[1]}/metrics"
    async with open_worker(settings) as worker:
        scraped = http_server(metrics_app(metrics))
        beside = [
            asyncio.create_task(scraped.serve(sockets=[exposition])),
            asyncio.create_task(_count(worker, metrics)),
        ]
        if worker.maintain is not None:
            beside.append(asyncio.create_task(_maintain(worker.maintain)))
        collect_seldom(WORKERS_YOUNG)
        try:
            await record_until_told(
                worker.recorder,
                worker.auditor,
                lambda: on_ready(Ready(url)),
                worker.grower,
                worker.witnessing,
            )
        finally:
            scraped.should_exit = True
            for task in beside[1:]:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _count(worker: Worker, metrics: Metrics) -> None:
    """What the worker did, as metrics."""
    said = Figures()
    while True:
        now = worker.recorder.figures.copy()
        news = now.since(said)
        metrics.unreadable.inc(news.unreadable)
        metrics.journal_oldest.set(max(0.0, now.lag_seconds))
        metrics.witnessed(news.checkpoints, news.witnessed_at)
        if now.audited:
            metrics.chain_ok.set(0 if now.broken else 1)
        said = now
        await asyncio.sleep(FIGURES_SECONDS)


async def _maintain(maintain: Callable[[], Awaitable[object]]) -> None:
    """Make room ahead, now and then. Others may be in the way, or have done it."""
    while True:
        with contextlib.suppress(StorageFailure):
            await maintain()
        await asyncio.sleep(MAINTAIN_SECONDS)

"""Running an opened gateway: its servers, its loops, its worker, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import uvicorn
import uvloop
from msgspec import Struct

from gateway.api.metrics_server import metrics_app
from gateway.api.server_log import listen_to_server
from gateway.checking.authenticate import pepper
from gateway.config import Settings
from gateway.domain import api_keys
from gateway.domain.instants import rfc3339
from gateway.errors import StorageFailure
from gateway.serving.collecting import collect_seldom
from gateway.serving.http import DRAIN_SECONDS, http_server, listen
from gateway.serving.worker_child import WorkerChild
from gateway.storage.ports import KeyRecord
from gateway.telemetry import Metrics, logger
from gateway.wiring import PROJECT, Gateway, Stopping, open_gateway

FIGURES_SECONDS = 1.0


class Ready(Struct, frozen=True):
    """A gateway that answers. `api_key` is there on the first start of a data folder only."""

    url: str
    metrics_url: str
    api_key: str | None
    project: str
    environment: str


def run(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    """`serve` on an event loop of its own."""
    uvloop.run(serve(settings, on_ready))


async def serve(settings: Settings, on_ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM, then stop: no new checks, finish those in flight, flush.

    Raises ConfigInvalid when it cannot start.
    """
    stopping = Stopping()
    stop = asyncio.Event()
    metrics = Metrics()
    api = listen(settings.host, settings.port, "--port")
    exposition = listen(settings.host, settings.metrics_port, "--metrics-port")
    url = f"http://{settings.host}:{api.getsockname()[1]}"
    async with open_gateway(settings, metrics=metrics, base_url=url, stopping=stopping) as gateway:
        listen_to_server(metrics, gateway.parts.ambient.monotonic)
        server = http_server(gateway.app)
        scraped = http_server(metrics_app(metrics))
        # Where many share the stores, workers are processes of somebody else's.
        worker = None if settings.on_servers else WorkerChild(settings, metrics)
        tasks = [
            asyncio.create_task(server.serve(sockets=[api])),
            asyncio.create_task(scraped.serve(sockets=[exposition])),
            asyncio.create_task(gateway.rulebook.run(stop)),
            asyncio.create_task(gateway.keys.run(stop)),
            asyncio.create_task(gateway.timers.run(stop)),
            asyncio.create_task(gateway.spool_drain.run(stop)),
            asyncio.create_task(gateway.canary_watch.run(stop)),
            asyncio.create_task(gateway.proving.run(stop)),
            asyncio.create_task(_measure(gateway, metrics, stop)),
        ]
        if worker is not None:
            await worker.start()
            tasks.append(asyncio.create_task(worker.run(stop)))
        _on_signals(stop)
        key = None if settings.on_servers else await _first_key(gateway, settings.environment)
        collect_seldom()
        await _until_started(server, tasks)
        on_ready(
            Ready(
                url=url,
                metrics_url=f"http://{settings.host}:{exposition.getsockname()[1]}/metrics",
                api_key=key,
                project=PROJECT,
                environment=settings.environment,
            )
        )
        await _until_stopped(stop, tasks)
        stopping.now = True
        server.should_exit = scraped.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), DRAIN_SECONDS)
        if worker is not None:
            await worker.stop()
        logger("serving").info("gateway_stopped")


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


async def _until_started(server: uvicorn.Server, tasks: list[asyncio.Task[None]]) -> None:
    while not server.started:
        _raise_of(tasks)
        await asyncio.sleep(0.005)


async def _until_stopped(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Until somebody wants it to stop, or a loop that must run has ended."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    stop.set()
    _raise_of(tasks)


def _raise_of(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _first_key(gateway: Gateway, environment: str) -> str | None:
    """The key of a data folder that has none yet. It is told once, and kept nowhere."""
    control = gateway.parts.control
    if await control.keys():
        return None
    text, key_id, _ = api_keys.make(environment)
    await control.add_key(
        KeyRecord(
            id=key_id,
            project_id=gateway.project_id,
            environment=environment,
            name="first key",
            digest=api_keys.digest(pepper(gateway.master), text),
            scopes=("check", "read"),
            created_at=rfc3339(gateway.parts.ambient.now_ns()),
        )
    )
    await gateway.keys.refresh()
    return text


async def _measure(gateway: Gateway, metrics: Metrics, stop: asyncio.Event) -> None:
    """Keep the gauges of the journal fresh."""
    while not stop.is_set():
        try:
            figures = await gateway.parts.journal.figures()
            metrics.journal_waiting.set(figures.waiting)
            metrics.journal_oldest.set(figures.oldest_seconds)
            metrics.journal_set_aside.set(figures.set_aside)
        except StorageFailure as failure:
            # Gauges that are a second old are no reason to stop answering.
            logger("serving").warning("figures_failed", problem=str(failure))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FIGURES_SECONDS)

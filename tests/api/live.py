"""A real gateway on a free loopback port, on an event loop of its own thread.

Everything is as in production but for the processes: the recorder runs on the same loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import msgspec
import uvicorn
import uvloop
from msgspec import Struct
from msgspec.structs import replace

from gateway.api.exchange import App
from gateway.api.http_protocol import BoundedHttp
from gateway.api.metrics_server import metrics_app
from gateway.api.socket_protocol import BoundedSocket
from gateway.checking.authenticate import pepper
from gateway.config import Settings
from gateway.domain import api_keys
from gateway.serving.http import SOCKETS
from gateway.storage.ports import KeyRecord
from gateway.telemetry import Metrics
from gateway.wiring import Gateway, Stopping, open_gateway, open_worker
from gateway.worker.recorder import Recorder

T = TypeVar("T")
Protocols = tuple[type[BoundedHttp], type[BoundedSocket]]

POLICY = """
environments:
  production:
    mode: block
    defaults: {delete: block, payment: require_approval, exec: halt, access: warn, "*": allow}
    fail: {"*": closed}
  staging:
    mode: warn
    defaults: {"*": allow}
    fail: {"*": open}
tools:
  - {match: "files.read", side_effects: [read]}
  - {match: "files.delete", side_effects: [delete]}
  - {match: "shell.run", side_effects: [exec]}
  - {match: "iam.grant", side_effects: [access]}
  - match: "stripe.*"
    side_effects: [payment]
    amount: {pointer: /amount, unit: minor, currency: USD}
    recipients: [/customer]
data: {}
"""
# By name: project, environment, scopes, the ends of its time, the agent it is bound to.
KEYS = {
    "full": ("acme", "production", ("check", "read", "admin"), None, None, None),
    "check": ("acme", "production", ("check",), None, None, None),
    "read": ("acme", "production", ("read",), None, None, None),
    "admin": ("acme", "production", ("admin",), None, None, None),
    "staging": ("acme", "staging", ("check", "read"), None, None, None),
    "bound": ("acme", "production", ("check", "read"), None, None, "support-bot"),
    "expired": ("acme", "production", ("check", "read"), "2020-01-01T00:00:00Z", None, None),
    "revoked": ("acme", "production", ("check", "read"), None, "2020-01-01T00:00:00Z", None),
    "other": ("globex", "production", ("check", "read", "admin"), None, None, None),
}


class Live(Struct, frozen=True, kw_only=True):
    """A gateway that answers: its addresses, its keys by name, and the parts behind it."""

    url: str
    metrics_url: str
    keys: dict[str, str]
    gateway: Gateway
    metrics: Metrics
    stopping: Stopping
    loop: asyncio.AbstractEventLoop
    recording: Recording

    def client(self, key: str | None = "full") -> httpx2.Client:
        """A client with a key of this name, or without any."""
        headers = {} if key is None else {"authorization": f"Bearer {self.keys[key]}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=10)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the gateway's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


class Servers(Struct, frozen=True):
    """A Redis of the tests' own, and a database: its addresses for a gateway and for a worker."""

    redis: str
    gateway: str
    worker: str

    def settings(self, folder: Path) -> dict[str, str]:
        key = folder / "master.key"
        key.write_bytes(secrets.token_bytes(32))
        key.chmod(0o600)
        return {
            "redis_url": self.redis,
            "database_url": self.gateway,
            "master_key_file": str(key),
        }


class Recording(Struct):
    """The recorder's loop, which a test may pause."""

    recorder: Recorder
    paused: bool = False
    pace: float = 0.003

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.paused or not await self.recorder.step():
                await asyncio.sleep(self.pace)


@contextlib.contextmanager
def live_gateway(
    folder: Path,
    *,
    policy: str = POLICY,
    policies: Path | None = None,
    http: type[BoundedHttp] = BoundedHttp,
    sockets: type[BoundedSocket] = BoundedSocket,
    paused: bool = False,
    servers: Servers | None = None,
    **settings: Any,
) -> Iterator[Live]:
    """Serve from a thread of its own until the block ends, under `policy` or a whole folder.

    `paused` begins with a recorder that does not record. With `servers` it stands on these instead
    of a folder's databases.
    """
    if policies is None:
        policies = folder / "policies"
        policies.mkdir()
        (policies / "policy.yaml").write_text(policy)
    where: dict[str, Any] = {} if servers is None else servers.settings(folder)
    given = Settings(
        data=str(folder / "data"),
        policies=str(policies),
        environment="production",
        **where,
        **settings,
    )
    recording = given if servers is None else replace(given, database_url=servers.worker)
    started = threading.Event()
    found: list[Live | BaseException] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        stop.append((loop, ended))
        try:
            async with _opened(given, recording, (http, sockets), paused, ended) as live:
                found.append(live)
                started.set()
                await ended.wait()
        except BaseException as error:
            found.append(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=lambda: uvloop.run(serve()), daemon=True)
    thread.start()
    assert started.wait(30)
    first = found[0]
    if isinstance(first, BaseException):
        thread.join(10)
        raise first
    try:
        yield first
    finally:
        loop, ended = stop[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        assert not thread.is_alive()


@contextlib.asynccontextmanager
async def _opened(
    given: Settings,
    of_worker: Settings,
    protocols: Protocols,
    paused: bool,
    ended: asyncio.Event,
) -> AsyncIterator[Live]:
    metrics, stopping = Metrics(), Stopping()
    async with contextlib.AsyncExitStack() as stack:
        listener, scraped = (stack.enter_context(_listen()) for _ in range(2))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gateway = await stack.enter_async_context(
            open_gateway(given, metrics=metrics, base_url=url, stopping=stopping)
        )
        recorder = (await stack.enter_async_context(open_worker(of_worker))).recorder
        recording = Recording(recorder, paused)
        servers = [_server(app, protocols) for app in (gateway.app, metrics_app(metrics))]
        tasks = [
            asyncio.create_task(servers[0].serve(sockets=[listener])),
            asyncio.create_task(servers[1].serve(sockets=[scraped])),
            asyncio.create_task(recording.run(ended)),
        ]
        while not all(server.started for server in servers):  # noqa: ASYNC110 - uvicorn's flag
            await asyncio.sleep(0.005)
        yield Live(
            url=url,
            metrics_url=f"http://127.0.0.1:{scraped.getsockname()[1]}",
            keys=await _make_keys(gateway),
            gateway=gateway,
            metrics=metrics,
            stopping=stopping,
            loop=asyncio.get_running_loop(),
            recording=recording,
        )
        ended.set()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


async def _make_keys(gateway: Gateway) -> dict[str, str]:
    control = gateway.parts.control
    texts = {}
    for name, (project, environment, scopes, expires, revoked, agent) in KEYS.items():
        text, key_id, _ = api_keys.make(environment)
        await control.add_key(
            KeyRecord(
                id=key_id,
                project_id=await control.project(project),
                environment=environment,
                name=name,
                digest=api_keys.digest(pepper(gateway.master), text),
                scopes=scopes,
                created_at="2026-11-20T12:00:00Z",
                agent_id=agent,
                expires_at=expires,
                revoked_at=revoked,
            )
        )
        texts[name] = text
    await gateway.keys.refresh()
    return texts


class _Server(uvicorn.Server):
    """A server in a thread has no signals to listen to."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: App, protocols: Protocols) -> _Server:
    http, sockets = protocols
    return _Server(
        uvicorn.Config(
            app,
            http=http,
            **{**SOCKETS, "ws": sockets},
            lifespan="off",
            log_level="warning",
            access_log=False,
        )
    )


def _listen() -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def json(response: httpx2.Response) -> Any:
    return msgspec.json.decode(response.content)

"""Real Redis servers for tests: one node, and a cluster of three primaries on loopback.

The binary is Debian's. As root it is installed when it is missing; its daemon stays stopped.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.servers.packages import install

SLOTS = 16384
WAIT_SECONDS = 20.0


def binary() -> str:
    """The path of redis-server."""
    found = shutil.which("redis-server")
    if found is None:
        install("redis-server")
        found = shutil.which("redis-server")
    assert found is not None
    return found


class Server:
    """One redis-server in a folder, on a free port of loopback."""

    def __init__(self, folder: Path, *settings: str, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.variables: dict[str, str] = {}
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Server:
        """Start, also on what an earlier start left, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    binary(),
                    *("--port", str(self.port)),
                    *("--bind", "127.0.0.1"),
                    *("--dir", str(self.folder)),
                    *("--appendonly", "yes"),
                    *("--appendfsync", "always"),
                    *("--save", ""),
                    *("--daemonize", "no"),
                    *self._settings,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.variables},
            )
        self._wait()
        return self

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5)

    def kill(self) -> None:
        """What a power switch does to the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _wait(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                time.sleep(0.02)
        pytest.fail(f"redis-server does not start:\n{(self.folder / 'log').read_text()[-2000:]}")


@contextmanager
def one(folder: Path, *settings: str) -> Iterator[Server]:
    """One server, ended with -9 at the end."""
    server = Server(folder, *settings)
    try:
        yield server.start()
    finally:
        server.kill()


@contextmanager
def in_memory(*settings: str) -> Iterator[Server]:
    """One server whose disk is memory, where there is such a folder: it flushes as always, and no
    flush waits for what others write. For tests that are not about the disk."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="checkrein-redis-", dir=where) as folder,
        one(Path(folder), *settings) as server,
    ):
        yield server


@contextmanager
def cluster(
    folder: Path, nodes: int = 3, *, replica: bool = False, node_timeout_ms: int = 15_000
) -> Iterator[list[Server]]:
    """Primaries that share the slots and know each other; last, a replica of the first one."""
    settings = ("--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms))
    servers = [Server(folder / f"node{number}", *settings) for number in range(nodes + replica)]
    try:
        for server in servers:
            server.start()
        _join(servers[:nodes], servers)
        if replica:
            _follow(servers[-1], servers[0])
        yield servers
    finally:
        for server in servers:
            server.kill()


def free_port() -> int:
    """A free port whose cluster bus port, 10,000 above, is free as well."""
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            if port > 55_000:
                continue
            try:
                bus.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            return port


def _join(primaries: list[Server], servers: list[Server]) -> None:
    share = -(-SLOTS // len(primaries))
    for number, server in enumerate(primaries):
        first, last = number * share, min((number + 1) * share, SLOTS) - 1
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    with servers[0].client() as client:
        for server in servers[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", server.port)
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if all(_whole(server, len(servers)) for server in servers):
            return
        time.sleep(0.05)
    pytest.fail("the Redis cluster does not come together")


def _follow(replica: Server, primary: Server) -> None:
    """Make one a replica of the other, and wait until it has caught up."""
    with replica.client() as client, primary.client() as leading:
        client.execute_command("CLUSTER", "REPLICATE", leading.execute_command("CLUSTER", "MYID"))
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if client.info("replication").get("master_link_status") == "up":
                return
            time.sleep(0.05)
    pytest.fail("the replica does not catch up")


def _whole(server: Server, nodes: int) -> bool:
    with server.client() as client:
        info = client.execute_command("CLUSTER", "INFO")
        text = info if isinstance(info, str) else info.decode() if isinstance(info, bytes) else info
        if isinstance(text, dict):
            state, known = text.get("cluster_state"), text.get("cluster_known_nodes")
            return state == "ok" and int(known or 0) == nodes
        return "cluster_state:ok" in text and f"cluster_known_nodes:{nodes}" in text


@cache
def shared() -> Server:
    """The one server of the whole test session."""
    folder = Path(tempfile.mkdtemp(prefix="checkrein-redis-"))
    running = one(folder)
    server = running.__enter__()
    atexit.register(_end, running, folder)
    return server


@cache
def shared_cluster() -> list[Server]:
    """The one cluster of the whole test session."""
    folder = Path(tempfile.mkdtemp(prefix="checkrein-cluster-"))
    running = cluster(folder)
    servers = running.__enter__()
    atexit.register(_end, running, folder)
    return servers


def _end(running: AbstractContextManager[Any], folder: Path) -> None:
    running.__exit__(None, None, None)
    shutil.rmtree(folder, ignore_errors=True)

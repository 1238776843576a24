"""A scripted gateway on loopback: real HTTP, replies as the test wants them, faults included."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import checkrein
import pytest

Reply = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is what many of these tests are about."""


class Peer:
    """Answers checks with the next reply of `script`, or with `default`; keeps all requests."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.results: list[dict[str, Any]] = []
        self.batches: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.statuses: deque[str] = deque()
        self.script: deque[Reply] = deque()
        self.default: Reply = self.decision("allow")
        self.reports: Reply = self.plain(200, {})
        self.dripped = 0
        self.over = threading.Event()
        self.arrived = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def configure(self, **settings: Any) -> None:
        """Point the SDK here; a generous deadline, unless the test is about deadlines."""
        given = {"url": self.url, "api_key": "test-key", "deadline": 10.0, **settings}
        checkrein.init(**given)

    def answer(self, *replies: Reply) -> None:
        self.script.extend(replies)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events that arrived, in checks and in batches, in order of their numbers."""
        carried = [event for check in self.checks for event in check.get("events", [])]
        return carried + [event for batch in self.batches for event in batch["events"]]

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # Replies

    def decision(self, enforced: Any, **extra: Any) -> Reply:
        """A whole reply; a `block` has a reason, an approval an approval."""

        def reply(handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
            n = len(self.checks)
            reason = {
                "rule": "secret_rule_name",
                "effect": enforced,
                "enforced": enforced,
                "reason": "Too much.",
                "suggestion": "Ask for less.",
                "fields": [],
            }
            body = {
                "decision_id": f"dec_{n}",
                "run_id": check.get("run", {}).get("id", f"run_{n}"),
                "action_id": check.get("action", {}).get("id", ""),
                "seq": n,
                "verdict": enforced,
                "enforced": enforced,
                "mode": "block",
                "reasons": [reason],
                "arguments": None,
                "arguments_digest": None,
                "policy": {"digest": "d", "commit": None},
                "degraded": [],
                "durability": "fsync",
                "elapsed_ms": 0.4,
                "a_field_of_tomorrow": {"x": 1},
                **extra,
            }
            self._send(handler, 200, json.dumps(body).encode())

        return reply

    def plain(self, status: int, body: Any, **headers: str) -> Reply:
        def reply(handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self._send(handler, status, data, headers)

        return reply

    def hang(self, handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
        self.over.wait(30)
        handler.close_connection = True

    def reset(self, handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True

    def not_http(self, handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
        handler.wfile.write(b"\x16\x03\x01\x00 this is not HTTP\r\n\r\n")
        handler.close_connection = True

    def drip(self, handler: BaseHTTPRequestHandler, check: dict[str, Any]) -> None:
        """One byte at a time, headers first: no time-out for a single read ever ends this."""
        handler.close_connection = True
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 10_000:
                handler.wfile.write(bytes([byte]))
                self.dripped += 1
                if self.over.wait(0.02):
                    return

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
    ) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(body)

    def _route(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.headers.append(dict(handler.headers))
        self.bodies.append(body)
        said = json.loads(body) if body else {}
        if handler.path == "/v1/check-action":
            self.checks.append(said)
            self.arrived.set()
            reply = self.script.popleft() if self.script else self.default
            reply(handler, said)
        elif handler.path.startswith("/v1/approvals/"):
            status = self.statuses.popleft()
            self._send(handler, 200, json.dumps({"status": status}).encode())
        else:
            kept = self.batches if handler.path == "/v1/events" else self.results
            before = len(kept)
            kept.append({**said, "path": handler.path})
            self.reports(handler, {"at": before})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                peer._route(self, self.rfile.read(size))

            def do_GET(self) -> None:
                peer._route(self, b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A scripted gateway; the SDK is set to it, in an environment that denies what is unchecked."""
    made = Peer()
    made.configure(environment="production")
    yield made
    checkrein.flush(1.0)
    made.stop()


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real gateway with the shipped packs, in an environment that blocks."""
    pytest.importorskip("gateway.cli")
    command = [sys.executable, "-c", "import sys; from gateway.cli import main; sys.exit(main())"]
    data = str(tmp_path_factory.mktemp("data"))
    options = ["--data", data, "--port", "0", "--metrics-port", "0", "--json"]
    child = subprocess.Popen(
        [*command, "up", "--environment", "production", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    ready = json.loads(child.stdout.readline())
    yield {"CHECKREIN_URL": ready["url"], "CHECKREIN_API_KEY": ready["api_key"]}
    child.terminate()
    child.wait(30)
    child.stdout.close()

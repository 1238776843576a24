"""A real OPA server on a free port of the loopback, for as long as a test wants one."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from socket import create_server

BUILD = Path(__file__).parents[2] / "requirements" / "build-opa"
# Building takes a minute or two, the first time on a machine.
BUILD_SECONDS = 1200
START_SECONDS = 30


def binary() -> str:
    """The path of OPA, built where there is none yet."""
    built = subprocess.run(
        [BUILD], check=False, stdout=subprocess.PIPE, text=True, timeout=BUILD_SECONDS
    )
    assert built.returncode == 0, "OPA could not be built; the message is above"
    return built.stdout.strip()


class OpaServer:
    """An OPA process. Stopped and started again it is empty, under the same address."""

    def __init__(self, *options: str, tls: ssl.SSLContext | None = None) -> None:
        self._binary = binary()
        self._options = options
        self._tls = tls
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        address = f"127.0.0.1:{self.port}"
        options = ["--addr", address, "--log-level", "error", "--skip-version-check"]
        self._process = subprocess.Popen(
            [self._binary, "run", "--server", *options, *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "OPA ended"
            assert time.monotonic() < until, "OPA did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"{self.url}/health", timeout=1, context=self._tls
            ) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def running(*options: str, tls: ssl.SSLContext | None = None) -> Iterator[OpaServer]:
    """A server that is gone afterwards."""
    server = OpaServer(*options, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of the loopback that nobody uses at this moment."""
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

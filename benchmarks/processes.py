"""Servers to measure, as processes of their own, and what the kernel says that they cost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

TICKS = os.sysconf("SC_CLK_TCK")


class Server(Struct, frozen=True):
    """A running server; `key` is None for the floor."""

    url: str
    pid: int
    key: str | None = None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def floor() -> Iterator[Server]:
    """The bare application, on one uvicorn worker."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "benchmarks.floor:app", "--port", str(port)),
        *("--log-level", "error", "--no-access-log", "--loop", "uvloop", "--http", "httptools"),
    ]
    with running(command) as process:
        url = f"http://127.0.0.1:{port}"
        until_up(url, process)
        yield Server(url, process.pid)


@contextmanager
def gateway(
    data: Path, policies: Path, environment: str = "production", intent: str = "off"
) -> Iterator[Server]:
    """`checkrein up`, as a user would start it, with rules alone unless the Intent Guard is on."""
    command = [
        *(str(Path(sys.executable).with_name("checkrein")), "up", "--json", "--port", "0"),
        *("--metrics-port", "0", "--environment", environment),
        *("--data", str(data), "--policies", str(policies)),
    ]
    environ = {name: text for name, text in os.environ.items() if name[:10] != "CHECKREIN_"}
    environ["CHECKREIN_INTENT"] = intent
    with running(command, stdout=subprocess.PIPE, env=environ) as process:
        ready = first_line(process)
        yield Server(ready["url"], process.pid, ready["api_key"])


def first_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What a command says in JSON once it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"it did not start: {process.args!r}")
    ready: dict[str, Any] = json.loads(line)
    return ready


@contextmanager
def running(
    command: list[str],
    stdout: int | None = None,
    stderr: int | None = None,
    env: dict[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, ended in an orderly way."""
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(url, data=b"{}"), timeout=1).close()  # noqa: S310
            return
        time.sleep(0.02)
    raise SystemExit(f"{url} did not come up")


def family(pid: int) -> dict[int, str]:
    """The process and everything below it: pid -> its part (gateway, evaluator, worker)."""
    found = {pid: "gateway"}
    for child in _children(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
        found[child] = "worker" if "gateway.serving.worker" in words else "evaluator"
        for grandchild in _children(child):
            found[grandchild] = found[child]
    return found


def cpu_seconds(pid: int) -> dict[str, float]:
    """User and system time so far, by part."""
    total: dict[str, float] = {}
    for member, part in family(pid).items():
        total[part] = total.get(part, 0.0) + _cpu(member)
    return total


def cpu_of_all(pid: int) -> float:
    """User and system time so far of a server and everything below it, ended children included."""
    return _cpu(pid, ended=True) + sum(map(cpu_of_all, _children(pid)))


def _cpu(pid: int, *, ended: bool = False) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11 : 15 if ended else 13])) / TICKS
    return 0.0


def pss_megabytes(pid: int) -> dict[str, float]:
    """Proportional memory by part."""
    total: dict[str, float] = {}
    for member, part in family(pid).items():
        with suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total[part] = total.get(part, 0.0) + int(line.split()[1]) / 1024
    return total


def _children(pid: int) -> list[int]:
    """Children of any of the process's threads."""
    with suppress(OSError):
        found = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(word) for word in " ".join(found).split()]
    return []

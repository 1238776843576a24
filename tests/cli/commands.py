"""The command as a user starts it: a process with arguments, an environment and a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct

CHECKREIN = (sys.executable, "-m", "gateway.cli")
START_SECONDS = 60
STOP_SECONDS = 30


class Done(Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer. Fails unless standard output is one line of JSON."""
        (only,) = self.out.splitlines()
        return json.loads(only)


class Up(Struct, frozen=True):
    """A gateway that `checkrein up` started."""

    process: subprocess.Popen[str]
    data: Path
    ready: dict[str, Any]

    @property
    def environ(self) -> dict[str, str]:
        """What `up` tells to export."""
        return {"CHECKREIN_URL": self.ready["url"], "CHECKREIN_API_KEY": self.ready["api_key"]}

    def check(self, body: dict[str, Any], key: str | None = None) -> httpx2.Response:
        """Ask about an action."""
        headers = {"authorization": f"Bearer {key or self.ready['api_key']}"}
        url = f"{self.ready['url']}/v1/check-action"
        return httpx2.post(url, json=body, headers=headers, timeout=30, trust_env=False)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the process, and it alone; its exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        code = self.process.wait(STOP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def checkrein(
    *arguments: str | Path, cwd: Path, environ: dict[str, str] | None = None, seconds: int = 120
) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [*CHECKREIN, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"} | (environ or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def up(
    data: Path, *arguments: str, log: Path | None = None, environ: dict[str, str] | None = None
) -> Up:
    """Start a gateway on any free port and wait until it says that it is ready."""
    with (log or data.with_suffix(".log")).open("a") as stderr:
        process = subprocess.Popen(
            [*CHECKREIN, "up", "--data", str(data), "--port", "0", "--json", *arguments],
            cwd=data.parent,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said, (log or data.with_suffix(".log")).read_text()
    return Up(process, data, json.loads(said))


def descendants(pid: int) -> set[int]:
    """The processes below one, read from /proc."""
    found: set[int] = set()
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found |= {child, *descendants(child)}
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether something becomes true before one loses patience."""
    last = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > last:
            return False
        time.sleep(0.05)
    return True

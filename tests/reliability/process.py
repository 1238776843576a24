"""A gateway as its users start it: `checkrein up`, with its worker and evaluators, to be hurt.

The command leads a process group and a session of its own, so that everything it starts can be
found again, also when it is no longer there to ask.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.reliability.wire import Wire

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("checkrein"))
START_SECONDS = 60
STOP_SECONDS = 40


class NotStarted(AssertionError):
    """The gateway ended, or said nothing, instead of becoming ready."""


class GatewayProcess:
    """One data folder, and the gateway processes that work on it one after the other.

    `settings` are those of the gateway, by their names, `variables` whatever else its environment
    should hold. `log` collects what every one of the processes wrote; it lies beside the data
    folder, not in it.
    """

    def __init__(self, data: Path, **settings: object) -> None:
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        self.key = ""
        self.port = 0
        self.started = 0
        self.variables: dict[str, str] = {}
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> GatewayProcess:
        """Start it and wait until it is ready. Raises NotStarted."""
        self.launch()
        return self.wait_ready()

    def launch(self) -> None:
        """Start it without waiting: on any free port at first, on the same one ever after."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**environ(self._settings), **self.variables},
                start_new_session=True,
            )
        self._sessions.add(self.pid)
        self.started += 1

    def command(self) -> list[str]:
        """What is run; `log` and `environ` belong to it."""
        metrics_port = str(self._settings.get("metrics_port", 0))
        where = ["--port", str(self.port), "--metrics-port", metrics_port]
        return [COMMAND, "up", "--json", "--data", str(self.data), *where]

    def wait_ready(self) -> GatewayProcess:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        ready = json.loads(line) if line else {}
        if "url" not in ready:
            raise NotStarted(f"exit code {self._process.wait()}, {ready}\n{self.tail()}")
        self.port = int(ready["url"].rpartition(":")[2])
        self.key = ready["api_key"] or self.key
        return self

    def stop(self) -> int:
        """SIGTERM, and the exit code. What does not end by itself is killed and is a failure."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            raise
        self._close()
        return code

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9 of the gateway alone; its children find out for themselves."""
        self.signal(signal.SIGKILL)
        self.wait()

    def kill_group(self) -> None:
        """kill -9 of the gateway and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def members(self) -> dict[int, str]:
        """What is alive of all that was ever started here: pid -> gateway, worker, evaluator."""
        found = {}
        for pid, session in sessions():
            if session in self._sessions:
                found[pid] = "gateway" if pid in self._sessions else _part(pid)
        return found

    def traced(self) -> list[int]:
        """Whose system calls count."""
        return [self.pid]

    def pids(self, part: str) -> list[int]:
        return sorted(pid for pid, found in self.members().items() if found == part)

    def signal_all(self, part: str, number: int) -> int:
        """Send a signal to every process of a part; how many there were."""
        pids = self.pids(part)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(pids)

    def resident_megabytes(self) -> float:
        """Of the gateway process itself."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the gateway is not there")

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        while left := self.members():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._process is not None:
                self._process.wait()
            time.sleep(0.01)
        self._close()

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


def environ(settings: dict[str, object]) -> dict[str, str]:
    """An environment with these settings of the gateway, and with no others."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("CHECKREIN_")}
    return {**kept, **{f"CHECKREIN_{name.upper()}": str(text) for name, text in settings.items()}}


def checkrein(*words: str, code: int = 0) -> str:
    """What the command prints. It must end with this exit code."""
    done = subprocess.run(
        [COMMAND, *words], capture_output=True, check=False, cwd=ROOT, env=environ({}), timeout=120
    )
    assert done.returncode == code, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done.stdout.decode()


def make_key(running: GatewayProcess, environment: str) -> str:
    """An API key of an environment, once the gateway has learned of it."""
    where = ("--data", str(running.data), "--json")
    key: str = json.loads(checkrein("keys", "create", "--environment", environment, *where))[
        "api_key"
    ]
    wire = Wire(running.port, key)
    until(lambda: wire.get("/v1/runs").status == 200, 20, "the new key is known")
    wire.close()
    return key


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something that takes its time; generous, because the machine is anybody's."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.02)


def sessions() -> Iterator[tuple[int, int]]:
    """(pid, session) of every process that is not a zombie."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                yield int(folder.name), int(fields[3])


def _part(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"gateway.serving.worker" in words:
            return "worker"
        if b"engines/embedded/child.py" in words:
            return "evaluator"
    return "other"

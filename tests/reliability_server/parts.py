"""One part of an installation as its users start it, `checkrein serve` or `checkrein work`: to be
killed, stopped, and started again where it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.reliability.process import COMMAND, ROOT, sessions

STOP_SECONDS = 60


class Part:
    """A command, and the processes that ran it one after the other.

    Each leads a session of its own, so that everything it started can be found again. `told` is the
    line with which the last one said that it is ready; `log` collects what all of them wrote.
    """

    def __init__(self, environ: dict[str, str], log: Path, *command: str) -> None:
        self.variables = environ
        self.log = log
        self.told: dict[str, Any] = {}
        self.started = 0
        self._command = [COMMAND, *command, "--json"]
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: set[int] = set()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=self.variables,
                start_new_session=True,
            )
        self._sessions.add(self.pid)
        self.started += 1
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"exit code {self._process.wait()}\n{self.tail()}"
        self.told = json.loads(line)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9 of the process alone; its children find out for themselves."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        code = self._process.wait(STOP_SECONDS)
        self._close()
        return code

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def resident_megabytes(self) -> float:
        """Of the process itself, without its children."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the process is not there")

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""

    def end(self) -> None:
        """Leave nothing behind, whatever state it is in."""
        while left := [pid for pid, session in sessions() if session in self._sessions]:
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

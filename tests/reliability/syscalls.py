"""What running processes ask of the kernel, in order: by strace, or by a preloaded library.

Both tell three things apart: `written`, a write to the log that has returned; `synced`, a flush of
it that has returned; `answered`, a response that is about to be written to a socket. The log is the
journal's, or a file whose name ends in another way; it may be of another process than the response.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.reliability.process import until

Calls = Callable[[], list[str]]
JOURNAL = "journal.db-wal"


class Traced(Protocol):
    """What is looked at: not started yet, and started with these variables in its environment."""

    variables: dict[str, str]

    def start(self) -> object: ...

    def traced(self) -> list[int]:
        """The processes whose calls count."""
        ...


_ANSWER = "HTTP/1.1 200 OK"[:15]
_TRACED = "write,writev,pwrite64,sendto,sendmsg,fsync,fdatasync"


@contextmanager
def by_strace(running: Traced, folder: Path, log: str = JOURNAL) -> Iterator[Calls]:
    """Attach to what runs. Skips where strace is missing or tracing is not permitted."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    running.start()
    trace = folder / "trace"
    options = ["-f", "-y", "-s", "64", "-e", f"trace={_TRACED}", "-o", str(trace)]
    pids = running.traced()
    for pid in pids:
        options += ["-p", str(pid)]
    with subprocess.Popen([strace, *options], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        for _ in pids:
            said = tracer.stderr.readline().decode()
            if "attached" not in said:
                pytest.skip(f"tracing is not permitted here: {said.strip()}")
        try:
            yield lambda: list(_of_strace(trace.read_text("utf-8", "replace"), log))
        finally:
            tracer.send_signal(signal.SIGINT)


def _of_strace(trace: str, log: str) -> Iterator[str]:
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        resumed = "resumed>" in call
        name = begun.pop(thread, "") if resumed else _name(call, log)
        if not name or (resumed and name == "answered"):
            continue
        if "<unfinished" in call:
            begun[thread] = name
            if name != "answered":
                continue
        yield name


def _name(call: str, log: str) -> str:
    if re.match(rf"(write|pwrite64)\(\d+<[^>]*{re.escape(log)}>", call):
        return "written"
    if re.match(rf"f(data)?sync\(\d+<[^>]*{re.escape(log)}>", call):
        return "synced"
    if re.match(r"\w+\(\d+<(socket|TCP)", call) and _ANSWER in call:
        return "answered"
    return ""


@contextmanager
def by_preload(running: Traced, folder: Path, log: str = JOURNAL) -> Iterator[Calls]:
    """Start it with a library before libc. Skips where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library, notes = folder / "preload.so", folder / "notes"
    made = subprocess.run(
        [
            compiler,
            "-shared",
            "-fPIC",
            "-o",
            str(library),
            str(Path(__file__).with_name("preload.c")),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"the library cannot be compiled: {made.stderr.decode()[-300:]}")
    running.variables |= {"LD_PRELOAD": str(library), "PRELOAD_NOTES": str(notes)}
    running.start()
    until(notes.exists, 10, "the first note")
    pids = {str(pid) for pid in running.traced()}
    yield lambda: list(_of_notes(notes.read_text("utf-8", "replace"), pids, log))


def _of_notes(notes: str, pids: set[str], log: str) -> Iterator[str]:
    for line in notes.splitlines():
        process, _, call = line.partition(" ")
        if process not in pids:
            continue
        if log in call:
            yield "synced" if "sync" in call.split()[0] else "written"
        elif _ANSWER in call:
            yield "answered"

"""The worker as a process of its own, a child of the gateway's.

    SIGTERM          record what is in the journal, for some seconds at most, then exit
    end of stdin     the parent is gone: record all it left in the journal, then exit
    stdout           once a second a line of JSON: what was recorded since the line before

When stdin and stdout are not pipes there is no parent: the first is not read, the second not
written.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import stat
import sys
from collections.abc import Callable

import msgspec

from gateway.errors import StorageFailure
from gateway.telemetry import logger
from gateway.worker.auditing import Auditor
from gateway.worker.growing import Grower
from gateway.worker.recorder import Figures, Recorder
from gateway.worker.witnessing import Witnessing

REPORT_SECONDS = 1.0
DRAIN_SECONDS = 10.0
# The gateway answers agents; the worker only has to keep up. It gives way when both want the CPU.
NICENESS = 5

_log = logger("worker")


async def record_until_told(
    recorder: Recorder,
    auditor: Auditor | None = None,
    on_ready: Callable[[], None] | None = None,
    grower: Grower | None = None,
    witnessing: Witnessing | None = None,
) -> None:
    """Record, and verify beside it, until SIGTERM or the end of stdin.

    `on_ready` is called when it can be told to stop: whoever hears it may do so at once.
    """
    loop = asyncio.get_running_loop()
    stop, orphaned = asyncio.Event(), asyncio.Event()
    child = _is_pipe(sys.stdin.fileno())
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Control-C reaches the whole group; a child leaves it to the parent, which closes stdin.
    loop.add_signal_handler(signal.SIGINT, _ignore if child else stop.set)
    if child:
        os.set_blocking(sys.stdin.fileno(), False)
        loop.add_reader(sys.stdin.fileno(), _watch_stdin, orphaned, stop)
    if on_ready is not None:
        on_ready()
    reports = _Reports(recorder)
    reporting = asyncio.create_task(reports.run())
    loops = (auditor, grower, witnessing)
    beside = [asyncio.create_task(each.run(stop)) for each in loops if each]
    try:
        await recorder.run(stop)
        await recorder.drain(math.inf if orphaned.is_set() else DRAIN_SECONDS)
    except StorageFailure as failure:
        _log.error("records_left_in_journal", problem=str(failure))
    finally:
        for task in (reporting, *beside):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        reports.write()


def give_way() -> None:
    """Let the gateway go first."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


def _watch_stdin(orphaned: asyncio.Event, stop: asyncio.Event) -> None:
    with contextlib.suppress(BlockingIOError):
        if os.read(sys.stdin.fileno(), 4096):
            return
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        orphaned.set()
        stop.set()


class _Reports:
    """Lines for the parent. When nobody reads, one is left out and the next says it all."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._said = Figures()
        self._descriptor = sys.stdout.fileno()
        self._wanted = _is_pipe(self._descriptor)
        if self._wanted:
            os.set_blocking(self._descriptor, False)

    async def run(self) -> None:
        while self._wanted:
            self.write()
            await asyncio.sleep(REPORT_SECONDS)

    def write(self) -> None:
        if not self._wanted:
            return
        now = self._recorder.figures.copy()
        news = now.since(self._said)
        with contextlib.suppress(OSError):
            os.write(self._descriptor, msgspec.json.encode(news) + b"\n")
            self._said = now


def _is_pipe(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        mode = os.fstat(descriptor).st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return False


def _ignore() -> None:
    """A signal that is somebody else's business."""

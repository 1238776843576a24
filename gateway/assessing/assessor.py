"""Two assessor processes: one answers, one waits with the same version to take its place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from gateway.assessing import child
from gateway.assessing.asking import Asking, Canary, Trouble, assessing, trying_canaries
from gateway.assessing.limits import Evaluated, Limits
from gateway.children.process import Ask, Process, Start
from gateway.errors import ConfigInvalid, EngineUnavailable
from gateway.intent.assessment import Assessment
from gateway.intent.evidence import Evidence

PAUSES: Final = (0.0, 0.05, 0.2, 1.0, 2.0)

_encoder: Final = msgspec.msgpack.Encoder()
_log = structlog.get_logger()


class ChildAssessor:
    """Answers from a child process, so that no text can hold the gateway up or take it down.

    Of what a process leaves unanswered when it ends, only the first can be what it ended over:
    that one has no assessment, the others are asked again. `on_failed` hears of each failure,
    `on_replaced` of each serving process that had to be replaced.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        evaluated: Evaluated | None = None,
        *,
        on_failed: Callable[[Trouble], object] = lambda _: None,
        on_replaced: Callable[[], object] = lambda: None,
    ) -> None:
        self._limits = limits or Limits()
        self._how = _how_to_start(self._limits, evaluated or Evaluated())
        self._on_failed = on_failed
        self._on_replaced = on_replaced
        self._version: str | None = None
        self._serving: Process | None = None
        self._spare: Process | None = None
        self._waiting: deque[Asking[Any]] = deque()
        self._held = 0
        self._filling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired: set[Process] = set()
        self._closed = False

    async def start(self) -> None:
        """Load the version. Raises ConfigInvalid with the evaluator's own words when it cannot."""
        process = Process(self._how, self._on_end, self._on_tired)
        try:
            version = (await process.start()).decode()
        except EngineUnavailable as error:
            self._closed = True
            process.kill()
            await process.cause()
            raise ConfigInvalid(f"The Intent Guard cannot be loaded: {error}") from error
        self._version = version
        self._welcome(process)
        self._fill()

    @property
    def version(self) -> str:
        assert self._version is not None, "start() comes first"
        return self._version

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the processes that are ready, the serving one first."""
        return tuple(process.pid for process in self._processes())

    async def assess(self, evidence: Evidence) -> Assessment | None:
        try:
            payload = _encoder.encode(evidence)
        except (OverflowError, RecursionError, TypeError):
            # A number that the wire does not hold, say.
            self._on_failed("error")
            return None
        done: asyncio.Future[Assessment | Trouble] = asyncio.get_running_loop().create_future()
        self._submit(assessing(payload, self._limits.wall, done))
        said = await done
        if isinstance(said, str):
            self._on_failed(said)
            return None
        if said.version != self._version:
            self._on_failed("malformed")
            return None
        return said

    async def canaries(self) -> list[Canary] | None:
        """The planted cases, and what the serving process says of them; None when it cannot."""
        done: asyncio.Future[list[Canary] | Trouble] = asyncio.get_running_loop().create_future()
        self._submit(trying_canaries(self._limits.canary_wall, done))
        said = await done
        return None if isinstance(said, str) else said

    async def close(self) -> None:
        """End both processes and wait for them; whatever is unanswered is `unavailable`."""
        self._closed = True
        if self._filling is not None:
            await asyncio.gather(self._filling, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().fail("unavailable")
        for process in self._processes():
            process.kill()
        while self._serving or self._spare or self._tasks:
            await asyncio.gather(*self._tasks)
            await asyncio.sleep(0)

    def _submit(self, asking: Asking[Any]) -> None:
        """Ask; `asking.done` is set in any case."""
        held = self._serving.waiting_bytes if self._serving else self._held
        if self._closed or held + len(asking.payload) > self._limits.waiting_bytes:
            asking.fail("unavailable")
        elif self._serving is not None:
            self._serving.send(asking)
        else:
            self._held += len(asking.payload)
            self._waiting.append(asking)
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.wait_wall, self._give_up, asking)
            self._fill()

    def _give_up(self, asking: Asking[Any]) -> None:
        if asking in self._waiting:
            self._waiting.remove(asking)
            self._held -= len(asking.payload)
            asking.fail("unavailable")

    def _processes(self) -> list[Process]:
        return [process for process in (self._serving, self._spare) if process is not None]

    def _fill(self) -> None:
        if self._filling is None and not self._closed:
            self._filling = asyncio.get_running_loop().create_task(self._start_missing())

    async def _start_missing(self) -> None:
        """Start processes until there are two; what cannot start is tried again, ever slower."""
        failures = 0
        while not self._closed and (self._serving is None or self._spare is None):
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            process = Process(self._how, self._on_end, self._on_tired)
            try:
                version = (await process.start()).decode()
            except EngineUnavailable:
                failures += 1
                process.kill()
                continue
            if version == self._version:
                failures = 0
                self._welcome(process)
            else:
                # Its files changed under a running gateway: two versions must not take turns.
                _log.error("assessor_refused", found=version, wanted=self._version)
                failures += 1
                self._retire(process)
        self._filling = None

    def _welcome(self, process: Process) -> None:
        if self._serving is not None:
            self._spare = process
            return
        self._serving = process
        waiting, self._waiting, self._held = self._waiting, deque(), 0
        for asking in waiting:
            self._submit(asking)

    def _on_end(self, process: Process) -> None:
        pending = process.take()
        self._step_back(process)
        self._do(self._bury(process, pending[0] if pending else None))
        self._again(pending[1:])

    def _on_tired(self, process: Process) -> None:
        """It is only too large: nobody is to blame, and it can stay until there is another."""
        if process is self._serving and self._spare is not None:
            pending = process.take()
            self._step_back(process)
            self._retire(process)
            self._again(pending)

    def _retire(self, process: Process) -> None:
        self._retired.add(process)
        process.kill()

    def _step_back(self, process: Process) -> None:
        if process is self._serving:
            self._serving, self._spare = self._spare, None
            if not self._closed:
                self._on_replaced()
        elif process is self._spare:
            self._spare = None
        self._fill()

    async def _bury(self, process: Process, guilty: Ask | None) -> None:
        cause = await process.cause()
        if process in self._retired:
            self._retired.discard(process)
        elif not self._closed:
            _log.warning("assessor_ended", cause=cause, assessing=guilty is not None)
        if isinstance(guilty, Asking):
            guilty.fail(cause)

    def _again(self, requests: list[Ask]) -> None:
        for request in requests:
            if isinstance(request, Asking):
                self._submit(request)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _how_to_start(limits: Limits, evaluated: Evaluated) -> Start:
    numbers = (
        limits.memory_bytes,
        limits.resident_bytes,
        limits.reply_bytes,
        limits.cpu,
        limits.canary_cpu,
    )
    return Start(
        script=Path(child.__file__),
        modules=("msgspec", "gateway"),
        arguments=(*map(str, numbers), evaluated.module, evaluated.version or ""),
        reply_bytes=limits.reply_bytes,
        wall=limits.start_wall,
        folders=(evaluated.folder,) if evaluated.folder else (),
    )

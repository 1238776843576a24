"""Two evaluators: one answers, one waits with the same engines to take its place at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from gateway.children.process import Ask, Process
from gateway.engines.embedded import child
from gateway.engines.embedded.limits import Limits
from gateway.engines.embedded.requests import Evaluation, Order, Prepared
from gateway.engines.embedded.starting import how_to_start
from gateway.errors import EngineUnavailable

# Rules over which so many processes ended in a row, while preparing them, rest for a while.
PREPARE_DEATHS_MAX: Final = 3
BAN_SECONDS: Final = 2.0
PAUSES: Final = (0.0, 0.05, 0.2, 1.0, 2.0)

_log = structlog.get_logger()


class Pool:
    """Keeps two processes, prepares engines in both, and tries innocent evaluations again."""

    def __init__(self, limits: Limits, on_replaced: Callable[[], None]) -> None:
        self._limits = limits
        self._on_replaced = on_replaced
        self._serving: Process | None = None
        self._spare: Process | None = None
        self._waiting: deque[Evaluation] = deque()
        self._held = 0
        self._prepared: dict[int, Prepared] = {}
        self._filling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired: set[Process] = set()
        self._closed = False

    async def start(self) -> None:
        """Wait until an evaluator answers. Raises EngineUnavailable."""
        if self._serving is None:
            self._fill()
        deadline = asyncio.get_running_loop().time() + self._limits.start_wall
        while self._serving is None:
            if self._closed or asyncio.get_running_loop().time() > deadline:
                raise EngineUnavailable("no evaluator could be started")
            await asyncio.sleep(0.005)

    def submit(self, evaluation: Evaluation) -> None:
        """Put a frame to its rules; `evaluation.done` is set in any case."""
        process, prepared = self._serving, evaluation.prepared
        if self._closed or self._is_full(evaluation):
            evaluation.fail("unavailable")
        elif prepared.banned_until and self._is_banned(prepared):
            evaluation.fail("crash")
        elif process is None:
            self._wait(evaluation)
        else:
            self._prepare(process, prepared)
            process.send(evaluation)
            if prepared.dropped:
                self.drop(prepared)

    def keep(self, prepared: Prepared) -> None:
        """Prepare these rules in every evaluator from now on."""
        self._prepared[prepared.key] = prepared
        for process in self._processes():
            self._prepare(process, prepared)

    def drop(self, prepared: Prepared) -> None:
        """Forget these rules everywhere; evaluations under way are answered all the same."""
        prepared.dropped = True
        self._prepared.pop(prepared.key, None)
        for process in self._processes():
            if prepared.key in process.known:
                process.known.discard(prepared.key)
                process.send(self._order(child.DROP, prepared.key))

    def forget(self, base: int) -> None:
        """Forget the data of a policy whose rules were all dropped."""
        for process in self._processes():
            if base in process.bases:
                process.bases.discard(base)
                process.send(self._order(child.FORGET, base))

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

    @property
    def pids(self) -> tuple[int, ...]:
        """The evaluators that are ready, the serving one first."""
        return tuple(process.pid for process in self._processes())

    def _processes(self) -> list[Process]:
        return [process for process in (self._serving, self._spare) if process is not None]

    def _is_full(self, evaluation: Evaluation) -> bool:
        held = self._serving.waiting_bytes if self._serving else self._held
        return held + len(evaluation.payload) > self._limits.waiting_bytes

    def _prepare(self, process: Process, prepared: Prepared) -> None:
        if prepared.key in process.known:
            return
        if prepared.base not in process.bases:
            process.bases.add(prepared.base)
            process.send(self._order(child.BASE, prepared.base, prepared.data, prepared))
        process.known.add(prepared.key)
        process.send(self._order(child.PREPARE, prepared.key, prepared.modules, prepared))

    def _order(
        self, operation: int, key: int, payload: bytes = b"", prepared: Prepared | None = None
    ) -> Order:
        return Order(operation, key, payload, self._limits.prepare_wall, prepared)

    def _wait(self, evaluation: Evaluation) -> None:
        """Hold an evaluation until there is a process, or until it is no use waiting."""
        self._held += len(evaluation.payload)
        self._waiting.append(evaluation)
        asyncio.get_running_loop().call_later(self._limits.wait_wall, self._give_up, evaluation)
        self._fill()

    def _give_up(self, evaluation: Evaluation) -> None:
        if evaluation in self._waiting:
            self._waiting.remove(evaluation)
            self._held -= len(evaluation.payload)
            evaluation.fail("unavailable")

    def _fill(self) -> None:
        if self._filling is None and not self._closed:
            self._filling = asyncio.get_running_loop().create_task(self._start_missing())

    async def _start_missing(self) -> None:
        """Start processes until there are two; what cannot start is tried again, ever slower."""
        failures = 0
        while not self._closed and (self._serving is None or self._spare is None):
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            process = Process(how_to_start(self._limits), self._on_end, self._on_tired)
            try:
                await process.start()
            except EngineUnavailable:
                failures += 1
            else:
                failures = 0
                self._welcome(process)
        self._filling = None

    def _welcome(self, process: Process) -> None:
        for prepared in self._prepared.values():
            if not self._is_banned(prepared):
                self._prepare(process, prepared)
        if self._serving is not None:
            self._spare = process
            return
        self._serving = process
        waiting, self._waiting, self._held = self._waiting, deque(), 0
        for evaluation in waiting:
            self.submit(evaluation)

    def _on_end(self, process: Process) -> None:
        """Of what it left unanswered, only the first can be what it died of."""
        pending = process.take()
        self._step_back(process)
        guilty = pending[0] if pending else None
        if isinstance(guilty, Order):
            self._blame_order(guilty)
        self._do(self._bury(process, guilty))
        self._again(pending[1:])

    def _on_tired(self, process: Process) -> None:
        """It is only too large: nobody is to blame, and it can stay until there is another."""
        if process is self._serving and self._spare is not None:
            _log.info("evaluator_retired", cause="memory")
            pending = process.take()
            self._retired.add(process)
            self._step_back(process)
            process.kill()
            self._again(pending)

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
            _log.warning("evaluator_ended", cause=cause, evaluating=isinstance(guilty, Evaluation))
        if isinstance(guilty, Evaluation) and guilty.blame(cause):
            self.submit(guilty)

    def _blame_order(self, order: Order) -> None:
        if (prepared := order.prepared) is not None:
            prepared.deaths += 1
            if prepared.deaths >= PREPARE_DEATHS_MAX:
                prepared.deaths = 0
                prepared.banned_until = asyncio.get_running_loop().time() + BAN_SECONDS

    def _is_banned(self, prepared: Prepared) -> bool:
        return prepared.banned_until > asyncio.get_running_loop().time()

    def _again(self, requests: list[Ask]) -> None:
        for request in requests:
            if isinstance(request, Evaluation):
                self.submit(request)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

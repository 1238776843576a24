"""The worker as a child of the gateway: started, watched, started again, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.config import PREFIX, Settings, as_environment
from gateway.telemetry import Metrics, logger

RESTART_SECONDS = 0.5
STOP_SECONDS = 15


class _Figures(Struct, frozen=True):
    """One line of the worker's report: what it did since the line before."""

    unreadable: int = 0
    audited: int = 0
    broken: int = 0
    checkpoints: dict[str, int] = {}
    witnessed_at: float = 0.0


class WorkerChild:
    """`python -m gateway.serving.worker`. It ends by itself when this process is gone."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        # What the settings leave out they leave out on purpose.
        clean = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        # A worker asks no model, so it is not told the keys.
        without = replace(settings, reexecute_openai_key=None, reexecute_anthropic_key=None)
        self._environ = {**clean, **as_environment(without)}
        self._metrics = metrics
        self._process: asyncio.subprocess.Process | None = None
        self._log = logger("worker_child")
        self._line = msgspec.json.Decoder(_Figures)

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.serving.worker"),
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Read its figures; when it dies before the end, start another."""
        while not stop.is_set():
            assert self._process is not None
            ended = asyncio.create_task(self._follow(self._process))
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait([ended, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if stop.is_set():
                ended.cancel()
                return
            self._log.error("worker_died", code=self._process.returncode)
            await asyncio.sleep(RESTART_SECONDS)
            await self.start()

    async def stop(self) -> None:
        """Ask it to finish what is there, and wait; in the end without asking."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        # At the end of its input it records what the journal still holds; SIGTERM would not let it.
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        broken = 0
        while line := await process.stdout.readline():
            with contextlib.suppress(msgspec.MsgspecError):
                figures = self._line.decode(line)
                self._metrics.unreadable.inc(figures.unreadable)
                self._metrics.witnessed(figures.checkpoints, figures.witnessed_at)
                broken += figures.broken
                if figures.audited:
                    self._metrics.chain_ok.set(0 if broken else 1)
        await process.wait()

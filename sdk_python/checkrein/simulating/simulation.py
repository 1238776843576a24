"""`simulate`: everything that is put in place for a simulation, and put back at its end."""

from __future__ import annotations

import asyncio
import datetime as datetimes
import itertools
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from checkrein import _replaying, _runtime
from checkrein import _run as runs
from checkrein._flow import drive, drive_async
from checkrein._inside import inside
from checkrein._runtime import Runtime
from checkrein._settings import Settings, load
from checkrein._tool import Tool
from checkrein.simulating import telling
from checkrein.simulating.errors import NotReplayable
from checkrein.simulating.leaving import Leaving
from checkrein.simulating.model_calls import ModelAnswer, ModelCalls
from checkrein.simulating.outputs import Codecs, Outputs
from checkrein.simulating.pinning import Clock, Pinning
from checkrein.simulating.recording import Recording, from_file, from_gateway
from checkrein.simulating.report import Report
from checkrein.simulating.serving import Serving
from checkrein.simulating.stilled import Stilled

FLUSH_SECONDS = 10.0
SUFFIX = ".json"
_turn = threading.Lock()

Source = str | os.PathLike[str] | Recording
ClockOf = Literal["recorded"] | datetimes.datetime | int


class Simulation:
    """One simulation. Use as `with` or `async with`; made by `simulate(...)`.

    `recording` is what is played, `report` what came of it so far, and in the end.
    """

    def __init__(
        self,
        source: Source,
        live: Sequence[str],
        clock: ClockOf | None,
        seed: int | None,
        codecs: Codecs,
        patience: float,
    ) -> None:
        self._source, self._live = source, frozenset(live)
        self._clock, self._seed = clock, seed
        self._codecs, self._patience = codecs, patience
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._recording: Recording | None = None
        self._leaving: Leaving | None = None
        self._pinning: Pinning | None = None
        self._serving: Serving | None = None
        self._models: ModelCalls | None = None

    @property
    def recording(self) -> Recording:
        """What is played."""
        if self._recording is None:
            raise RuntimeError("the simulation has not begun")
        return self._recording

    @property
    def report(self) -> Report:
        """The comparison, of what was made until now."""
        refused = self._leaving.refused if self._leaving else ()
        pinned = self._pinning.told if self._pinning else ()
        return telling.report(
            self.recording,
            self._served.asked,
            self._asked_models.asked,
            telling.outside(refused, pinned),
        )

    def __enter__(self) -> Simulation:
        self._load()
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    async def __aenter__(self) -> Simulation:
        await asyncio.to_thread(self._load)
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # What the guards ask for

    def function(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a plain function."""
        served = self._served
        asked = served.ask(tool, args, kwargs, next(self._numbers))
        if not served.runs_live(asked):
            return drive(served.serve(asked))
        try:
            with inside(asked.body):
                output = tool.fn(*asked.bound.args, **asked.bound.kwargs)
        except BaseException as error:
            served.failed(asked, error)
            raise
        served.came(asked, output)
        return output

    async def coroutine(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a coroutine."""
        served = self._served
        asked = served.ask(tool, args, kwargs, next(self._numbers))
        if not served.runs_live(asked):
            return await drive_async(served.serve(asked))
        try:
            with inside(asked.body):
                output = await tool.fn(*asked.bound.args, **asked.bound.kwargs)
        except BaseException as error:
            served.failed(asked, error)
            raise
        served.came(asked, output)
        return output

    def generator(
        self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Generator[Any, Any, Any]:
        """A call of a generator: the items that it gave. It is never live."""
        served = self._served
        asked = served.ask(tool, args, kwargs, next(self._numbers))
        yield from drive(served.serve(asked, items=True))
        if served.cut(asked):
            raise _no_more(tool)

    async def async_generator(
        self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> AsyncGenerator[Any, Any]:
        """A call of an asynchronous generator."""
        served = self._served
        asked = served.ask(tool, args, kwargs, next(self._numbers))
        for item in await drive_async(served.serve(asked, items=True)):
            yield item
        if served.cut(asked):
            raise _no_more(tool)

    def noted(self, kind: str, fields: Mapping[str, Any]) -> None:
        """What the agent observes goes nowhere; a model call is compared with the recorded ones."""
        if kind == "model_call":
            self._asked_models.noted(fields, self._served.place(), next(self._numbers))

    def model_answer(self, request: Mapping[str, Any]) -> ModelAnswer:
        """The recorded answer of a model."""
        return self._asked_models.answer(request, self._served.place(), next(self._numbers))

    def runtime(self, settings: Settings) -> Runtime:
        """What the SDK has in a simulation, also when the agent calls `init`."""
        return Stilled(settings)

    @property
    def _served(self) -> Serving:
        if self._serving is None:
            raise RuntimeError("the simulation has not begun")
        return self._serving

    @property
    def _asked_models(self) -> ModelCalls:
        if self._models is None:
            raise RuntimeError("the simulation has not begun")
        return self._models

    def _load(self) -> None:
        """The recording, before anything is shut: it may be the gateway's to give."""
        if self._serving is not None:
            raise RuntimeError("a simulation is entered once")
        _only_one()
        source = self._source
        if isinstance(source, Recording):
            self._recording = source
        elif isinstance(source, os.PathLike) or source.endswith(SUFFIX) or Path(source).is_file():
            self._recording = from_file(source)
        else:
            # What was done in this very process may still be on its way into the record.
            runs.flush(FLUSH_SECONDS)
            self._recording = from_gateway(_runtime.current().wire, source)

    def _begin(self) -> None:
        recording = self.recording
        clock = None
        if self._clock is not None:
            begin = None if self._clock == "recorded" else self._clock
            assert not isinstance(begin, str)
            clock = Clock(recording.run.started_at, begin)
        outputs = Outputs(self._codecs)
        self._serving = Serving(recording, outputs, self._live, self._patience, clock)
        self._models = ModelCalls(recording)
        with ExitStack() as stack:
            stack.callback(self._activate())
            self._leaving = Leaving(_outboxes())
            stack.callback(self._leaving.open)
            self._leaving.shut()
            self._pinning = Pinning(clock, self._seed)
            stack.callback(self._pinning.release)
            self._pinning.hold()
            self._stack = stack.pop_all()

    def _activate(self) -> Callable[[], None]:
        """Take the gateway's place; the way back is returned."""
        settings = load(os.environ)[0]
        with _turn:
            _only_one()
            former = _runtime.exchange(None)
            _replaying.active = self
        _runtime.exchange(Stilled(former.settings if former else settings))

        def back() -> None:
            with _turn:
                _replaying.active = None
                _runtime.exchange(former)

        return back


def _only_one() -> None:
    if _replaying.active is not None:
        raise RuntimeError("a simulation is under way already; there is one at a time")


def _outboxes() -> frozenset[int]:
    """Threads that still send what was queued before the simulation."""
    return frozenset(
        thread.ident
        for thread in threading.enumerate()
        if thread.name == "checkrein-outbox" and thread.ident is not None
    )


def _no_more(tool: Tool) -> NotReplayable:
    return NotReplayable(f"The recording holds no more items of {tool.name}.", "output cut")

"""The outcome of a recorded call, in the place of the tool's body.

Results that overlapped arrive in the order in which they were recorded to end: one that ended later
waits for those that ended before it, as long as the agent may still make them. It waits at most
`patience` seconds in which nothing else happens: then the agent does not make them any more.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from bisect import bisect_left, bisect_right
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from checkrein import _runtime
from checkrein._errors import Blocked, Halted
from checkrein._flow import Flow, Pause
from checkrein._inside import Body, body
from checkrein._masking import Tokens
from checkrein._plain import Plainer
from checkrein._run import Run, current_run, current_turn
from checkrein._tool import Tool
from checkrein.simulating import matching
from checkrein.simulating.aligning import Entry
from checkrein.simulating.errors import NotReplayable, recorded_error
from checkrein.simulating.matching import How, Made
from checkrein.simulating.outputs import Outputs
from checkrein.simulating.recording import RecordedCall, Recording, decision_for
from checkrein.simulating.stopping import stop
from checkrein.simulating.tokens import Difference, differences

POLL_SECONDS = 0.0005
_OURS = str(Path(__file__).parents[1])


def caller() -> tuple[str | None, int | None]:
    """Where the code is that called into here: the first frame that is not the SDK's."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to ask for it
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return (None, None) if frame is None else (frame.f_code.co_filename, frame.f_lineno)


class Reached(Protocol):
    """What follows the record as it is served."""

    def reach(self, moment: str | None) -> None: ...


class Asked:
    """A guarded call that is made now, and the recorded one that answers it."""

    def __init__(
        self,
        tool: Tool,
        bound: inspect.BoundArguments,
        run: Run | None,
        masked: Any,
        at: int,
        how: How,
    ) -> None:
        self.tool, self.bound, self.run = tool, bound, run
        self.masked, self.at, self.how = masked, at, how
        self.order = 0
        self.why: str | None = None
        self.assumed = self.live = False
        self.different: tuple[Difference, ...] = ()
        self.cost: tuple[int, str] | None = None
        self.body = Body(None)
        self.file, self.line = caller()

    @property
    def entry(self) -> Entry:
        """As the comparison at the end has it."""
        return Entry(self.tool.name, self.at, self.how)


class Serving:
    """Serves the guarded calls of one recording. Safe to share between threads."""

    def __init__(
        self,
        recording: Recording,
        outputs: Outputs,
        live: frozenset[str],
        patience: float,
        clock: Reached | None,
    ) -> None:
        self._calls = recording.calls
        self._outputs, self._live, self._patience, self._clock = outputs, live, patience, clock
        self._matching = matching.of_calls(recording.calls)
        # What tools' bodies made is not awaited: bodies do not run.
        self._ends = sorted(
            (call.ends, at)
            for at, call in enumerate(recording.calls)
            if call.ends is not None and call.inside is None
        )
        self._turn = threading.Lock()
        self._turns: dict[tuple[str, ...], dict[str, int]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._counts: dict[tuple[str, ...], int] = {}
        self._over: set[int] = set()
        self._changed = time.monotonic()
        self.asked: list[Asked] = []

    def ask(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], order: int) -> Asked:
        """Find the recorded call. TypeError if the call itself does not fit, `Halted` in a run that
        is over: neither was ever asked about."""
        bound = tool.bind(args, kwargs)
        run = current_run()
        if run is not None and run.halted is not None:
            raise Halted(run.halted)
        masker = run.observed.masker if run else _runtime.current().masker
        tokens = Tokens()
        raw = Plainer()(tool.named(bound)).value
        masked = masker.value(masker.redact(raw, tool.options.redact, tokens), tokens)
        with self._turn:
            task = self._task()
            at, how = self._matching.find(Made(task, tool.name, raw, masked))
            asked = Asked(tool, bound, run, masked, at, how)
            asked.body = Body(None, (*task, f"in {tool.name}"))
            asked.order = order
            self.asked.append(asked)
            self._changed = time.monotonic()
        return asked

    def place(self) -> tuple[str, ...]:
        """Where the code is that asks something else than a tool."""
        with self._turn:
            return self._task()

    def _task(self) -> tuple[str, ...]:
        """Where in the run this code is: the runs below it, and turns by their number."""
        around = body()
        if around is not None and around.task:
            return around.task
        path = self._path(current_run())
        turn = current_turn()
        if turn is None:
            return path
        turns = self._turns.setdefault(path, {})
        return (*path, f"turn {turns.setdefault(turn, len(turns) + 1)}")

    def _path(self, run: Run | None) -> tuple[str, ...]:
        """Of a run below another one: their names, and numbers where several have one name."""
        if run is None or run.parent is None:
            return ()
        if run.id not in self._paths:
            above = self._path(run.parent)
            named = (*above, run.ref.get("name") or "run")
            number = self._counts[named] = self._counts.get(named, 0) + 1
            self._paths[run.id] = (*above, f"{named[-1]} {number}")
        return self._paths[run.id]

    def runs_live(self, asked: Asked) -> bool:
        """Whether the tool's own body runs. Never where the record says that it was stopped."""
        stopped = asked.at >= 0 and self._calls[asked.at].outcome == "stopped"
        asked.live = asked.tool.name in self._live and not stopped
        return asked.live

    def serve(self, asked: Asked, *, items: bool = False) -> Flow[Any]:
        """What the recorded call brought: its output, or what it raised."""
        try:
            if asked.how == "same":
                yield from self._await_turn(asked.at)
            return self._outcome(asked, items=items)
        except NotReplayable as error:
            asked.why = error.why
            raise
        finally:
            self._end(asked)

    def came(self, asked: Asked, output: Any) -> None:
        """A live tool returned: its output beside the recorded one."""
        tool = asked.tool
        if tool.options.cost is not None:
            asked.cost = tool.options.cost(output)
        call = self._calls[asked.at] if asked.at >= 0 else None
        if call is not None and call.outcome == "raised" and call.error is not None:
            asked.different = (Difference("", f"raised {call.error.type}", "returned"),)
        elif call is not None and call.outcome == "returned" and call.not_stored is None:
            masked = self._masked(asked, Plainer()(output).value)
            if not call.cut and not self._matching.equal(call.output, masked):
                asked.different = differences(call.output, masked)
        self._end(asked)

    def failed(self, asked: Asked, error: BaseException) -> None:
        """A live tool raised."""
        call = self._calls[asked.at] if asked.at >= 0 else None
        kind = type(error).__name__
        before = None
        if call is not None:
            before = f"raised {call.error.type}" if call.error else call.outcome
        if call is not None and before != f"raised {kind}":
            asked.different = (Difference("", before, f"raised {kind}"),)
        self._end(asked)

    def _outcome(self, asked: Asked, *, items: bool) -> Any:
        if asked.at < 0:
            raise NotReplayable(
                f"No call of {asked.tool.name} is left in the recording, so this one did not run.",
                "not recorded",
            )
        call = self._calls[asked.at]
        if asked.how == "input" and call.outcome in ("stopped", "unknown"):
            raise NotReplayable(
                f"{asked.tool.name} was recorded with other arguments, and did not run then: what "
                "would become of this call is not in the recording.",
                "stopped with other arguments",
            )
        decision = None
        if call.decision is not None:
            decision = decision_for(call.decision, changed=asked.how == "input")
            if asked.run is not None:
                asked.run.decisions.append(decision)
        if call.outcome == "stopped" and decision is not None:
            raise stop(call, decision, asked.run)
        if call.error is not None:
            if call.error.type == "NotRun":
                raise Blocked(call.error.message, decision)
            # Of a generator nobody knows which items came before.
            asked.assumed = items
            raise recorded_error(call.error.type, call.error.message)
        if call.not_stored is not None:
            raise NotReplayable(
                f"The output of {asked.tool.name} is not in the recording: {call.not_stored}.",
                call.not_stored,
            )
        if call.cut and not items:
            raise NotReplayable(
                f"The output of {asked.tool.name} was cut when it was recorded.", "output cut"
            )
        output, asked.assumed = self._outputs.made(asked.tool, call.output, items=items)
        return output

    def cut(self, asked: Asked) -> bool:
        """Whether a generator gave more than is recorded, or was left early."""
        return asked.at >= 0 and self._calls[asked.at].cut

    def _await_turn(self, at: int) -> Flow[None]:
        before = self._before(self._calls[at])
        while before - self._over:
            if time.monotonic() - self._changed > self._patience:
                with self._turn:
                    self._over |= before
                return
            yield Pause(POLL_SECONDS)

    def _before(self, call: RecordedCall) -> set[int]:
        """The calls that ended while this one was under way."""
        if call.ends is None:
            return set()
        first = bisect_right(self._ends, (call.begins, -1))
        last = bisect_left(self._ends, (call.ends, -1))
        return {at for _, at in self._ends[first:last]}

    def _end(self, asked: Asked) -> None:
        with self._turn:
            if asked.how == "same":
                self._over.add(asked.at)
            self._changed = time.monotonic()
        if self._clock is not None and asked.at >= 0:
            self._clock.reach(self._calls[asked.at].ended_at)

    def _masked(self, asked: Asked, value: Any) -> Any:
        masker = asked.run.observed.masker if asked.run else _runtime.current().masker
        return masker.value(value)

"""What the evaluator process is asked, and what becomes of the answers."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.domain.rule_results import Failure
from gateway.engines.complaints import Failed, readable
from gateway.engines.embedded import child
from gateway.errors import EngineUnavailable

# An evaluation that ended so many processes is not tried again, however many rules are left.
DEATHS_MAX: Final = 4


class Prepared:
    """A combination of rules, as each evaluator has or will have it; `rules` is their number."""

    __slots__ = ("banned_until", "base", "data", "deaths", "dropped", "key", "modules", "rules")

    def __init__(self, key: int, base: int, data: bytes, modules: bytes, rules: int) -> None:
        self.key = key
        self.base = base
        self.data = data
        self.modules = modules
        self.rules = rules
        self.deaths = 0
        self.banned_until = 0.0
        self.dropped = False


class Order:
    """Anything but an evaluation. `done` gets the refusal, empty when there is none."""

    __slots__ = ("done", "first", "key", "number", "operation", "payload", "prepared", "wall")

    def __init__(
        self,
        operation: int,
        key: int,
        payload: bytes,
        wall: float,
        prepared: Prepared | None = None,
    ) -> None:
        self.operation = operation
        self.key = key
        self.first = 0
        self.payload = payload
        self.wall = wall
        self.number = 0
        self.prepared = prepared
        self.done: asyncio.Future[str] | None = None

    def answer(self, kind: int, rule: int, payload: bytes) -> bool:
        """Take a reply; whether it was the last."""
        if self.prepared is not None:
            self.prepared.deaths = 0
        if self.done and not self.done.done():
            self.done.set_result(payload.decode() if kind == child.REFUSED else "")
        return True

    def abandoned(self) -> None:
        if self.done and not self.done.done():
            self.done.set_exception(EngineUnavailable("the evaluator ended"))


class Evaluation:
    """A frame and the rules it is put to: as a whole at first, one by one when something fails.

    `whole` is the answer of all rules; without it, `outcomes` has one for each rule up to `first`.
    """

    __slots__ = (
        "deaths",
        "done",
        "first",
        "forgiven",
        "key",
        "number",
        "operation",
        "outcomes",
        "payload",
        "prepared",
        "wall",
        "whole",
    )

    def __init__(
        self, prepared: Prepared, frame: bytes, wall: float, done: asyncio.Future[None]
    ) -> None:
        self.operation = child.EVALUATE
        self.key = prepared.key
        self.first = child.WHOLE
        self.payload = frame
        self.wall = wall
        self.number = 0
        self.prepared = prepared
        self.done = done
        self.whole: bytes | None = None
        self.outcomes: list[bytes | Failed] = []
        self.deaths = 0
        self.forgiven = False

    def answer(self, kind: int, rule: int, payload: bytes) -> bool:
        """Take a reply; whether it was the last. Raises ValueError for one that does not fit."""
        if kind == child.ALL:
            self.whole = payload
        elif kind == child.REFUSED:
            self.fail("error")
        elif rule != len(self.outcomes):
            raise ValueError(f"an answer of rule {rule} after {len(self.outcomes)}")
        elif kind == child.ONE:
            self.outcomes.append(payload)
        elif kind == child.FAILED:
            self.outcomes.append(Failed("error", readable(payload.decode("utf-8", "replace"))))
        elif kind == child.TOO_LARGE:
            self.outcomes.append(Failed("malformed", "what the rule says is too large"))
        else:
            raise ValueError(f"a reply of kind {kind}")
        return self._settle()

    def abandoned(self) -> None:
        """Whoever looks after the processes tries it again, or blames it."""

    def blame(self, cause: Failure) -> bool:
        """A process ended over this evaluation; whether something is left to be tried.

        A combination of rules is taken apart, so that the guilty one fails alone. A crash may have
        come from outside: the first one is forgiven.
        """
        self.deaths += 1
        together = self.first == child.WHOLE and not self.outcomes and self.prepared.rules > 1
        if not together:
            if cause == "crash" and not self.forgiven:
                self.forgiven = True
            else:
                self.outcomes.append(Failed(cause))
                self.forgiven = False
        if self.deaths >= DEATHS_MAX:
            self.fail(cause)
        self.first = len(self.outcomes)
        return not self._settle()

    def fail(self, failure: Failure) -> None:
        """Whatever is not answered yet fails for this reason."""
        self.outcomes += [Failed(failure)] * (self.prepared.rules - len(self.outcomes))
        self._settle()

    def _settle(self) -> bool:
        finished = self.whole is not None or len(self.outcomes) == self.prepared.rules
        if finished and not self.done.done():
            self.done.set_result(None)
        return finished

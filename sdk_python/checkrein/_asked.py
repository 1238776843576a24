"""What was asked and what is planned, said once for the code around: `request` and `plan`.

Kept in context variables, like the current run: they follow `await`, tasks, and threads that are
started in a copied context. What is said inside a run holds in it and in the runs below it; what is
said outside holds for the runs that are started afterwards, until they say something themselves.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple

from checkrein._content import masked_text
from checkrein._masking import Masker
from checkrein._observed import Asked
from checkrein._plan import Called, Plan, Taken, planned
from checkrein._run import Run, current_run


class Stated:
    """One statement as it was given; each run reads it with its own masker, once."""

    def __init__(
        self, given: Any, run: Run | None, outer: Stated | None, *, proposed: bool = False
    ) -> None:
        self.given = given
        # Taken from a model's answer, and not said by the code.
        self.proposed = proposed
        self.run_id = run.id if run else None
        self.outer = outer
        self._read: weakref.WeakKeyDictionary[Masker, Any] = weakref.WeakKeyDictionary()

    def read(self, masker: Masker, make: Callable[[Masker, Any], Any]) -> Any:
        if self.given is None:
            return None
        if masker not in self._read:
            # Two threads may both make it; one of the two is taken by both.
            return self._read.setdefault(masker, make(masker, self.given))
        return self._read[masker]


_Statements = ContextVar[Stated | None]
_request: _Statements = ContextVar("checkrein_request", default=None)
_plan: _Statements = ContextVar("checkrein_plan", default=None)


class Said:
    """What `request` and `plan` return: with `with`, the statement ends with the block."""

    def __init__(self, where: _Statements, before: Stated | None, token: Token[Any]) -> None:
        self._where, self._before, self._token = where, before, token

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._where.reset(self._token)
        except ValueError:
            # Entered in one context and left in another, as asynchronous generators do.
            self._where.set(self._before)


def request(text: str | None) -> Said:
    """Say what the user asked for; the guarded calls that follow here carry it. None: nothing.

    checkrein.request("refund order 9281: 45 USD")
    """
    return _state(_request, text, "request", _asked)


def plan(given: Any) -> Said:
    """Say what the agent is about to do, before it reads more; the calls that follow carry it.

    Text, `{"text", "tool", "arguments"}`, or what a model answered: tool calls of OpenAI (chat
    completions or responses) and of Anthropic, as dictionaries or as the libraries' objects, one,
    several, or the whole answer. Each guarded call is compared with the step of its tool.
    """
    return _state(_plan, given, "plan", planned)


def propose(given: Any, run: Run) -> None:
    """A model's answer as the plan, where the code around has said none: its word counts more,
    since an answer may follow something that misled the model."""
    stated = _visible(_plan.get(), run)
    own = run.observed.now("plan") is not None
    if not own and (stated is None or stated.given is None or stated.proposed):
        # An answer that proposes no call ends what the answer before it had proposed.
        _state(_plan, given, "plan", planned, proposed=True)


class Evidence(NamedTuple):
    """What goes with one call."""

    request: Asked | None
    taken: Taken | None


def evidence(run: Run | None, masker: Masker, called: Called) -> Evidence:
    """The innermost of what was said: here in this run, by the run itself, around it."""
    asked = _of(_request, run, masker, "request", _asked)
    plans: Plan | None = _of(_plan, run, masker, "plan", planned)
    return Evidence(asked, plans.take(called) if plans else None)


def _state(
    where: _Statements,
    given: Any,
    kind: str,
    make: Callable[[Masker, Any], Any],
    *,
    proposed: bool = False,
) -> Said:
    run, before = current_run(), where.get()
    outer, replaced = _visible(before, run), None
    if outer is not None and outer.run_id == (run.id if run else None):
        outer, replaced = outer.outer, outer
    stated = Stated(given, run, outer, proposed=proposed)
    if run is not None:
        masker = run.observed.masker
        old = replaced.read(masker, make) if replaced else None
        run.observed.expect(kind, stated.read(masker, make), old)
    return Said(where, before, where.set(stated))


def _of(
    where: _Statements,
    run: Run | None,
    masker: Masker,
    kind: str,
    make: Callable[[Masker, Any], Any],
) -> Any:
    stated = _visible(where.get(), run)
    own = run.observed.now(kind) if run else None
    if stated is None or (own is not None and run is not None and stated.run_id != run.id):
        return own
    return stated.read(masker, make)


def _visible(stated: Stated | None, run: Run | None) -> Stated | None:
    """The first statement that was made outside, in this run or in one above it."""
    around: set[str | None] = {None}
    while run is not None:
        around.add(run.id)
        run = run.parent
    while stated is not None and stated.run_id not in around:
        stated = stated.outer
    return stated


def _asked(masker: Masker, given: Any) -> Asked:
    return Asked(masked_text(masker, given))

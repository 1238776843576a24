"""A plan: the calls that an agent proposed for a step, each compared with the call it becomes.

A guarded call is given the step that has its provider's call id, else the one that plans exactly
it, else the first one of its tool that no call has taken. A call that was stopped gives its step
back, so that trying again meets the same plan. A tool that was not planned is given the first step
that still waits: that it is another one is what there is to see.
"""

from __future__ import annotations

import os
import threading
from typing import Any, NamedTuple

from checkrein._content import masked_text, whole_members
from checkrein._masking import Masker, same
from checkrein._names import folded
from checkrein._names import name as shown_name
from checkrein._proposed import Proposal, proposals
from checkrein._redactions import redactions
from checkrein._sizes import TEXT_BYTES

UNREADABLE = "[arguments that cannot be read]"
# One for all plans: it is held for microseconds, and a forked child can have a new one.
_turn = threading.Lock()


class Step:
    """One planned call, masked. Without a `tool` it stands for whatever is called next."""

    def __init__(
        self,
        tool: str | None,
        text: str | None,
        arguments: dict[str, Any] | None,
        call_id: str | None = None,
    ) -> None:
        self.tool, self.text, self.arguments, self.call_id = tool, text, arguments, call_id

    @property
    def fields(self) -> dict[str, Any]:
        """As the contract has it."""
        made = {"text": self.text, "arguments": self.arguments, "tool": self.tool}
        return {name: value for name, value in made.items() if value is not None}


class Called(NamedTuple):
    """The call that looks for its step. `names` are the tool's, and then the function's."""

    names: tuple[str, ...]
    arguments: dict[str, Any]
    call_id: str | None = None


class Plan:
    """Steps, and which of them calls have taken. Safe to share between threads."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps
        self._waiting = list(steps)
        self._running = 0

    def take(self, called: Called) -> Taken | None:
        """The step of this call; None when the plan is empty."""
        if not self.steps:
            return None
        with _turn:
            mine = self._of(called)
            if not mine:
                return self._other()
            step = self._choose(mine, called)
            if step in self._waiting:
                self._waiting.remove(step)
            self._running += 1
            return Taken(self, step, _for_tool(step, called), True)

    def settle(self, step: Step, *, ran: bool) -> None:
        """The call has ended; where it did not run, its step waits again, in its place."""
        with _turn:
            self._running -= 1
            if not ran and step not in self._waiting:
                self._waiting = [one for one in self.steps if one in self._waiting or one is step]

    def _of(self, called: Called) -> list[Step]:
        for wanted in called.names:
            mine = [one for one in self.steps if one.tool and folded(one.tool) == folded(wanted)]
            if mine:
                return mine
        return [one for one in self.steps if one.tool is None]

    def _choose(self, mine: list[Step], called: Called) -> Step:
        waiting = [one for one in mine if one in self._waiting]
        by_id = [one for one in mine if called.call_id and one.call_id == called.call_id]
        # A call that failed may be made again: what planned it then plans it still.
        exact = [one for one in (*waiting, *mine) if _plans(one, called.arguments)]
        return [*by_id, *exact, *waiting, mine[-1]][0]

    def _other(self) -> Taken:
        step = self._waiting[0] if self._waiting else self.steps[-1]
        if self._running:
            # Most likely made by the body of a planned call, which is no departure from the plan.
            return Taken(self, step, {"text": step.text} if step.text else {}, False)
        return Taken(self, step, step.fields, False)


class Taken(NamedTuple):
    """A step in the hands of a call, with what is sent of it."""

    plan: Plan
    step: Step
    fields: dict[str, Any]
    mine: bool

    def settle(self, *, ran: bool) -> None:
        if self.mine:
            self.plan.settle(self.step, ran=ran)


def planned(masker: Masker, given: Any) -> Plan:
    """The plan in what was given: text, a proposed call, several, or a model's whole answer."""
    texts, calls = proposals(given)
    around = "\n".join(masked_text(masker, text) for text in texts) if texts else None
    around = None if around is None else masked_text(masker, around)
    if not calls:
        return Plan([Step(None, around, None)] if around else [])
    return Plan([_step(masker, call, around) for call in calls])


def _step(masker: Masker, call: Proposal, around: str | None) -> Step:
    tool = None if call.tool is None else shown_name(call.tool) or "tool"
    redact = redactions(tool)
    text = around if call.text is None else masked_text(masker, call.text)
    if call.unread is not None:
        text = UNREADABLE if redact else masked_text(masker, call.unread)
    arguments = None
    if call.arguments is not None:
        arguments = whole_members(masker, call.arguments, redact, TEXT_BYTES)
    return Step(tool, text, arguments, call.id)


def _for_tool(step: Step, called: Called) -> dict[str, Any]:
    """The tool as the gateway knows it; providers allow no dots in the names of functions."""
    made = {**step.fields, "tool": called.names[0]} if step.tool else step.fields
    if step.tool is None and step.arguments:
        # Masked for any tool, since none was named: what this one shows cannot be compared.
        theirs = _heads(redactions(None)) - _heads(redactions(called.names[0]))
        made = {**made, "arguments": {k: v for k, v in step.arguments.items() if k not in theirs}}
    return made


def _plans(step: Step, arguments: dict[str, Any]) -> bool:
    wanted = step.arguments
    if wanted is None or (arguments and not wanted):
        return False
    return all(name in arguments and same(one, arguments[name]) for name, one in wanted.items())


def _heads(paths: tuple[str, ...]) -> set[str]:
    return {path.split(".")[0] for path in paths}


def _after_fork() -> None:
    global _turn  # noqa: PLW0603 - the process-wide lock
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)

"""Which recorded call a call is that is made now.

By task, tool, canonical arguments and occurrence; then without the task, since a turn more or less
moves all that follow. A call with other arguments stands in the place of the first call of its tool
that nobody made yet: it is lent that one's outcome, and the call itself may still be made. Not safe
between threads by itself: the simulation looks after that.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Literal, NamedTuple

from checkrein import _canonical
from checkrein.simulating.recording import RecordedCall, RecordedModelCall
from checkrein.simulating.tokens import Bindings, Form, form

How = Literal["same", "input", "none"]
Task = tuple[str, ...]


class Made(NamedTuple):
    """A call as it is made now: its arguments as they are, and as they would be recorded."""

    task: Task
    name: str
    raw: Any
    masked: Any

    def forms(self) -> tuple[Form, ...]:
        """What the record may hold for this call."""
        return (form(self.masked), form(self.raw))


class Found(NamedTuple):
    """The recorded call at `at` in the record, and how it fits; -1 where there is none."""

    at: int
    how: How


class _Waiting:
    """A recorded call that nobody made yet; `given` None: the record lacks its arguments."""

    def __init__(self, at: int, task: Task, given: Form | None, digest: str) -> None:
        self.at, self.task, self.given, self.digest = at, task, given, digest


class _Waitings:
    """The waiting calls of one name: by what they say, and those that were not lent yet."""

    def __init__(self) -> None:
        self.alike: dict[str, list[_Waiting]] = defaultdict(list)
        self.left: list[_Waiting] = []

    def add(self, one: _Waiting) -> None:
        self.alike[one.digest if one.given is None else one.given.text].append(one)
        self.left.append(one)

    def take(self, one: _Waiting) -> None:
        self.alike[one.digest if one.given is None else one.given.text].remove(one)
        if one in self.left:
            self.left.remove(one)


class Matching:
    """The calls of one recording that wait to be made, by name."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waitings] = defaultdict(_Waitings)
        self._bindings = Bindings()

    def expect(self, at: int, name: str, task: Task, given: Any, digest: str = "") -> None:
        """The next recorded call; `given` is None where the record does not hold it."""
        shown = None if given is None else form(given)
        one = _Waiting(at, task, shown, digest.removeprefix("sha256:"))
        self._waiting[name].add(one)

    def find(self, made: Made) -> Found:
        """The recorded call that this one is, or stands for."""
        waiting = self._waiting[made.name]
        forms = made.forms()
        one = self._same(waiting, made, forms)
        if one is not None:
            waiting.take(one)
            if one.given is not None:
                fitting = next(each for each in forms if self._bindings.agree(each, one.given))
                self._bindings.bind(fitting, one.given)
            return Found(one.at, "same")
        if not waiting.left:
            return Found(-1, "none")
        lent = next((one for one in waiting.left if one.task == made.task), waiting.left[0])
        waiting.left.remove(lent)
        return Found(lent.at, "input")

    def _same(self, waiting: _Waitings, made: Made, forms: tuple[Form, ...]) -> _Waiting | None:
        """The first such call of the same task, else of any."""
        found: _Waiting | None = None
        texts = (*(each.text for each in forms), _canonical.digest(made.masked))
        for text in dict.fromkeys(texts):
            for one in waiting.alike.get(text, ()):
                if found is not None and one.task != made.task:
                    continue
                if one.given is None or any(self._bindings.agree(f, one.given) for f in forms):
                    found = one
                    if one.task == made.task:
                        break
        return found

    def equal(self, recorded: Any, masked: Any) -> bool:
        """Whether an output is the recorded one."""
        return self._bindings.agree(form(masked), form(recorded))


def of_calls(calls: tuple[RecordedCall, ...]) -> Matching:
    """The guarded calls of a recording."""
    made = Matching()
    for at, call in enumerate(calls):
        made.expect(at, call.tool, call.task, call.arguments, call.arguments_digest)
    return made


def of_model_calls(calls: tuple[RecordedModelCall, ...]) -> Matching:
    """The model calls of a recording. All have one name: a model asked in another's place is asked
    the same question with other words."""
    made = Matching()
    for at, call in enumerate(calls):
        made.expect(at, "", call.task, None if call.not_stored else asked(call))
    return made


def asked(call: RecordedModelCall) -> dict[str, Any]:
    """What a model was asked, as it is compared."""
    return {
        "provider": call.provider,
        "id": call.id,
        "system": call.system or None,
        "messages": call.messages,
        "tools": call.tools,
        "parameters": call.parameters,
    }

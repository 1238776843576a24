"""The runs above one: what they knew when they passed the work on, and in which words they did.

A run's parent is read like any run, up to the call that is explained. The frame that passed the
work on is the hand-off that names the child; else the call in which the child's request stands;
else the call that had not come back when the child began.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.sources import Case, Passed, Source, spelled
from gateway.replay.lineage.trail import Trail

ABOVE_MAX: Final = 4
_CALLS_MAX: Final = 256
_OVERLAP: Final = 12


class Ancestry:
    """The runs above a call, nearest first; `wanted` is the one to be read next, if any."""

    def __init__(self, case: Case, row: Mapping[str, Any]) -> None:
        self._case = case
        self._row = row
        self._below = case
        self._above: list[Passed] = []
        self._lost: list[str] = []
        self._seen = {str(row["run_id"])}
        self.wanted: str | None = row.get("parent_run_id")

    @property
    def until(self) -> str:
        """When the run below did what is looked at."""
        return self._below.recorded_at

    def absent(self) -> None:
        """There is no such run in this project's record."""
        self._lose("it is not in the record")

    def passing(self, row: Mapping[str, Any], unread: int = 0) -> Passing:
        """What gathers the wanted run's frames; `unread` were left out before them."""
        self._seen.add(str(row["run_id"]))
        return Passing(str(row["run_id"]), self._below, self._row, unread)

    def took(self, passing: Passing, row: Mapping[str, Any]) -> None:
        """All of its frames were given."""
        passed = passing.passed()
        if passed is None or passed.words is None:
            self._lose(passing.lacks)
        above = row.get("parent_run_id")
        self._row, self.wanted = row, above
        if passed is None:
            self.wanted = None
            return
        self._above.append(passed)
        self._below = passed.case
        if above is not None and (above in self._seen or len(self._above) >= ABOVE_MAX):
            self._lose("it was not read: there are too many above one another")

    def case(self) -> Case:
        return replace(self._case, above=tuple(self._above), lost=tuple(self._lost))

    def _lose(self, why: str) -> None:
        self._lost.append(f"the parent run {self.wanted}: {why}")
        self.wanted = None


class Passing:
    """Gathers one run above until it passed the work on."""

    def __init__(self, run_id: str, below: Case, child: Mapping[str, Any], unread: int) -> None:
        self._run_id = run_id
        self._until = below.recorded_at
        self._began = str(child.get("started_at") or below.recorded_at)
        self._ids = {child.get(name) for name in ("run_id", "external_id")} - {None}
        self._name = child.get("name")
        self._asked = (below.request[0].text or "").strip() if below.request else ""
        self._trail = Trail(None, unread, cases_max=_CALLS_MAX)
        self._unread = unread
        self._calls: dict[str, int] = {}
        self._named: Passed | None = None
        self._by_id = False
        self._gone = False

    def add(self, frame: ReplayFrame) -> None:
        """The next frame. What came after the call that is explained has passed nothing on.

        A hand-off that gives the child's id may be recorded late. By its name, which others may
        have as well, it must have been there, and an id counts before a name.
        """
        to = frame.body.get("child_run_id") if frame.type == "handoff" else None
        by_id = to is not None and to in self._ids
        if not by_id and frame.recorded_at > self._until:
            return
        named = by_id or (to is not None and to == self._name and not self._by_id)
        self._by_id = self._by_id or by_id
        self._gone = self._gone or bool(frame.erased or frame.broken)
        self._trail.add(frame)
        id_ = str(frame.body.get("action_id"))
        if named:
            self._named = self._trail.handed
        elif frame.type == "decision" and frame.recorded_at <= self._began:
            # A call that was decided when the child was there already did not begin it.
            self._calls.pop(id_, None)
            self._calls[id_] = frame.seq
            if len(self._calls) > _CALLS_MAX:
                self._calls.pop(next(iter(self._calls)))
        elif frame.type == "result" and frame.recorded_at <= self._began:
            self._returned(id_)

    def _returned(self, id_: str) -> None:
        """A call that came back before the child began stays findable by its words alone."""
        if id_ in self._calls:
            self._calls[id_] = 0

    @property
    def lacks(self) -> str:
        if self._gone:
            return "its content was erased or changed, so what it passed on cannot be told"
        return "what it passed on was not recorded"

    def passed(self) -> Passed | None:
        cases = [self._trail.case_of(id_) for id_ in reversed(self._calls)]
        found = [case for case in cases if case is not None]
        speaking = next((case for case in found if self._speaks(case)), None)
        if speaking is not None:
            return self._of(speaking)
        if self._named is not None:
            return _placed(self._named, self._run_id)
        waiting = next((case for case in found if self._calls.get(case.action_id)), None)
        if waiting is not None:
            return self._of(waiting)
        handed = self._trail.handed
        if handed is not None:
            return _placed(handed, self._run_id)
        known = self._trail.known()
        return None if known is None else _placed(Passed(known, None), self._run_id)

    def _speaks(self, case: Case) -> bool:
        """Whether the child's request stands in a call, or what the call says in the request."""
        if len(self._asked) < _OVERLAP:
            return False
        said = spelled(case.arguments)
        longest = max((line.partition(": ")[2] or line for line in said.split("\n")), key=len)
        return self._asked in said or (len(longest) >= _OVERLAP and longest in self._asked)

    def _of(self, case: Case) -> Passed:
        text = spelled(case.arguments)
        part, name = "/frame/action/arguments", f"call of {case.tool}"
        words = Source("call", case.seq, part, text, tool=None, name=name) if text else None
        return _placed(Passed(case, words), self._run_id)


def _placed(passed: Passed, run_id: str) -> Passed:
    """With the run that it is in on everything, since what is below reads it as another's."""

    def here(sources: tuple[Source, ...]) -> tuple[Source, ...]:
        return tuple(replace(each, run_id=run_id) for each in sources)

    case = passed.case
    placed = replace(
        case,
        request=here(case.request),
        content=here(case.content),
        plan=here(case.plan),
        model=replace(case.model, run_id=run_id) if case.model else None,
        system=here(case.system),
        reasoning=here(case.reasoning),
        handed=(),
        run_id=run_id,
    )
    words = replace(passed.words, run_id=run_id) if passed.words else None
    return Passed(placed, words)

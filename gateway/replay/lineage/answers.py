"""The recorded model answers of a run, and which of them proposed a call."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.model_answers import ToolCall, same_tool, tool_calls
from gateway.replay.lineage.model_words import thoughts, told_to
from gateway.replay.lineage.sources import Source, proposed

ANSWERS_MAX: Final = 256
# So many proposed calls, the newest, over all answers: every call of the run is looked up in them.
CALLS_MAX: Final = 1_024


class Answer(Struct, frozen=True):
    """A recorded model call: what it proposed, what it was told, and what it said beside."""

    seq: int
    calls: tuple[ToolCall, ...]
    asked: tuple[Source, ...]
    thoughts: tuple[Source, ...] = ()
    key: str | None = None

    def told(self, station: str) -> tuple[Source, ...]:
        return tuple(source for source in self.asked if source.station == station)


class Answers:
    """Gathers the answers of a run as they come; of very many the last."""

    def __init__(self) -> None:
        self._answers: list[Answer] = []
        self._taken: dict[tuple[int, str], int] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, frame: ReplayFrame, observed: dict[str, Any]) -> Answer:
        """The next one."""
        asked = tuple(told_to(frame.seq, observed))
        continues = frame.body.get("continues")
        for station in ("request", "system"):
            # What the call that it goes on from was told is not told again.
            if not any(source.station == station for source in asked):
                asked += self._before(continues, station)
        calls = tuple(tool_calls(observed.get("answer"))[:CALLS_MAX])
        said = thoughts(frame.seq, observed)
        answer = Answer(frame.seq, calls, asked, said, frame.body.get("key"))
        self._answers = [*self._answers[1 - ANSWERS_MAX :], answer]
        count = sum(len(each.calls) for each in self._answers)
        while count > CALLS_MAX and len(self._answers) > 1:
            count -= len(self._answers.pop(0).calls)
        return answer

    def _before(self, continues: Any, station: str) -> tuple[Source, ...]:
        key = continues.get("key") if isinstance(continues, dict) else None
        earlier = next((each for each in self._answers if key and each.key == key), None)
        return earlier.told(station) if earlier else ()

    def of(self, tool: str, call_id: Any, *, again: bool) -> tuple[Answer | None, Source | None]:
        """The answer that proposed a call: by the provider's id, else the last of this tool.

        `again`: the call was judged before.
        """
        if not tool:
            return self._last()
        for answer in reversed(self._answers) if call_id is not None else ():
            call = next((each for each in reversed(answer.calls) if each.id == call_id), None)
            if call is not None:
                return answer, proposed(answer.seq, call)
        for answer in reversed(self._answers):
            calls = [call for call in answer.calls if same_tool(call.name, tool)]
            if calls:
                # The second call of a tool after one answer is the second that it proposed.
                key = (answer.seq, tool)
                if not again:
                    self._taken[key] = self._taken.get(key, 0) + 1
                place = min(self._taken.get(key, 1), len(calls)) - 1
                return answer, proposed(answer.seq, calls[place])
        return self._last()

    def _last(self) -> tuple[Answer | None, Source | None]:
        last = self._answers[-1] if self._answers else None
        if last is None:
            return None, None
        if any(seq == last.seq for seq, _ in self._taken):
            # What it proposed was done: this call is the code's own.
            return last, None
        # An answer that proposed another tool is one from which this call departed.
        other = next((call for call in last.calls if call.arguments is not None), None)
        return last, proposed(last.seq, other) if other else None

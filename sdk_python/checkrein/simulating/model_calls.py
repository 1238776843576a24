"""Calls of language models, answered from the record: for wrapped clients, and for what an agent
tells with `record_model_call`."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from checkrein import _runtime
from checkrein._events import make
from checkrein._run import current_run
from checkrein.simulating import matching
from checkrein.simulating.aligning import Entry
from checkrein.simulating.errors import NotReplayable
from checkrein.simulating.matching import How, Made, Task
from checkrein.simulating.recording import Recording
from checkrein.simulating.tokens import Difference, differences, form

_NAMES = ("provider", "id", "system", "messages", "tools", "parameters")


class ModelAnswer(msgspec.Struct, frozen=True):
    """A recorded answer, as JSON, with what it took then."""

    answer: Any
    provider: str | None = None
    model: str | None = None
    reasoning: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class AskedModel:
    """A model call that is made now, and the recorded one that answers it."""

    def __init__(self, order: int, given: Any, at: int, how: How) -> None:
        self.order, self.given, self.at, self.how = order, given, at, how
        self.name = str(given.get("id") or given.get("provider") or "model")
        self.why: str | None = None
        self.served = self.answered = False
        self.different: tuple[Difference, ...] = ()

    @property
    def entry(self) -> Entry:
        """As the comparison at the end has it."""
        return Entry("model", self.at, self.how)


class ModelCalls:
    """The model calls of one recording. Safe to share between threads."""

    def __init__(self, recording: Recording) -> None:
        self._calls = recording.model_calls
        self._matching = matching.of_model_calls(recording.model_calls)
        self._turn = threading.Lock()
        self.asked: list[AskedModel] = []

    def answer(self, request: Mapping[str, Any], task: Task, order: int) -> ModelAnswer:
        """The recorded answer. Raises NotReplayable where there is none."""
        asked = self._find(request, task, order)
        asked.served = asked.answered = True
        if asked.at < 0:
            asked.why = "not recorded"
            raise NotReplayable("No model call is left in the recording.", asked.why)
        call = self._calls[asked.at]
        if call.not_stored is not None or call.answer is None:
            asked.why = call.not_stored or "nothing reported"
            raise NotReplayable(f"The model's answer is not recorded: {asked.why}.", asked.why)
        return ModelAnswer(
            answer=call.answer,
            provider=call.provider,
            model=call.id,
            reasoning=call.reasoning,
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
        )

    def noted(self, fields: Mapping[str, Any], task: Task, order: int) -> None:
        """The agent tells of a model call. One whose answer was served is told of already."""
        given = _given(fields)
        with self._turn:
            shown = form(given)
            for one in self.asked:
                if one.served and form(one.given) == shown:
                    one.served = False
                    return
        asked = self._find(fields, task, order)
        if asked.at >= 0 and fields.get("answer") is not None:
            answer = _as_recorded({"answer": fields["answer"]})["answer"]
            recorded = self._calls[asked.at].answer
            with self._turn:
                if not self._matching.equal(recorded, answer):
                    asked.different = differences(recorded, answer)

    def _find(self, request: Mapping[str, Any], task: Task, order: int) -> AskedModel:
        given = _given(request)
        with self._turn:
            at, how = self._matching.find(Made(task, "", given, given))
            asked = AskedModel(order, given, at, how)
            self.asked.append(asked)
        return asked


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    named = {**request, "id": request.get("id") or request.get("model")}
    made = _as_recorded({name: named.get(name) for name in _NAMES})
    return {
        "provider": made.get("provider"),
        "id": made.get("id"),
        "system": made.get("system") or None,
        "messages": made.get("messages") or [],
        "tools": made.get("tools") or [],
        "parameters": made.get("parameters") or {},
    }


def _as_recorded(fields: dict[str, Any]) -> dict[str, Any]:
    """As the run would have recorded it: plain, masked, cut to size."""
    run = current_run()
    masker = run.observed.masker if run else _runtime.current().masker
    made: dict[str, Any] = msgspec.json.decode(make("model_call", 0, masker, fields).raw)
    return made

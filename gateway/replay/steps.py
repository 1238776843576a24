"""What had come together by each frame of a run, and what each changed.

The state is the fold over the run's events that the gateway judges by, with what the agent told of
models and money beside it. A decision is also shown against the decision before it: what had been
asked, planned and seen anew in between.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.domain import canonical, pointers
from gateway.domain.fold import Folded, PastEvent, extend, fold
from gateway.replay.frames import ReplayFrame
from gateway.replay.quoting import value_shown

CHANGES_MAX: Final = 64


class Change(Struct, frozen=True):
    """A value before and after; null is none."""

    pointer: str
    before: Any
    after: Any


class Step(Struct, frozen=True):
    """One frame's place in the run. `state` is that after it, `changes` what it changed in it.

    `news` are, of a decision, the parts of its frame that the decision before it did not have.
    """

    seq: int
    type: str
    state: dict[str, Any]
    changes: tuple[Change, ...]
    news: tuple[Change, ...] = ()


class Steps:
    """Follows a run from its first frame. Nothing may be left out before what is asked about."""

    def __init__(self, project_id: str, run_id: str) -> None:
        self._folded: Folded = fold(project_id, "", run_id, ())
        self._told: dict[str, Any] = {
            "model_calls": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "errors": 0,
            "cost": {},
        }
        self._state = self._standing()
        self._decided: dict[str, Any] = {}

    def add(self, frame: ReplayFrame) -> Step:
        """The next frame, with what it changed."""
        body = canonical.encode(frame.body)
        extend(self._folded, [PastEvent(frame.id, frame.seq, frame.type, body)])
        self._tell(frame)
        before, self._state = self._state, self._standing()
        news: tuple[Change, ...] = ()
        if frame.type == "decision":
            seen = _seen(frame)
            news, self._decided = _changes(self._decided, seen), seen
        return Step(frame.seq, frame.type, self._state, _changes(before, self._state), news)

    def decided(self, frame: ReplayFrame) -> None:
        """The decision before the next frame, where it was added without its content."""
        self._decided = _seen(frame)

    def _tell(self, frame: ReplayFrame) -> None:
        told, body = self._told, frame.body
        if frame.type == "model_call":
            used = body.get("usage") or {}
            told["model_calls"] += 1
            told["input_tokens"] += used.get("input_tokens") or 0
            told["output_tokens"] += used.get("output_tokens") or 0
        if frame.type == "result":
            told["errors"] += body.get("status") == "failed"
        if frame.type in ("model_call", "result") and isinstance(body.get("cost"), dict):
            cost = body["cost"]
            spent = told["cost"].get(cost["currency"], 0) + cost["value"]
            told["cost"] = {**told["cost"], cost["currency"]: spent}

    def _standing(self) -> dict[str, Any]:
        state = self._folded.state
        counters = dict(sorted(state.counters.items()))
        return {
            "status": state.status,
            "halted": state.halted,
            "counters": counters,
            "labels": list(state.labels),
            "approvals_pending": sorted(state.approvals),
            **self._told,
        }


def _seen(frame: ReplayFrame) -> dict[str, Any]:
    """The parts of a decision's frame that are its own and not the call's; contexts by their id."""
    seen = frame.content.get("frame")
    if not isinstance(seen, dict):
        return {}
    kept = {name: seen.get(name) for name in ("request", "model", "prompt_version")}
    context = {
        str(item.get("id") or place): item.get("text")
        for place, item in enumerate(seen.get("context") or ())
    }
    tools = {
        str(tool.get("name")): tool.get("digest") for tool in seen.get("tools_available") or ()
    }
    return {**kept, "context": context, "tools_available": tools}


def _changes(before: Any, after: Any) -> tuple[Change, ...]:
    found: list[Change] = []
    _differ(before, after, (), found)
    return tuple(found[:CHANGES_MAX])


def _differ(before: Any, after: Any, steps: tuple[str, ...], found: list[Change]) -> None:
    kinds = {type(before), type(after)} - {type(None)}
    if kinds == {dict}:
        before, after = before or {}, after or {}
        for name in sorted({*before, *after}):
            if len(found) < CHANGES_MAX:
                _differ(before.get(name), after.get(name), (*steps, name), found)
    elif msgspec.json.encode(before) != msgspec.json.encode(after):
        found.append(Change(pointers.write(steps), value_shown(before), value_shown(after)))

"""A run as it went: its configuration, its calls with their outcomes, and what it took.

Frames are added as they come; of their content only what is compared is kept, by digest where it
may be large.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.domain import canonical
from gateway.replay.frames import ReplayFrame
from gateway.replay.record.capture import Capture

ACTIONS_MAX: Final = 1_000
# Of a longer run the beginning is compared, and the answer says so.
FRAMES_MAX: Final = 20_000
# Arguments and outputs up to this size are compared value by value, larger ones by digest alone.
VALUE_BYTES: Final = 16_384
TOOLS_MAX: Final = 1_024
_SET: Final = "(set)"


class Call(Struct):
    """One call and what became of it. `task` is where in the run it was made.

    `arguments` and `output` are None where they are too large or gone; the digests stay.
    """

    seq: int
    action_id: str
    tool: str
    task: tuple[str, ...]
    arguments: Any
    arguments_digest: str
    verdict: str
    enforced: str
    rules: tuple[str, ...]
    status: str | None = None
    output: Any = None
    output_digest: str | None = None
    error: str | None = None
    duration_ns: int | None = None
    cost: dict[str, int] = {}


class Totals(Struct, frozen=True):
    """What a run took. `cost` is in minor units by currency: what results and model calls said."""

    actions: int
    blocked: int
    errors: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost: dict[str, int]
    duration_ms: int | None


class Course:
    """Gathers a run's course frame by frame."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.configuration: dict[tuple[str, str], list[Any]] = {}
        self.frames = 0
        self.left_out = 0
        self.gone = 0
        self.capture = Capture()
        self._by_action: dict[str, Call] = {}
        self._turns: dict[str, int] = {}
        self._model_calls = 0
        self._tokens = [0, 0]
        self._cost: dict[str, int] = {}
        self._times: list[str] = []

    def add(self, frame: ReplayFrame) -> None:
        """The next frame of the run."""
        self.frames += 1
        self.gone += len(frame.erased) + len(frame.broken)
        self.capture.add(frame)
        self._times = [*self._times[:1], frame.occurred_at]
        if frame.type == "decision":
            self._decided(frame)
        elif frame.type == "result":
            self._resulted(frame)
        elif frame.type == "model_call":
            self._asked_model(frame)

    def totals(self) -> Totals:
        """What it all took."""
        return Totals(
            actions=len(self.calls) + self.left_out,
            blocked=sum(call.enforced in ("block", "halt") for call in self.calls),
            errors=sum(call.status == "failed" for call in self.calls),
            model_calls=self._model_calls,
            input_tokens=self._tokens[0],
            output_tokens=self._tokens[1],
            cost=dict(sorted(self._cost.items())),
            duration_ms=_between(self._times),
        )

    def _decided(self, frame: ReplayFrame) -> None:
        body, seen = frame.body, frame.content.get("frame")
        known = seen if isinstance(seen, dict) else {}
        self._configured(body, known)
        action_id = str(body.get("action_id"))
        call = Call(
            seq=frame.seq,
            action_id=action_id,
            tool=str(body.get("tool")),
            task=self._task(frame),
            arguments=_small((known.get("action") or {}).get("arguments")),
            arguments_digest=str(body.get("submitted_digest") or body.get("arguments_digest")),
            verdict=str(body.get("verdict")),
            enforced=str(body.get("enforced")),
            rules=tuple(str(word.get("rule")) for word in body.get("rules") or ()),
        )
        before = self._by_action.get(action_id)
        if before is not None:
            # Judged anew: the same call, with what was said last.
            self.calls[self.calls.index(before)] = call
        elif len(self.calls) < ACTIONS_MAX:
            self.calls.append(call)
        else:
            self.left_out += 1
            return
        self._by_action[action_id] = call

    def _task(self, frame: ReplayFrame) -> tuple[str, ...]:
        """Turns by their number, since their ids are another run's in another run."""
        if frame.turn_id is None:
            return ()
        number = self._turns.setdefault(frame.turn_id, len(self._turns) + 1)
        return (f"turn {number}",)

    def _resulted(self, frame: ReplayFrame) -> None:
        body = frame.body
        self._add_cost(body.get("cost"))
        call = self._by_action.get(str(body.get("action_id")))
        if call is None:
            return
        call.status = str(body.get("status"))
        output = frame.content.get("output")
        call.output = _small(output)
        given = body.get("output_digest")
        call.output_digest = given or (canonical.sha256(canonical.jcs(output)) if output else None)
        error = frame.content.get("error")
        call.error = _error(error)
        duration = body.get("duration_ns")
        call.duration_ns = int(duration) if duration is not None else None
        if isinstance(cost := body.get("cost"), dict):
            call.cost = {str(cost.get("currency")): int(cost.get("value") or 0)}

    def _asked_model(self, frame: ReplayFrame) -> None:
        self._model_calls += 1
        used = frame.body.get("usage") or {}
        self._tokens[0] += int(used.get("input_tokens") or 0)
        self._tokens[1] += int(used.get("output_tokens") or 0)
        self._add_cost(frame.body.get("cost"))
        observed = frame.content.get("observation")
        told = observed if isinstance(observed, dict) else {}
        model = {
            "provider": frame.body.get("provider"),
            "id": frame.body.get("id"),
            "parameters": told.get("parameters") or {},
        }
        self._note("model", "", model)
        self._note("prompt version", "", frame.body.get("prompt_version"))
        if told.get("system"):
            self._note("system prompt", "", canonical.sha256(str(told["system"]).encode()))
        for name, digest in _tools(told.get("tools")):
            self._note("tool schema", name, digest)

    def _configured(self, body: dict[str, Any], seen: dict[str, Any]) -> None:
        """What stood behind a decision."""
        engine = body.get("engine") or {}
        self._note("policy", "", body.get("policy_digest"))
        self._note("policy commit", "", body.get("policy_commit"))
        self._note("engine", "", f"{engine.get('name')} {engine.get('version')}")
        self._note("mode", "", body.get("mode"))
        self._note("tool schema", str(body.get("tool")), body.get("schema_digest"))
        self._note("MCP server", str(body.get("tool")), body.get("mcp_server"))
        self._note("prompt version", "", seen.get("prompt_version"))
        if isinstance(model := seen.get("model"), dict):
            self._note("model", "", {**model, "parameters": model.get("parameters") or {}})
        assessed = seen.get("assessment")
        if isinstance(assessed, dict):
            self._note("intent guard", "", assessed.get("version"))
        for tool in (seen.get("tools_available") or ())[:TOOLS_MAX]:
            if isinstance(tool, dict):
                self._note("tool", str(tool.get("name")), tool.get("digest") or _SET)

    def _note(self, what: str, name: str, value: Any) -> None:
        """Values in the order in which they first counted."""
        if value is None:
            return
        held = self.configuration.setdefault((what, name), [])
        if value not in held and len(held) < 8:
            held.append(value)

    def _add_cost(self, cost: Any) -> None:
        if isinstance(cost, dict):
            currency = str(cost.get("currency")).upper()
            self._cost[currency] = self._cost.get(currency, 0) + int(cost.get("value") or 0)


def _tools(tools: Any) -> Iterator[tuple[str, str]]:
    """Name and digest of every tool that a model was offered, in OpenAI's or Anthropic's shape."""
    for tool in tools[:TOOLS_MAX] if isinstance(tools, list) else ():
        inside = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(inside, dict) and isinstance(inside.get("name"), str):
            yield inside["name"], canonical.sha256(canonical.jcs(inside))


def _small(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if len(msgspec.json.encode(value)) <= VALUE_BYTES else None


def _error(error: Any) -> str | None:
    if error is None:
        return None
    if isinstance(error, dict):
        return f"{error.get('type') or 'error'}: {error.get('message') or ''}"[:VALUE_BYTES]
    return str(error)[:VALUE_BYTES]


def _between(times: list[str]) -> int | None:
    """Milliseconds from the first moment to the last."""
    if len(times) < 2:
        return None
    try:
        first, last = (datetime.fromisoformat(each) for each in times)
    except ValueError:
        return None
    return round((last - first).total_seconds() * 1000)

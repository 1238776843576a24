"""How complete a run's capture is, for each boundary between the agent and the world.

Honest rather than flattering: what nobody watched is `unobserved` with the reason, even where it
may well be that nothing happened there.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.domain.verdicts import STOPPING
from gateway.replay.frames import ReplayFrame

Name = Literal[
    "model", "tool", "mcp", "retrieval", "approval", "clock", "random", "network", "content"
]
State = Literal["complete", "partial", "unobserved", "unused"]
# `client_seq` beyond this many are not looked at.
NUMBERS_MAX: Final = 100_000


class Boundary(Struct, frozen=True):
    """What crossed a boundary, counted.

    `recorded` crossed it and was kept, `stubbed` was served from a record instead, `denied` was
    not let through, `unobserved` is known to have crossed it without being kept. `state` says
    whether that can be all: `unobserved` where nobody watches, `unused` where nothing crossed.

    A simulated run reports nothing to a gateway, so a run that was recorded has nothing `stubbed`:
    a simulation's own report counts what the record answered.
    """

    boundary: Name
    state: State
    recorded: int
    stubbed: int
    denied: int
    unobserved: int
    reasons: list[str]


class _Call(Struct, frozen=True):
    """What a decision says of its call that counts here."""

    stopped: bool
    network: bool
    mcp: bool
    schema: bool


class Capture:
    """Counts what crosses, frame by frame."""

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}
        self._reported: set[str] = set()
        self._truncated = 0
        self._gaps = 0
        self._models = [0, 0]
        self._named_model = 0
        self._context = [0, 0]
        self._asked: dict[str, str] = {}
        self._erased = 0
        self._broken = 0
        self._unreadable = 0
        self._numbers: set[int] = set()

    def add(self, frame: ReplayFrame) -> None:
        """The next frame of the run."""
        self._erased += len(frame.erased)
        self._broken += len(frame.broken)
        self._unreadable += frame.type == "unreadable"
        number = frame.body.get("client_seq")
        if isinstance(number, int) and len(self._numbers) < NUMBERS_MAX:
            self._numbers.add(number)
        match frame.type:
            case "decision":
                self._decided(frame)
            case "result":
                self._reported.add(str(frame.body.get("action_id")))
                self._truncated += bool(frame.body.get("truncated"))
            case "gap":
                self._gaps += 1
            case "model_call":
                told = frame.content.get("observation") or {}
                whole = isinstance(told, dict) and {"messages", "answer"} <= told.keys()
                self._models[0 if whole else 1] += 1
            case "context":
                self._context[0] += 1
            case "approval_requested":
                self._asked[str(frame.body.get("approval_id"))] = "pending"
            case "approval_expired":
                state = "superseded" if frame.body.get("superseded") else "expired"
                self._asked[str(frame.body.get("approval_id"))] = state
            case _:
                pass

    def states(self) -> dict[str, State]:
        """How far each boundary was watched, for a verdict that rests on the capture."""
        return {each.boundary: each.state for each in self.manifest()}

    def manifest(self) -> list[Boundary]:
        """What is known of each boundary."""
        return [
            self._model(),
            self._tool(),
            self._mcp(),
            self._retrieval(),
            self._approval(),
            _nobody("clock", "The agent's own clock is not watched; decisions hold their time."),
            _nobody("random", "What the agent's code drew at random is not watched."),
            _nobody(
                "network",
                "Only guarded tools are seen: what code reached by itself is not.",
                recorded=sum(call.network for call in self._calls.values()),
            ),
            self._content(),
        ]

    def _decided(self, frame: ReplayFrame) -> None:
        seen = frame.content.get("frame")
        if isinstance(seen, dict):
            self._named_model += bool(seen.get("model"))
            self._context[1] += len(seen.get("context") or ())
        if frame.body.get("prior") is None:
            self._calls[str(frame.body.get("action_id"))] = _call(frame.body)

    def _tool(self) -> Boundary:
        ran = {name for name, call in self._calls.items() if not call.stopped}
        silent = len(ran - self._reported)
        reasons = []
        if silent:
            reasons.append(f"{silent} calls were let through, and no result was reported.")
        if self._gaps:
            reasons.append(f"{self._gaps} guarded calls ran without a decision.")
        if self._truncated:
            reasons.append(f"{self._truncated} outputs were cut.")
        lost = self._lost()
        if lost:
            reasons.append(f"{lost} reports of the SDK never arrived.")
        used = bool(self._calls or self._gaps)
        partly = bool(silent or self._gaps or self._truncated or lost)
        return Boundary(
            "tool",
            "unused" if not used else "partial" if partly else "complete",
            recorded=len(ran & self._reported),
            stubbed=0,
            denied=len(self._calls) - len(ran),
            unobserved=silent + self._gaps,
            reasons=[*reasons, "Tools that are not guarded are not seen."],
        )

    def _model(self) -> Boundary:
        whole, part = self._models
        reasons = [f"{part} calls were told without messages or answer."] if part else []
        if not whole and not part:
            said = f"{self._named_model} decisions name a model, but " if self._named_model else ""
            reasons = [f"{said}no call of a model was reported.".capitalize()]
            return Boundary("model", "unobserved", 0, 0, 0, 0, reasons)
        return Boundary("model", "partial" if part else "complete", whole, 0, 0, part, reasons)

    def _mcp(self) -> Boundary:
        calls = [call for call in self._calls.values() if call.mcp]
        bare = sum(not call.schema for call in calls)
        stopped = sum(call.stopped for call in calls)
        reasons = [f"{bare} calls came without the schema of their tool."] if bare else []
        state: State = "unused" if not calls else "partial" if bare else "complete"
        return Boundary("mcp", state, len(calls) - stopped, 0, stopped, 0, reasons)

    def _retrieval(self) -> Boundary:
        told, beside = self._context
        if not told and not beside:
            reason = "No retrieved content was reported; whether there was any is not known."
            return Boundary("retrieval", "unobserved", 0, 0, 0, 0, [reason])
        reason = "What was retrieved and not reported is not seen."
        return Boundary("retrieval", "partial", told + beside, 0, 0, 0, [reason])

    def _approval(self) -> Boundary:
        expired = sum(state == "expired" for state in self._asked.values())
        state: State = "complete" if self._asked else "unused"
        reasons = [f"Of {expired} nobody answered in time: they expired."] if expired else []
        return Boundary("approval", state, len(self._asked), 0, expired, 0, reasons)

    def _content(self) -> Boundary:
        """What of the capture itself is still there."""
        reasons = []
        if self._erased:
            reasons.append(f"{self._erased} parts were erased.")
        if self._broken:
            reasons.append(f"{self._broken} parts were changed and cannot be opened.")
        if self._unreadable:
            reasons.append(f"{self._unreadable} events could not be read when they were recorded.")
        gone = self._erased + self._broken + self._unreadable
        return Boundary("content", "partial" if gone else "complete", 0, 0, 0, gone, reasons)

    def _lost(self) -> int:
        """Numbers that an SDK counted and that never came."""
        if not self._numbers:
            return 0
        return max(self._numbers) - min(self._numbers) + 1 - len(self._numbers)


def _call(body: dict[str, Any]) -> _Call:
    stopped = body.get("enforced") in STOPPING
    return _Call(
        stopped=stopped,
        network=not stopped and "network" in (body.get("side_effects") or ()),
        mcp=bool(body.get("mcp_server")),
        schema=body.get("schema_digest") is not None,
    )


def _nobody(name: Name, reason: str, recorded: int = 0) -> Boundary:
    return Boundary(name, "unobserved", recorded, 0, 0, 0, [reason])

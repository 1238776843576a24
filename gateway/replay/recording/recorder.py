"""From a run's frames to its calls: each decision is one, and its result belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.domain import canonical
from gateway.domain.instants import rfc3339
from gateway.domain.verdicts import STOPPING
from gateway.replay.frames import ReplayFrame
from gateway.replay.record.capture import Capture
from gateway.replay.recording.recorded import (
    Money,
    NotStored,
    RecordedCall,
    RecordedError,
    RecordedModelCall,
)

_NULL: Final = canonical.sha256(b"null")
_GIVEN: Final = ("system", "messages", "tools")
_MODEL: Final = ("parameters", "system", "messages", "tools", "answer", "reasoning")


class Recorder:
    """Follows a run frame by frame. `path` is where the run is below the one that is recorded.

    `size` grows with what is kept, in bytes.
    """

    def __init__(self, run: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        self.run, self.path = run, path
        self.frames = self.size = self.gone = 0
        self.capture = Capture()
        self.calls: dict[str, RecordedCall] = {}
        self.models: list[RecordedModelCall] = []
        # When which event was recorded: text that sorts as it counts, and never goes back.
        self.moments: dict[int, str] = {}
        self._run_id = str(run["run_id"])
        self._occurrences: dict[tuple[tuple[str, ...], str, str], int] = {}
        self._turns: dict[str, int] = {}
        # Where the bodies of tools make calls, by action.
        self._bodies: dict[str, tuple[str, ...]] = {}
        # What models were given, by the key under which later calls go on from it.
        self._given: dict[str, dict[str, Any]] = {}
        self._last = ""

    def add(self, frame: ReplayFrame) -> None:
        """The next frame of the run."""
        self.frames += 1
        self.capture.add(frame)
        self.gone += len(frame.erased) + len(frame.broken)
        self._last = self.moments[frame.seq] = max(self._last, frame.recorded_at)
        match frame.type:
            case "decision":
                self._decided(frame)
            case "result":
                self._resulted(frame)
            case "gap":
                self._ran_unchecked(frame)
            case "model_call":
                self._asked_model(frame)
            case "approval_requested" | "approval_expired":
                self._approval(frame)

    def _decided(self, frame: ReplayFrame) -> None:
        body = frame.body
        seen = frame.content.get("frame")
        action: dict[str, Any] = (seen.get("action") if isinstance(seen, dict) else None) or {}
        holed = {name.partition("/")[0] for name in (*frame.erased, *frame.broken)}
        arguments = action.get("arguments") if "frame" not in holed else None
        enforced = str(body["enforced"])
        stopped = enforced in STOPPING
        started_ns = str(body["decided_ns"])
        call = RecordedCall(
            run_id=self._run_id,
            seq=frame.seq,
            task=self._task(frame),
            tool=str(body["tool"]),
            action_id=str(body["action_id"]),
            arguments=arguments if isinstance(arguments, dict) else None,
            arguments_digest=str(body["submitted_digest"]),
            side_effects=tuple(map(str, body.get("side_effects") or ())),
            occurrence=self._occurrence(frame, str(body["tool"]), str(body["submitted_digest"])),
            decision=self._told(frame),
            outcome="stopped" if stopped else "unknown",
            inside=frame.parent_id,
            started_at=rfc3339(int(started_ns)),
            ended_seq=frame.seq if stopped else None,
            ended_at=rfc3339(int(started_ns)) if stopped else None,
            not_stored=None if stopped else "nothing reported",
            approval="pending" if enforced == "require_approval" else None,
        )
        self._approved(call)
        self._bodies[call.action_id] = (*call.task, f"in {call.tool}")
        self.calls[str(body["decision_id"])] = call
        self.size += len(canonical.encode(call))

    def _told(self, frame: ReplayFrame) -> dict[str, Any]:
        """The decision as the SDK read it; without its content, what the evidence says of it."""
        body, content = frame.body, frame.content
        decision = content.get("decision")
        known: dict[str, Any] = decision if isinstance(decision, dict) else {}
        seen, rounds = content.get("frame"), content.get("rounds")
        assessment = seen.get("assessment") if isinstance(seen, dict) else None
        if isinstance(rounds, list) and len(rounds) > 1:
            assessment = rounds[-1].get("assessment")
        approval_id = body.get("approval_id")
        return {
            "decision_id": body["decision_id"],
            "run_id": self._run_id,
            "action_id": body["action_id"],
            "seq": frame.seq,
            "verdict": body["verdict"],
            "enforced": body["enforced"],
            "mode": body["mode"],
            "reasons": known.get("reasons", body["rules"]),
            "arguments": known.get("arguments") if body["enforced"] == "modify" else None,
            "arguments_digest": body["arguments_digest"],
            "assessment": assessment,
            "policy": {"digest": body["policy_digest"], "commit": body.get("policy_commit")},
            "approval": {"id": approval_id, "url": None, "expires_at": None}
            if approval_id
            else None,
            "degraded": body.get("degraded") or [],
        }

    def _approved(self, call: RecordedCall) -> None:
        """A call that runs after its action waited for a person: the person said yes."""
        if call.outcome == "stopped":
            return
        for decision_id, before in self.calls.items():
            if before.action_id == call.action_id and before.approval == "pending":
                self.calls[decision_id] = replace(before, approval="approved")

    def _approval(self, frame: ReplayFrame) -> None:
        decision_id = str(frame.body.get("decision_id"))
        call = self.calls.get(decision_id)
        if call is None or call.decision is None:
            return
        if frame.type == "approval_expired":
            self.calls[decision_id] = replace(call, approval="expired")
            return
        expires = rfc3339(int(frame.body["expires_ns"]))
        asked = {**(call.decision["approval"] or {}), "expires_at": expires}
        decision = {**call.decision, "approval": asked}
        self.calls[decision_id] = replace(call, decision=decision)

    def _resulted(self, frame: ReplayFrame) -> None:
        body = frame.body
        decision_id = str(body.get("decision_id"))
        call = self.calls.get(decision_id)
        if call is None:
            return
        failed = body.get("status") == "failed"
        said = frame.content.get("error")
        error = said if isinstance(said, dict) else {}
        self.calls[decision_id] = replace(
            call,
            outcome="raised" if failed else "returned",
            ended_seq=frame.seq,
            ended_at=frame.occurred_at,
            duration_ns=body.get("duration_ns"),
            output=frame.content.get("output"),
            output_digest=body.get("output_digest"),
            not_stored=_why_missing(frame, "error" if failed else "output"),
            cut=bool(body.get("truncated")),
            error=RecordedError(str(error.get("type") or ""), str(error.get("message") or ""))
            if failed
            else None,
            cost=_money(body.get("cost")),
        )
        self.size += len(canonical.encode(self.calls[decision_id]))

    def _ran_unchecked(self, frame: ReplayFrame) -> None:
        body = frame.body
        digest = str(body.get("arguments_digest") or "")
        told = frame.content.get("observation")
        tool = body.get("tool") or (told.get("tool") if isinstance(told, dict) else None)
        self.calls[frame.id] = RecordedCall(
            run_id=self._run_id,
            seq=frame.seq,
            task=self._task(frame),
            tool=str(tool),
            action_id=str(frame.action_id or ""),
            arguments=None,
            arguments_digest=digest,
            side_effects=tuple(map(str, body.get("side_effects") or ())),
            occurrence=self._occurrence(frame, str(tool), digest),
            decision=None,
            outcome="unknown",
            started_at=frame.occurred_at,
            not_stored="ran without a decision",
        )

    def _asked_model(self, frame: ReplayFrame) -> None:
        body, told = frame.body, frame.content.get("observation")
        known = self._whole(body, told if isinstance(told, dict) else {})
        used = body.get("usage") or {}
        call = RecordedModelCall(
            run_id=self._run_id,
            seq=frame.seq,
            task=self._task(frame),
            at=frame.occurred_at,
            inside=frame.parent_id,
            provider=body.get("provider"),
            id=body.get("id"),
            prompt_version=body.get("prompt_version"),
            input_tokens=int(used.get("input_tokens") or 0),
            output_tokens=int(used.get("output_tokens") or 0),
            cost=_money(body.get("cost")),
            duration_ns=body.get("duration_ns"),
            not_stored="erased" if frame.erased else "changed" if frame.broken else None,
            **{name: known[name] for name in _MODEL if known.get(name) is not None},
        )
        self.models.append(call)
        self.size += len(canonical.encode(call))

    def _whole(self, body: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
        """All that the model was given: what an earlier call had is not told again."""
        before = body.get("continues")
        before = before if isinstance(before, dict) else {}
        earlier = self._given.get(str(before.get("key")), {})
        kept = (earlier.get("messages") or [])[: int(before.get("messages") or 0)]
        whole = {**told, "messages": [*kept, *(told.get("messages") or [])]}
        for name in ("system", "tools"):
            if before.get(name):
                whole[name] = earlier.get(name)
        if (key := body.get("key")) is not None:
            self._given[str(key)] = {name: whole.get(name) for name in _GIVEN}
        return whole

    def _task(self, frame: ReplayFrame) -> tuple[str, ...]:
        """Turns by their number: their ids are other ones in another run."""
        if frame.type in ("decision", "model_call") and frame.parent_id in self._bodies:
            return self._bodies[frame.parent_id]
        if frame.turn_id is None:
            return self.path
        number = self._turns.setdefault(frame.turn_id, len(self._turns) + 1)
        return (*self.path, f"turn {number}")

    def _occurrence(self, frame: ReplayFrame, tool: str, digest: str) -> int:
        key = (self._task(frame), tool, digest)
        count = self._occurrences[key] = self._occurrences.get(key, 0) + 1
        return count


def _why_missing(frame: ReplayFrame, part: str) -> NotStored | None:
    """Why a part of a result is not there. A tool that returned nothing has its digest."""
    if any(name.partition("/")[0] == part for name in frame.erased):
        return "erased"
    if any(name.partition("/")[0] == part for name in frame.broken):
        return "changed"
    if part in frame.content or part == "error":
        return None
    digest = str(frame.body.get("output_digest") or _NULL).removeprefix("sha256:")
    return None if digest == _NULL else "digest alone"


def _money(cost: Any) -> Money | None:
    if not isinstance(cost, dict):
        return None
    return Money(int(cost["value"]), str(cost["currency"]))

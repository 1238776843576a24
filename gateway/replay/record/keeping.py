"""The compact record, gathered frame by frame. Pure: the same frames give the same record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from gateway.replay.frames import ReplayFrame
from gateway.replay.record import calls
from gateway.replay.record.calls import OpenCall, member
from gateway.replay.record.capture import Capture
from gateway.replay.record.models import Models
from gateway.replay.record.shape import (
    SCHEMA,
    AgentShare,
    Child,
    HandedOff,
    Made,
    Money,
    PolicyInForce,
    Ref,
    Retried,
    RunRecord,
    StateSeen,
    Tool,
    Turn,
    Verified,
)

T = TypeVar("T")

# Of each kind so many are named; the others are counted in `left_out`.
NAMED_MAX: Final = 1_000
FRAMES_MAX: Final = 20_000


class RecordKeeper:
    """Takes the frames of a run in order."""

    def __init__(self) -> None:
        self.frames = 0
        self._capture = Capture()
        self._models = Models()
        self._calls: dict[str, OpenCall] = {}
        self._believed: dict[str, Ref] = {}
        self._policies: dict[PolicyInForce, None] = {}
        self._tools: dict[str, Tool] = {}
        self._servers: dict[str, None] = {}
        self._turns: dict[str, None] = {}
        self._artifacts: list[Made] = []
        self._verified: list[Verified] = []
        self._handoffs: list[HandedOff] = []
        self._retries: list[Retried] = []
        self._states: list[StateSeen] = []
        self._cost: Money = {}
        self._left_out = 0

    def add(self, frame: ReplayFrame) -> None:
        """The next frame."""
        self.frames += 1
        self._capture.add(frame)
        if frame.turn_id is not None and len(self._turns) < NAMED_MAX:
            self._turns.setdefault(frame.turn_id)
        taking = getattr(self, f"_take_{frame.type}", None)
        if taking is not None:
            taking(frame)

    def record(
        self,
        row: Mapping[str, Any],
        children: Sequence[Mapping[str, Any]],
        child_costs: Mapping[str, Money],
        *,
        complete: bool,
    ) -> RunRecord:
        """The record; `row` is the run's row, `children` are those of the runs below it."""
        agent_id = row["agent_id"]
        made = [
            each if each.agent_id else msgspec.structs.replace(each, agent_id=agent_id)
            for each in self._artifacts
        ]
        told = [call.told(agent_id, made) for call in self._calls.values()]
        own = self._models.shares(row["run_id"], agent_id, len(told), self._call_costs())
        below = [
            AgentShare(
                each["agent_id"],
                each["run_id"],
                each["actions"],
                None,
                None,
                None,
                dict(child_costs.get(each["run_id"], {})),
            )
            for each in children
        ]
        return RunRecord(
            schema=SCHEMA,
            run_id=row["run_id"],
            external_id=row["external_id"],
            name=row["name"],
            environment=row["environment"],
            agent_id=agent_id,
            user_id=row["user_id"],
            parent_run_id=row["parent_run_id"],
            child_runs=[Child(c["run_id"], c["agent_id"], c["status"]) for c in children],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            final_status=row["status"],
            believed=list(self._believed.values()),
            policies=list(self._policies),
            models=self._models.used(),
            prompt_versions=self._models.prompt_versions(),
            tools_available=[self._tools[name] for name in sorted(self._tools)],
            mcp_servers=sorted(self._servers),
            turns=[
                Turn(
                    turn_id,
                    [call.id for call in told if call.turn_id == turn_id],
                    [each.seq for each in made if each.turn_id == turn_id],
                )
                for turn_id in self._turns
            ],
            tool_calls=told,
            artifacts=made,
            verification=self._verified,
            handoffs=self._handoffs,
            retries=self._retries,
            shared_state=self._states,
            cost=dict(sorted(self._cost.items())),
            input_tokens=self._models.input_tokens,
            output_tokens=self._models.output_tokens,
            cost_by_agent=[*own, *below],
            capture=self._capture.manifest(),
            frames=self.frames,
            complete=complete,
            left_out=self._left_out,
        )

    def _take_request(self, frame: ReplayFrame) -> None:
        self._believed["request"] = Ref(frame.seq, "/observation/text")

    def _take_plan(self, frame: ReplayFrame) -> None:
        self._believed["plan"] = Ref(frame.seq, "/observation")

    def _take_decision(self, frame: ReplayFrame) -> None:
        body, seen = frame.body, frame.content.get("frame")
        seen = seen if isinstance(seen, dict) else {}
        asked = seen.get("request") or {}
        if asked.get("user"):
            self._believed["request"] = Ref(frame.seq, "/frame/request/user")
        if asked.get("plan"):
            self._believed["plan"] = Ref(frame.seq, "/frame/request/plan")
        policy = PolicyInForce(
            str(body.get("policy_digest")), body.get("policy_commit"), str(body.get("mode"))
        )
        if len(self._policies) < NAMED_MAX:
            self._policies.setdefault(policy)
        for tool in seen.get("tools_available") or ():
            named = Tool(tool) if isinstance(tool, str) else Tool(tool["name"], tool.get("digest"))
            if len(self._tools) < NAMED_MAX or named.name in self._tools:
                self._tools[named.name] = named
        if (server := body.get("mcp_server")) is not None and len(self._servers) < NAMED_MAX:
            self._servers.setdefault(server)
        self._models.named_by(seen)
        action_id = str(body.get("action_id"))
        before = self._calls.get(action_id)
        if before is not None:
            before.judged_again(frame, seen, self._models)
        elif len(self._calls) < NAMED_MAX:
            self._calls[action_id] = calls.opened(frame, seen, self._models)
        else:
            self._left_out += 1

    def _take_result(self, frame: ReplayFrame) -> None:
        self._spend(frame.body.get("cost"))
        if (call := self._call_of(frame)) is not None:
            call.resulted(frame)

    def _take_approval_requested(self, frame: ReplayFrame) -> None:
        if (call := self._call_of(frame)) is not None:
            call.approval = ("requested", str(frame.body.get("approval_id")))

    def _take_approval_expired(self, frame: ReplayFrame) -> None:
        call = self._call_of(frame)
        if call is not None and not frame.body.get("superseded"):
            call.approval = ("expired", str(frame.body.get("approval_id")))

    def _take_model_call(self, frame: ReplayFrame) -> None:
        self._spend(frame.body.get("cost"))
        self._models.asked(frame)
        observed = frame.content.get("observation")
        for tool in (observed.get("tools") or ()) if isinstance(observed, dict) else ():
            named = calls.offered(tool)
            if named is not None and (len(self._tools) < NAMED_MAX or named.name in self._tools):
                self._tools.setdefault(named.name, named)

    def _take_artifact(self, frame: ReplayFrame) -> None:
        body = frame.body
        made = Made(
            seq=frame.seq,
            name=member(frame, "name"),
            path=body.get("path"),
            access=body.get("access"),
            digest=body.get("digest"),
            media_type=body.get("media_type"),
            size=body.get("size"),
            call_id=frame.action_id,
            turn_id=frame.turn_id,
            agent_id=body.get("agent_id"),
        )
        self._keep(self._artifacts, made)

    def _take_verification(self, frame: ReplayFrame) -> None:
        body = frame.body
        found = Verified(
            frame.seq,
            member(frame, "name"),
            body.get("kind"),
            str(body.get("status")),
            body.get("duration_ns"),
            body.get("digest"),
        )
        self._keep(self._verified, found)

    def _take_handoff(self, frame: ReplayFrame) -> None:
        body = frame.body
        found = HandedOff(
            frame.seq,
            body.get("kind"),
            str(body.get("to_agent")),
            body.get("child_run_id"),
            list(body.get("digests") or ()),
            body.get("version"),
            body.get("retry_owner"),
        )
        self._keep(self._handoffs, found)

    def _take_shared_state(self, frame: ReplayFrame) -> None:
        body = frame.body
        found = StateSeen(
            frame.seq,
            str(body.get("store")),
            str(body.get("version")),
            str(body.get("access")),
            body.get("digest"),
            body.get("agent_id"),
        )
        self._keep(self._states, found)

    def _take_retry(self, frame: ReplayFrame) -> None:
        body = frame.body
        found = Retried(
            frame.seq,
            str(body.get("kind")),
            body.get("number"),
            body.get("route"),
            body.get("retry_owner"),
        )
        self._keep(self._retries, found)
        if (call := self._call_of(frame)) is not None and len(call.retries) < NAMED_MAX:
            call.retries.append(found)

    def _call_of(self, frame: ReplayFrame) -> OpenCall | None:
        return self._calls.get(str(frame.body.get("action_id") or frame.action_id))

    def _keep(self, held: list[T], found: T) -> None:
        if len(held) < NAMED_MAX:
            held.append(found)
        else:
            self._left_out += 1

    def _spend(self, cost: Any) -> None:
        calls.add_cost(self._cost, cost)

    def _call_costs(self) -> Money:
        """What the tools cost; model calls are told apart, by who asked."""
        found = dict(self._cost)
        for currency, amount in self._models.cost().items():
            found[currency] -= amount
        return {currency: amount for currency, amount in found.items() if amount}

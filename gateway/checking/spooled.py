"""What the spool holds of a decision, and what is remembered of those that wait in it."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import Struct

from gateway.checking.case import Case
from gateway.checking.decided import Decided
from gateway.domain.events import DecisionBody, Draft
from gateway.domain.fold import PastEvent, change_of
from gateway.domain.run_state import ActionRecord, RunState, StateChange
from gateway.errors import SpoolFull
from gateway.storage.ports import Gathered

VERSION = 1
WAITING_MAX = 10_000

RunKey = tuple[str, str]


class SpooledDecision(Struct, frozen=True):
    """A decision as it was given, with its ids and times, and the events that belong to it.

    `start` begins the run where nothing else has. `user_id`, `agent_id` and `parent_run_id` are
    what the caller said of the run, `bound_agent_id` the agent that its key is bound to. `confirm`
    is what the call takes of shared counters, `expires_ns` the end of the approval it asks for.
    """

    version: int
    project_id: str
    environment: str
    run_id: str
    decision_id: str
    action_id: str
    start: Draft
    drafts: tuple[Draft, ...]
    user_id: str | None = None
    agent_id: str | None = None
    parent_run_id: str | None = None
    bound_agent_id: str | None = None
    confirm: dict[str, int] = {}
    expires_ns: int | None = None

    @property
    def run(self) -> RunKey:
        return (self.project_id, self.run_id)

    def changes(self) -> list[StateChange]:
        """What the events change, without the run's start."""
        past = (PastEvent(each.id, 2, each.type, each.body) for each in self.drafts)
        return [change for each in past if (change := change_of(each, {})) is not None]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SpooledDecision)
_bodies = msgspec.json.Decoder(DecisionBody)


def spooled(case: Case, made: Decided) -> SpooledDecision:
    """The record of a decision that was made as if the run began with it."""
    append = made.append
    return SpooledDecision(
        version=VERSION,
        project_id=append.project_id,
        environment=append.environment,
        run_id=append.run_id,
        decision_id=case.ids.decision_id,
        action_id=case.ids.action_id,
        start=append.drafts[0],
        drafts=append.drafts[1:],
        user_id=case.run.user_id,
        agent_id=case.agent_id,
        parent_run_id=case.run.parent_run_id,
        bound_agent_id=case.caller.agent_id,
        confirm=append.confirm,
        expires_ns=append.confirm_deadline_ns if made.approval else None,
    )


def encode(decision: SpooledDecision) -> bytes:
    return _encoder.encode(decision)


def decode(payload: bytes | None) -> SpooledDecision | None:
    """None for what this release cannot read."""
    try:
        found = None if payload is None else _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found is not None and found.version == VERSION else None


class Waiting:
    """The decisions that wait in the spool: which runs they belong to, and what they did there.

    A run stays here until all of its decisions are drained, so that nothing is judged from a state
    that lacks them. Bounded: beyond it nothing more is spooled, since a decision that was
    forgotten could be made again.
    """

    def __init__(self, most: int = WAITING_MAX) -> None:
        self._most = most
        self._decisions: dict[tuple[str, str], RunKey] = {}
        self._runs: Counter[RunKey] = Counter()
        self._actions: dict[RunKey, dict[str, ActionRecord]] = {}
        self._halted: set[RunKey] = set()

    def __len__(self) -> int:
        return len(self._decisions)

    def knows(self, project_id: str, decision_id: str) -> bool:
        return (project_id, decision_id) in self._decisions

    def holds(self, case: Case) -> bool:
        """Whether decisions of the run, or of the one above it, wait."""
        project_id, parent = case.caller.project_id, case.run.parent_run_id
        if (project_id, case.ids.run_id) in self._runs:
            return True
        return parent is not None and (project_id, parent) in self._runs

    def gathered(self, case: Case) -> Gathered:
        """What is known of the run here: its actions in the spool, and whether it was halted."""
        place = (case.caller.project_id, case.caller.environment, case.ids.run_id)
        run, above = (place[0], place[2]), (place[0], case.run.parent_run_id or "")
        return Gathered(
            state=RunState(*place),
            version=0,
            halted=run in self._halted or above in self._halted,
            action=self._actions.get(run, {}).get(case.ids.action_id),
            used={},
            stored_environment=case.caller.environment,
        )

    def add(self, decision: SpooledDecision, *, forced: bool = False) -> None:
        """Raises SpoolFull beyond the bound, unless it is `forced`: it is on the disk already."""
        if len(self._decisions) >= self._most and not forced:
            raise SpoolFull(f"{len(self._decisions)} decisions wait in the spool")
        run = decision.run
        self._decisions[decision.project_id, decision.decision_id] = run
        self._runs[run] += 1
        for change in decision.changes():
            if change.action is not None:
                self._actions.setdefault(run, {})[decision.action_id] = change.action
            if change.halted:
                self._halted.add(run)

    def drop(self, decision: SpooledDecision) -> None:
        """It is in the journal, or was never durable."""
        run = self._decisions.pop((decision.project_id, decision.decision_id), None)
        if run is None:
            return
        self._runs[run] -= 1
        record = self._actions.get(run, {}).get(decision.action_id)
        if record is not None and record.decision_id == decision.decision_id:
            del self._actions[run][decision.action_id]
        if not self._runs[run]:
            del self._runs[run]
            self._actions.pop(run, None)
            self._halted.discard(run)

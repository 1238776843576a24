"""A run's state from its events alone: how a run that was let go comes back, and a proof that the
hot state is nothing but a fold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain.events import BODIES
from gateway.domain.run_state import (
    ActionRecord,
    RunState,
    StateChange,
    apply,
    change_of_approval,
    change_of_decision,
    change_of_expiry,
    change_of_observation,
    change_of_result,
    change_of_settlement,
)

_decoders = {kind: msgspec.json.Decoder(body) for kind, body in BODIES.items()}


class PastEvent(Struct, frozen=True):
    """What folding needs of an event; `body` is its canonical JSON."""

    id: str
    seq: int
    type: str
    body: bytes


class Folded(Struct, frozen=True):
    """The state, and the record of every action, in the order in which they were judged last."""

    state: RunState
    actions: dict[str, ActionRecord]


def fold(project_id: str, environment: str, run_id: str, events: Iterable[PastEvent]) -> Folded:
    """The run's state after these events, which are all of the run's, in order."""
    folded = Folded(RunState(project_id, environment, run_id), {})
    extend(folded, events)
    return folded


def extend(folded: Folded, events: Iterable[PastEvent]) -> None:
    """Fold the events that come next, in place: a long run need not be folded in one stretch."""
    for event in events:
        change = change_of(event, folded.actions)
        if change is not None:
            apply(folded.state, change)
            _keep(folded.actions, change)
        folded.state.last_seq = event.seq


def _keep(actions: dict[str, ActionRecord], change: StateChange) -> None:
    """An action judged anew becomes the newest, a closed one keeps its place."""
    if change.action is not None:
        actions.pop(change.action.action_id, None)
        actions[change.action.action_id] = change.action
    if change.closed is not None:
        actions[change.closed.action_id] = change.closed


def change_of(event: PastEvent, actions: dict[str, ActionRecord]) -> StateChange | None:
    """What one event changes, given the actions before it."""
    decoder = _decoders.get(event.type)
    if decoder is None:
        return change_of_observation(event.type, msgspec.json.decode(event.body))
    if event.type == "run_started" and event.seq != 1:
        return None
    body = decoder.decode(event.body)
    if event.type == "run_started":
        return StateChange(started=body)
    if event.type == "decision":
        return change_of_decision(body, event.id)
    if event.type == "approval_requested":
        return change_of_approval(body)
    action = actions.get(getattr(body, "action_id", ""))
    return _change_of_closing(event.type, body, action)


def _change_of_closing(kind: str, body: Any, action: ActionRecord | None) -> StateChange | None:
    if kind == "approval_expired":
        return change_of_expiry(body, action)
    if action is None:
        return None
    if kind == "result":
        return change_of_result(body, action)
    if kind == "settlement":
        return change_of_settlement(body, action)
    return None

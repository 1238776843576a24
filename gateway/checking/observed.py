"""Turning what a caller reports into events and state changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.ambient import Ambient
from gateway.domain import canonical
from gateway.domain.check import RunRef
from gateway.domain.events import Draft, RunStartedBody
from gateway.domain.observations import EVIDENCE_FIELDS, Feedback, Observation, RunStarted
from gateway.domain.run_state import StateChange, change_of_observation
from gateway.storage.ports import Caller

_CONTENT_ENCODER = msgspec.json.Encoder(order="sorted")


def run_started(
    run: RunRef, *, external_id: str | None, agent_id: str | None, now: str, ambient: Ambient
) -> tuple[Draft, StateChange]:
    """The event at seq 1 of every run, from what the first request says about it."""
    body = RunStartedBody(
        name=run.name,
        agent_id=agent_id or run.agent_id,
        user_id=run.user_id,
        parent_run_id=run.parent_run_id,
        external_id=external_id,
    )
    draft = Draft(
        id=ambient.new_id("evt"),
        type="run_started",
        occurred_at=now,
        recorded_at=now,
        actor="gateway",
        body=canonical.encode(body),
    )
    return draft, StateChange(started=body)


def observations(
    reported: Iterable[Observation],
    *,
    starts: bool,
    now: str,
    ambient: Ambient,
    caller: Caller,
) -> tuple[list[Draft], list[StateChange]]:
    """A draft for each observation, in order, and what they change.

    A `run_started` report is left out where the run begins with this very append.
    """
    drafts: list[Draft] = []
    changes: list[StateChange] = []
    for seen in reported:
        if starts and isinstance(seen, RunStarted):
            continue
        fields = msgspec.to_builtins(seen)
        change = change_of_observation(fields["type"], fields)
        drafts.append(_draft(seen, fields, now, ambient, caller))
        if change is not None:
            changes.append(change)
    return drafts, changes


def _draft(
    seen: Observation, fields: dict[str, Any], now: str, ambient: Ambient, caller: Caller
) -> Draft:
    kind = fields.pop("type")
    evidence = {key: value for key, value in fields.items() if key in EVIDENCE_FIELDS}
    if isinstance(seen, Feedback) and seen.decision_id and caller.agent_id is None:
        # It counts as this key's word, which no report can name; an agent's own key has none.
        evidence["labeller"] = caller.key_id
    if caller.agent_id is not None and evidence.get("agent_id"):
        # An agent's own key speaks for that agent, whatever the report says.
        evidence["agent_id"] = caller.agent_id
    content = {
        key: value
        for key, value in fields.items()
        if key not in EVIDENCE_FIELDS and value not in (None, [], {})
    }
    return Draft(
        id=ambient.new_id("evt"),
        type=kind,
        occurred_at=seen.occurred_at or now,
        recorded_at=now,
        actor="agent",
        body=canonical.encode({k: v for k, v in evidence.items() if v not in (None, [], {})}),
        content={"observation": _CONTENT_ENCODER.encode(content)} if content else {},
        turn_id=seen.turn_id,
        action_id=seen.action_id,
        parent_id=seen.parent_id,
    )

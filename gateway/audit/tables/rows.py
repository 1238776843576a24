"""Runs that meet a filter, and the actions in them, one flat row each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from gateway.domain import projections
from gateway.domain.events import DecisionBody, Event
from gateway.errors import StorageFailure
from gateway.storage.ports import Ledger
from gateway.storage.wanted import RunFilter

RUNS_PAGE = 100
EVENTS_PAGE = 500

RUN_FIELDS = projections.RunRow.__struct_fields__
ACTION_FIELDS = (
    "seq",
    "decided_at",
    "decision_id",
    "action_id",
    "tool",
    "side_effects",
    "verdict",
    "enforced",
    "mode",
    "rules",
    "arguments_digest",
    "policy_digest",
)
# A row of a run has no action, and one of an action stands beside its run.
FIELDS = ("row", *RUN_FIELDS, *ACTION_FIELDS)

Row = dict[str, Any]

_events = msgspec.json.Decoder(Event)


async def rows(ledger: Ledger, project_id: str, wanted: RunFilter) -> AsyncIterator[Row]:
    """Each run, newest first, and behind it its actions in order. No content is opened."""
    before: tuple[str, str] | None = None
    while page := await ledger.runs(project_id, wanted, before, RUNS_PAGE):
        for run in page:
            yield {"row": "run", **run}
            async for action in _actions(ledger, project_id, run):
                yield action
        before = (page[-1]["started_at"], page[-1]["run_id"])


async def _actions(ledger: Ledger, project_id: str, run: Mapping[str, Any]) -> AsyncIterator[Row]:
    after = 0
    while page := await ledger.events(project_id, run["run_id"], after, EVENTS_PAGE):
        for stored in page:
            try:
                event = _events.decode(stored.record)
                body = projections.open_body(event)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                text = f"an event of {run['run_id']} cannot be read: {error}"
                raise StorageFailure(text) from error
            after = event.seq
            if isinstance(body, DecisionBody):
                yield {"row": "action", "run_id": run["run_id"], **_action(event, body)}


def _action(event: Event, body: DecisionBody) -> Row:
    return {
        "seq": event.seq,
        "decided_at": event.occurred_at,
        "decision_id": body.decision_id,
        "action_id": body.action_id,
        "tool": body.tool,
        "side_effects": list(body.side_effects),
        "verdict": body.verdict,
        "enforced": body.enforced,
        "mode": body.mode,
        "rules": [each.rule for each in body.rules],
        "arguments_digest": body.arguments_digest,
        "policy_digest": body.policy_digest,
    }

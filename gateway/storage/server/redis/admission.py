"""Whether an append fits a run as it was read: all that is checked before anything is sent.

Redis then only compares the run's version, so what is decided here holds when it is written.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.domain.run_state import RECENT_MAX, ActionRecord, RunState, holds
from gateway.storage.ports import Append, RefusedWhy

Records = Mapping[str, ActionRecord | None]


def wanted_actions(append: Append, state: RunState) -> list[str]:
    """The actions whose records must be looked up, since the recent ones are not all."""
    if all_recent(state):
        return []
    wanted = {change.closed.action_id for change in append.changes if change.closed is not None}
    if append.settle_action is not None:
        wanted.add(append.settle_action)
    if append.action_id is not None:
        wanted.add(append.action_id)
    # An id that was unused when it was gathered can only have come since: it is a recent one.
    if append.expected_event is None and _gathered_lately(append, state):
        wanted.discard(append.action_id or "")
    return sorted(wanted - state.recent.keys())


def all_recent(state: RunState) -> bool:
    """Whether the run's actions are all among the recent ones."""
    return state.counters.get("calls", 0) <= RECENT_MAX and len(state.recent) < RECENT_MAX


def refusal(append: Append, state: RunState, known: bool, records: Records) -> RefusedWhy | None:
    """Why the append must be judged again, or None. `records` are actions that are not recent."""
    if known and state.environment != append.environment:
        return "environment"
    if append.allows and state.halted:
        return "halted"
    if append.action_id is not None:
        record = _record(state, records, append.action_id)
        if (record.event_id if record else None) != append.expected_event:
            return "action_changed"
    if not _changes_fit(append, state, known, records) or not _settles(append, state, records):
        return "action_changed"
    if any(holds(state, predicate) != truth for predicate, truth in append.reads):
        return "predicate"
    return None


def _gathered_lately(append: Append, state: RunState) -> bool:
    return (
        append.gathered_version > 0 and 0 <= state.last_seq - append.gathered_version < RECENT_MAX
    )


def _record(state: RunState, records: Records, action_id: str) -> ActionRecord | None:
    return state.recent.get(action_id) or records.get(action_id)


def _changes_fit(append: Append, state: RunState, known: bool, records: Records) -> bool:
    """A run starts once, an approval is closed once, and an action gets one report."""
    opened = set(state.approvals)
    for change in append.changes:
        if change.started is not None and known:
            return False
        if change.approval is not None:
            opened.add(change.approval.id)
        if change.approval_closed is not None and change.approval_closed not in opened:
            return False
        if change.closed is not None and not _may_close(
            change.closed, _record(state, records, change.closed.action_id)
        ):
            return False
    return True


def _may_close(closed: ActionRecord, record: ActionRecord | None) -> bool:
    """Only the judgement that the caller saw is closed, and not over a report it did not see."""
    if record is None or record.event_id != closed.event_id:
        return False
    return record.report_digest is None


def _settles(append: Append, state: RunState, records: Records) -> bool:
    """What is released is still held: nothing is given back twice."""
    if append.settle_action is None:
        return not append.release
    record = _record(state, records, append.settle_action)
    return record is not None and all(
        record.reservations.get(key, 0) >= amount for key, amount in append.release.items()
    )

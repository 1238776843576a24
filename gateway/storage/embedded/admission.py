"""Whether an append still fits the world: everything that is checked before anything changes."""

from __future__ import annotations

from gateway.domain.run_state import RECENT_MAX, ActionRecord, holds
from gateway.storage.embedded.hot_runs import HotRun, HotRuns
from gateway.storage.embedded.reservations import Reservations
from gateway.storage.ports import Append, RefusedWhy


def refusal(
    append: Append, hot: HotRun, runs: HotRuns, reservations: Reservations, generation: int
) -> RefusedWhy | None:
    """Why the append must be judged again, or None. `generation` is that of the memory now."""
    state = hot.state
    # What was seen in a memory that a failed write took away never happened.
    if append.gathered_generation not in (None, generation):
        return "predicate"
    if hot.known and state.environment != append.environment:
        return "environment"
    if append.allows and runs.halted((append.project_id, append.run_id), append.parent_run_id):
        return "halted"
    if append.action_id is not None:
        record = _record(append, hot, runs)
        if (record.event_id if record else None) != append.expected_event:
            return "action_changed"
    if not _changes_fit(append, hot, runs) or not _settles(append, hot, runs):
        return "action_changed"
    if any(holds(state, predicate) != truth for predicate, truth in append.reads):
        return "predicate"
    if not reservations.covers(append.project_id, append.reservation_id, append.confirm):
        return "predicate"
    return None


def _record(append: Append, hot: HotRun, runs: HotRuns) -> ActionRecord | None:
    """The action's record now. What came since the gather is in memory, unless that is long ago."""
    assert append.action_id is not None
    state = hot.state
    if append.expected_event is None and state.last_seq - append.gathered_version < RECENT_MAX:
        return state.recent.get(append.action_id) or hot.flying.get(append.action_id)
    return runs.action(hot, append.action_id)


def _changes_fit(append: Append, hot: HotRun, runs: HotRuns) -> bool:
    """A run starts once, an approval is closed once, and an action gets one report."""
    opened = set(hot.state.approvals)
    for change in append.changes:
        if change.started is not None and hot.known:
            return False
        if change.approval is not None:
            opened.add(change.approval.id)
        if change.approval_closed is not None and change.approval_closed not in opened:
            return False
        if change.closed is not None and not _may_close(
            change.closed, runs.action(hot, change.closed.action_id)
        ):
            return False
    return True


def _may_close(closed: ActionRecord, record: ActionRecord | None) -> bool:
    """Only the judgement that the caller saw is closed, and not over a report it did not see."""
    if record is None or record.event_id != closed.event_id:
        return False
    return record.report_digest is None


def _settles(append: Append, hot: HotRun, runs: HotRuns) -> bool:
    """What is released is still held: nothing is given back twice."""
    if append.settle_action is None:
        return not append.release
    record = runs.action(hot, append.settle_action)
    return record is not None and all(
        record.reservations.get(key, 0) >= amount for key, amount in append.release.items()
    )

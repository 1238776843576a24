"""The journal's rows: every statement on journal.db, and how values become rows and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.domain.run_state import ActionRecord, Approval, RunState, settle_by
from gateway.storage.ports import Append

INSERT_EVENT = """
    INSERT INTO event (row, project_id, run_id, seq, id, environment, recorded_ns, raw)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
UPSERT_RUN = """
    INSERT INTO run
        (project_id, run_id, environment, state, secret, last_seq, last_row, last_ns)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET state = excluded.state, last_seq = excluded.last_seq,
        last_row = excluded.last_row, last_ns = excluded.last_ns
"""
# One statement makes and closes actions, so that a group keeps their order. A closed one comes
# with place 0 and stays where it was.
UPSERT_ACTION = """
    INSERT INTO action (project_id, run_id, action_id, place, decision_id, record, deadline_ns)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET place = max(place, excluded.place),
        decision_id = excluded.decision_id, record = excluded.record,
        deadline_ns = excluded.deadline_ns
"""
# Closed once, closed for ever: an approval's id is never asked for again.
UPSERT_APPROVAL = """
    INSERT INTO approval (project_id, run_id, approval_id, expires_ns, record, closed)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET closed = max(closed, excluded.closed)
"""
ADD_COUNTER = """
    INSERT INTO counter (project_id, key, total) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET total = max(-9007199254740991,
        min(9007199254740991, total + excluded.total))
"""

# The row may be written meanwhile by an append that was admitted before; it leaves the secret.
ERASE_RUN = "UPDATE run SET secret = x'' WHERE project_id = ? AND run_id = ?"

SELECT_RUN = """
    SELECT environment, state, secret, last_seq, last_row FROM run
    WHERE project_id = ? AND run_id = ?
"""
SELECT_RECENT = """
    SELECT record FROM action WHERE project_id = ? AND run_id = ?
    ORDER BY place DESC LIMIT ?
"""
SELECT_PENDING = """
    SELECT record FROM approval WHERE project_id = ? AND run_id = ? AND closed = 0
    ORDER BY approval_id
"""
SELECT_ACTION = "SELECT record FROM action WHERE project_id = ? AND run_id = ? AND action_id = ?"
SELECT_DECISION = "SELECT run_id, record FROM action WHERE project_id = ? AND decision_id = ?"
SELECT_EVENT = "SELECT seq, raw FROM event WHERE id = ? AND project_id = ? AND run_id = ?"
SELECT_PLACE = "SELECT run_id, environment, raw FROM event WHERE id = ? AND project_id = ?"
SELECT_COUNTER = "SELECT total FROM counter WHERE project_id = ? AND key = ?"
SELECT_NEXT_ROW = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'event'"
SELECT_BACKLOG = """
    SELECT count, (SELECT recorded_ns FROM event ORDER BY row LIMIT 1)
    FROM (SELECT max(row) - min(row) + 1 AS count FROM event)
"""
SELECT_DUE_ACTIONS = """
    SELECT action.project_id, run.environment, action.run_id, action.action_id, action.record
    FROM action JOIN run USING (project_id, run_id)
    WHERE action.deadline_ns <= ? ORDER BY action.deadline_ns LIMIT ?
"""
# Without a deadline it is due no more, and does not keep its run from leaving for the ledger, which
# has its own record of the action. Only as it was read: it may have been written anew since.
SET_ASIDE = """
    UPDATE action SET deadline_ns = NULL
    WHERE project_id = ? AND run_id = ? AND action_id = ? AND record = ?
"""
SELECT_DUE_APPROVALS = """
    SELECT approval.project_id, run.environment, approval.run_id, approval.approval_id
    FROM approval JOIN run USING (project_id, run_id)
    WHERE approval.closed = 0 AND approval.expires_ns <= ? ORDER BY approval.expires_ns LIMIT ?
"""


class _Scalars(Struct, frozen=True):
    """A run's state without what has tables of its own."""

    counters: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    halted: bool = False
    status: str = "running"
    agent_id: str | None = None
    user_id: str | None = None
    parent_run_id: str | None = None
    name: str | None = None
    external_id: str | None = None


_encoder = msgspec.msgpack.Encoder()
_scalars = msgspec.msgpack.Decoder(_Scalars)
_actions = msgspec.msgpack.Decoder(ActionRecord)
_approvals = msgspec.msgpack.Decoder(Approval)


def run_row(state: RunState, wrapped: bytes, last_row: int, last_ns: int) -> tuple[Any, ...]:
    scalars = _Scalars(
        state.counters,
        state.labels,
        state.halted,
        state.status,
        state.agent_id,
        state.user_id,
        state.parent_run_id,
        state.name,
        state.external_id,
    )
    return (
        state.project_id,
        state.run_id,
        state.environment,
        _encoder.encode(scalars),
        wrapped,
        state.last_seq,
        last_row,
        last_ns,
    )


def action_row(
    project_id: str, run_id: str, record: ActionRecord, place: int, deadline_ns: int | None
) -> tuple[Any, ...]:
    return (
        project_id,
        run_id,
        record.action_id,
        place,
        record.decision_id,
        _encoder.encode(record),
        deadline_ns,
    )


def actions_of(append: Append, first_row: int) -> Iterator[tuple[Any, ...]]:
    """The actions an append makes or closes. Only a new one can hold unsettled reservations."""
    deadline_ns = append.confirm_deadline_ns if append.confirm else None
    for number, change in enumerate(append.changes):
        for record, place, due_ns in (
            (change.action, _place(first_row, number), deadline_ns),
            (change.closed, 0, None),
        ):
            if record is not None:
                yield action_row(append.project_id, append.run_id, record, place, due_ns)


def reloaded_actions(
    state: RunState, actions: Mapping[str, ActionRecord], first_row: int
) -> Iterator[tuple[Any, ...]]:
    """The actions of a run folded from the ledger: they come before those that follow.

    Their deadlines are those that they had: what is not settled yet is due again.
    """
    older = [record for action_id, record in actions.items() if action_id not in state.recent]
    for number, record in enumerate([*older, *state.recent.values()]):
        place = _place(first_row - 1, number)
        due_ns = settle_by(record, state.approvals)
        yield action_row(state.project_id, state.run_id, record, place, due_ns)


def approvals_of(append: Append) -> Iterator[tuple[Any, ...]]:
    """The approvals an append asks for, and those it closes."""
    for change in append.changes:
        if change.approval is not None:
            yield _approval_row(append.project_id, append.run_id, change.approval)
        if change.approval_closed is not None:
            yield (append.project_id, append.run_id, change.approval_closed, 0, b"", 1)


def reloaded_approvals(state: RunState) -> Iterator[tuple[Any, ...]]:
    """The pending approvals of a run folded from the ledger."""
    for approval in state.approvals.values():
        yield _approval_row(state.project_id, state.run_id, approval)


def read_run(
    reader: sqlite3.Connection, project_id: str, run_id: str, recent_max: int
) -> tuple[RunState, bytes, int] | None:
    """(state, wrapped secret, row of the last event) as on disk."""
    key = (project_id, run_id)
    rows = reader.execute(SELECT_RUN, key).fetchall()
    if not rows:
        return None
    environment, blob, wrapped, last_seq, last_row = rows[0]
    scalars = _scalars.decode(blob)
    recent = reader.execute(SELECT_RECENT, (*key, recent_max)).fetchall()
    pending = reader.execute(SELECT_PENDING, key).fetchall()
    actions = [_actions.decode(row[0]) for row in reversed(recent)]
    approvals = [_approvals.decode(row[0]) for row in pending]
    state = RunState(
        project_id=project_id,
        environment=environment,
        run_id=run_id,
        last_seq=last_seq,
        recent={record.action_id: record for record in actions},
        approvals={approval.id: approval for approval in approvals},
        **msgspec.structs.asdict(scalars),
    )
    return state, wrapped, last_row


def decode_action(blob: bytes) -> ActionRecord:
    return _actions.decode(blob)


def _approval_row(project_id: str, run_id: str, approval: Approval) -> tuple[Any, ...]:
    record = _encoder.encode(approval)
    return (project_id, run_id, approval.id, approval.expires_ns, record, 0)


def _place(row: int, number: int) -> int:
    """Rises with the rows, and within one append."""
    return (row << 20) + number

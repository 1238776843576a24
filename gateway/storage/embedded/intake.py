"""Taking an append in: the memory changes, and the rows that say the same.

Nothing here waits, and nothing fails once the memory has begun to change: whatever cannot be
written is found out before.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain.run_state import ActionRecord, apply
from gateway.errors import StorageFailure
from gateway.storage import record
from gateway.storage.embedded import journal_rows as rows
from gateway.storage.embedded.hot_runs import HotRun
from gateway.storage.embedded.writer import Statement
from gateway.storage.ports import Append

_encoder = msgspec.msgpack.Encoder()


class Taken(Struct, frozen=True):
    """What an append became: `actions` are flying until its `statements` are on disk.

    `moved` is what it adds to each shared counter.
    """

    first_seq: int
    statements: list[Statement]
    actions: list[ActionRecord]
    moved: dict[str, int]


def take_in(
    append: Append, hot: HotRun, lacking: dict[str, int], first_row: int, now_ns: int
) -> Taken:
    """Apply an append that was admitted. The event rows begin at `first_row`.

    `lacking` is what the counters lack of what the run holds.

    Raises StorageFailure, the memory untouched, when a value cannot be stored.
    """
    state = hot.state
    first_seq = state.last_seq + 1
    try:
        moved = _moved(append, lacking)
        events = _event_rows(append, hot, first_row, now_ns)
        actions = list(rows.actions_of(append, first_row))
        approvals = list(rows.approvals_of(append))
        past = hot.reloaded
        if past is not None:
            actions = [*rows.reloaded_actions(state, past.actions, first_row), *actions]
            approvals = [*rows.reloaded_approvals(state), *approvals]
        counters = [(append.project_id, key, amount) for key, amount in moved.items()]
        _encoder.encode((append.changes, append.environment, moved))
    except (ValueError, OverflowError) as error:
        raise StorageFailure(f"the append holds a value that cannot be stored: {error}") from error

    if not hot.known:
        state.environment = append.environment
    flying = list(past.actions.values()) if past else []
    for change in append.changes:
        apply(state, change)
        flying += [each for each in (change.action, change.closed) if each is not None]
    for action in flying:
        hot.flying[action.action_id] = action
    state.last_seq += len(append.drafts)
    hot.known, hot.reloaded, hot.held = True, None, {}
    hot.last_row = first_row + len(append.drafts) - 1
    hot.pending += 1

    assert hot.wrapped is not None
    statements: list[Statement] = [
        (rows.INSERT_EVENT, events),
        (rows.UPSERT_RUN, [rows.run_row(state, hot.wrapped, hot.last_row, now_ns)]),
        (rows.UPSERT_ACTION, actions),
        (rows.UPSERT_APPROVAL, approvals),
        (rows.ADD_COUNTER, counters),
    ]
    return Taken(first_seq, [each for each in statements if each[1]], flying, moved)


def written(taken: Taken, hot: HotRun) -> None:
    """The append is on disk: its actions can be found there, and the run may leave the memory."""
    hot.pending -= 1
    for action in taken.actions:
        # A later append may have put another record in its place.
        if hot.flying.get(action.action_id) is action:
            del hot.flying[action.action_id]


def _event_rows(append: Append, hot: HotRun, first_row: int, now_ns: int) -> list[tuple[Any, ...]]:
    key = hot.content_key
    assert key is not None
    project_id, run_id = append.project_id, append.run_id
    first_seq = hot.state.last_seq + 1
    return [
        (
            first_row + number,
            project_id,
            run_id,
            first_seq + number,
            draft.id,
            append.environment,
            now_ns,
            record.encode(draft, record.seal_content(key, project_id, run_id, draft)),
        )
        for number, draft in enumerate(append.drafts)
    ]


def _moved(append: Append, lacking: dict[str, int]) -> dict[str, int]:
    moved = dict(append.confirm)
    for key, amount in lacking.items():
        moved[key] = moved.get(key, 0) + amount
    for key, amount in append.release.items():
        moved[key] = moved.get(key, 0) - amount
    return moved

"""The states of hot runs in memory: authoritative while the gateway lives, read back on a miss.

Everything here is synchronous. That is what makes reading a run and changing it one step.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from gateway.domain.run_state import RECENT_MAX, ActionRecord, RunState, settle_by
from gateway.storage.embedded import journal_rows as rows
from gateway.storage.embedded.reservations import run_of
from gateway.storage.ports import Reloaded

PARENTS_MAX = 16
Key = tuple[str, str]

# What a look at the disk may raise: the file, a record, or an id that no database could hold.
UNREADABLE = (sqlite3.Error, msgspec.MsgspecError, ValueError)


class HotRun(Struct):
    """A run in memory. `known` when it has events; `content_key` once somebody appended.

    `flying` holds the records of actions that are not on disk yet, `pending` counts the appends
    that are not; until it is 0 the run stays in memory. what was `reloaded` goes to disk
    with the next append; `held` is what its actions hold on counters that left with it.
    """

    state: RunState
    known: bool = False
    wrapped: bytes | None = None
    content_key: bytes | None = None
    last_row: int = 0
    pending: int = 0
    flying: dict[str, ActionRecord] = field(default_factory=dict)
    reloaded: Reloaded | None = None
    held: dict[str, int] = field(default_factory=dict)


class HotRuns:
    """The least recently used leave, except those with appends under way."""

    def __init__(self, reader: sqlite3.Connection, most: int) -> None:
        assert most > 2 * PARENTS_MAX
        self._reader = reader
        self._most = most
        self._runs: OrderedDict[Key, HotRun] = OrderedDict()
        self._leaving: set[Key] = set()

    def get(self, key: Key) -> HotRun | None:
        """The run from memory, else from disk. None: look in the ledger, then `bring` it."""
        hot = self._runs.get(key)
        if hot is not None:
            self._runs.move_to_end(key)
            return hot
        if key in self._leaving:
            return None
        found = rows.read_run(self._reader, *key, RECENT_MAX)
        if found is None:
            return None
        state, wrapped, last_row = found
        return self._keep(key, HotRun(state, known=True, wrapped=wrapped, last_row=last_row))

    def bring(self, key: Key, environment: str, reloaded: Reloaded | None) -> None:
        """Take in what the ledger knows of a run, unless it came or went in the meantime."""
        if key in self._leaving or self.get(key) is not None:
            return
        if reloaded is None:
            fresh = RunState(project_id=key[0], environment=environment, run_id=key[1])
            self._keep(key, HotRun(fresh))
            return
        hot = HotRun(
            reloaded.state,
            known=True,
            wrapped=reloaded.wrapped_secret,
            flying=dict(reloaded.actions),
            reloaded=reloaded,
            held=_held(reloaded),
        )
        self._keep(key, hot)

    def missing(self, key: Key, parent_run_id: str | None) -> Key | None:
        """The run, or the first of those above it, that is neither in memory nor on disk."""
        hot = self._runs.get(key)
        if hot is not None and parent_run_id is None and hot.state.parent_run_id is None:
            return None
        for step in self._upwards(key, parent_run_id):
            if self.get(step) is None:
                return step
        return None

    def halted(self, key: Key, parent_run_id: str | None) -> bool:
        """Whether the run or one above it was halted.

        A run with more above it than are looked at counts as halted: else a long enough chain of
        parents would be a way out of a halt.
        """
        hot = self._runs.get(key)
        if hot is not None and parent_run_id is None and hot.state.parent_run_id is None:
            return hot.state.halted
        above = self._upwards(key, parent_run_id)
        for step in above:
            hot = self.get(step)
            if hot is not None and hot.state.halted:
                return True
        return len(above) > PARENTS_MAX + 1

    def action(self, hot: HotRun, action_id: str) -> ActionRecord | None:
        """The record of an action of the run, however long ago."""
        state = hot.state
        record = state.recent.get(action_id) or hot.flying.get(action_id)
        # A run of few calls has all its actions in `recent`.
        if record is not None or state.counters.get("calls", 0) <= RECENT_MAX:
            return record
        key = (state.project_id, state.run_id, action_id)
        found = self._reader.execute(rows.SELECT_ACTION, key).fetchall()
        return rows.decode_action(found[0][0]) if found else None

    def leave(self, keys: list[Key]) -> list[Key]:
        """Drop idle runs from memory and disk reads, until `left`; return those it applies to."""
        going = [key for key in keys if key not in self._runs or not self._runs[key].pending]
        for key in going:
            self._runs.pop(key, None)
        self._leaving.update(going)
        return going

    def left(self, keys: list[Key]) -> None:
        self._leaving.difference_update(keys)

    def is_leaving(self, key: Key) -> bool:
        return key in self._leaving

    def clear(self) -> None:
        """Forget what may never have reached the disk."""
        self._runs.clear()

    def erase(self, keys: Iterable[Key]) -> None:
        """These runs have no secret any more."""
        for key in keys:
            hot = self._runs.get(key)
            if hot is not None:
                hot.wrapped, hot.content_key = b"", None
                if hot.reloaded is not None:
                    hot.reloaded = msgspec.structs.replace(hot.reloaded, wrapped_secret=b"")

    def forget_keys(self) -> None:
        for hot in self._runs.values():
            hot.content_key = None
            if not hot.known:
                # Nothing is sealed with it yet; the key that wrapped it may be gone.
                hot.wrapped = None

    def _upwards(self, key: Key, parent_run_id: str | None) -> list[Key]:
        """The run and those above it, as far as they can be read without waiting.

        At most PARENTS_MAX + 1 above, the last of which says that there are too many. Runs that
        are each other's parents come once.
        """
        found = [key]
        hot = self.get(key)
        parent = (hot.state.parent_run_id if hot else None) or parent_run_id
        while parent is not None and len(found) <= PARENTS_MAX + 1:
            step = (key[0], parent)
            if step in found:
                break
            found.append(step)
            above = self.get(step)
            parent = above.state.parent_run_id if above else None
        return found

    def _keep(self, key: Key, hot: HotRun) -> HotRun:
        self._runs[key] = hot
        while len(self._runs) > self._most:
            oldest = next(iter(self._runs))
            if self._runs[oldest].pending:
                self._runs.move_to_end(oldest)
                break
            del self._runs[oldest]
        return hot


def _held(reloaded: Reloaded) -> dict[str, int]:
    """What the actions hold on counters that may not be there any more.

    The run's own counters leave with it. An unsettled reservation keeps its run in the journal, so
    with one the run did not leave: its journal was lost, and all counters with it.
    """
    held: dict[str, int] = {}
    for action in reloaded.actions.values():
        open_ = settle_by(action, reloaded.state.approvals) is not None
        for key, amount in action.reservations.items():
            if open_ or run_of(key):
                held[key] = held.get(key, 0) + amount
    return held

"""Chaining and storing events: one bounded piece of a batch in the transaction of its caller.

The transaction sees each run's head, finds every event its place, and writes events, content and
projections together, so that a reader never meets one without the others.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.domain.events import DecisionBody, Event
from gateway.domain.facts import Filed
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import (
    ApprovalClosed,
    ApprovalRow,
    Indexed,
    RunRow,
    approval_after,
    counted_amount,
    indexed,
    open_body,
    run_after,
)
from gateway.errors import EventRefused
from gateway.storage.embedded import ledger_filing, ledger_rows
from gateway.storage.ports import Persist

SLICE_SECONDS = 0.005
CHUNK = 16

Place = tuple[str, str]

INSERT_EVENT = f"""
    INSERT INTO event (project_id, run_id, {", ".join(Indexed.__struct_fields__)},
                       record, hash, blob_keys)
    VALUES (?, ?, {", ".join("?" * len(Indexed.__struct_fields__))}, ?, ?, ?)
"""
INSERT_BLOB = """
    INSERT INTO blob (project_id, run_id, key, sealed) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, run_id, key) DO NOTHING
"""
INSERT_WRAPPED = """
    INSERT INTO run_secret (project_id, run_id, wrapped) VALUES (?, ?, ?)
    ON CONFLICT (project_id, run_id) DO NOTHING
"""
HEAD = """
    SELECT seq, epoch, hash FROM event WHERE project_id = ? AND run_id = ?
    ORDER BY epoch DESC, seq DESC LIMIT 1
"""
AT = "SELECT id FROM event WHERE project_id = ? AND run_id = ? AND epoch = ? AND seq = ?"
DECISION = """
    SELECT record FROM event WHERE project_id = ? AND decision_id = ? AND type = 'decision'
    AND run_id = ? ORDER BY epoch DESC, seq DESC LIMIT 1
"""
RUN = f"SELECT {ledger_rows.RUN_COLUMNS} FROM run WHERE project_id = ? AND run_id = ?"
PUT_RUN = ledger_rows.upsert("run", RunRow, ("project_id", "run_id"))
PUT_APPROVAL = ledger_rows.upsert("approval", ApprovalRow, ("project_id", "approval_id"))
CLOSE_APPROVAL = """
    UPDATE approval SET status = ?
    WHERE project_id = ? AND approval_id = ? AND run_id = ? AND status = 'pending'
"""


class Written(Struct, frozen=True):
    """`consumed` of the batch are dealt with; `recorded` of them were new.

    `twice` are those whose seq had been given to another event before.
    """

    consumed: int
    recorded: int
    twice: tuple[Event, ...]


class Head(Struct, frozen=True):
    """The last event of a run's chain."""

    seq: int
    epoch: int
    hash: str


def write_slice(
    connection: sqlite3.Connection,
    batch: Sequence[Persist],
    secrets: Mapping[Place, bytes],
    seconds: float = SLICE_SECONDS,
) -> Written:
    """Chain and store the first events of `batch`, for about `seconds`, at least one chunk.

    Raises EventRefused when one of them cannot be stored: then nothing of the slice is.
    """
    slice_ = _Slice(connection)
    stop_at = time.monotonic() + seconds
    consumed = 0
    try:
        while consumed < len(batch):
            for persist in batch[consumed : consumed + CHUNK]:
                slice_.take(persist)
                consumed += 1
            slice_.flush()
            if time.monotonic() >= stop_at:
                break
        slice_.finish(secrets)
    except (
        sqlite3.DataError,
        sqlite3.IntegrityError,
        msgspec.MsgspecError,
        OverflowError,
        ValueError,
    ) as error:
        raise EventRefused(f"an event cannot be stored: {error}") from error
    return Written(consumed, slice_.recorded, tuple(slice_.twice))


class _Slice:
    """What one transaction has read and is about to write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads: dict[Place, Head] = {}
        self._runs: dict[Place, RunRow] = {}
        self._amounts: dict[tuple[str, str, str], FrameAmount | None] = {}
        self._events: list[tuple[Any, ...]] = []
        self._blobs: list[tuple[Any, ...]] = []
        self._filed = Filed()
        self.recorded = 0
        self.twice: list[Event] = []

    def take(self, persist: Persist) -> None:
        """Give an event its place, unless it is there already."""
        event = persist.event
        place = (event.project_id, event.run_id)
        head = self._heads.get(place) or self._head(place)
        epoch = self._epoch(event, head)
        if epoch is None:
            return
        event = msgspec.structs.replace(event, prev_hash=head.hash, epoch=epoch)
        if epoch > head.epoch:
            self.twice.append(event)
        link = chain.link(event)
        self._heads[place] = Head(event.seq, epoch, link.hash)
        body = open_body(event)
        names = sorted(persist.blobs)
        keys = {name: bytes.fromhex(persist.blobs[name][1].key) for name in names}
        columns = msgspec.structs.astuple(indexed(event, body))
        row = (*place, *columns, link.record, bytes.fromhex(link.hash), b"".join(keys.values()))
        self._events.append(row)
        self._blobs += [(*place, keys[name], persist.blobs[name][1].sealed) for name in names]
        self._project(event, body)
        self.recorded += 1

    def flush(self) -> None:
        """Write the events and their content."""
        self._connection.executemany(INSERT_EVENT, self._events)
        self._connection.executemany(INSERT_BLOB, self._blobs)
        self._events, self._blobs = [], []

    def finish(self, secrets: Mapping[Place, bytes]) -> None:
        """Write what the slice changed in its runs."""
        rows = [ledger_rows.values(row) for row in self._runs.values()]
        self._connection.executemany(PUT_RUN, rows)
        known = [(*place, secrets[place]) for place in self._runs if place in secrets]
        self._connection.executemany(INSERT_WRAPPED, known)
        ledger_filing.file(self._connection, self._filed)

    def _head(self, place: Place) -> Head:
        found = self._connection.execute(HEAD, place).fetchone()
        if found is None:
            return Head(0, 0, chain.genesis(*place))
        seq, epoch, digest = found
        return Head(seq, epoch, digest.hex())

    def _epoch(self, event: Event, head: Head) -> int | None:
        """The epoch in which the event is stored, None when it has been.

        The order of the chain is (epoch, seq), so once a seq was given out twice, everything that
        follows belongs to the new epoch.
        """
        if event.seq > head.seq + 1:
            raise EventRefused(f"seq {event.seq} of {event.run_id} would follow {head.seq}")
        if event.seq <= head.seq or head.epoch > 0:
            self.flush()
            for epoch in range(head.epoch + 1):
                at = (event.project_id, event.run_id, epoch, event.seq)
                if self._connection.execute(AT, at).fetchone() == (event.id,):
                    return None
        return head.epoch if event.seq == head.seq + 1 else head.epoch + 1

    def _project(self, event: Event, body: Any) -> None:
        place = (event.project_id, event.run_id)
        if isinstance(body, DecisionBody):
            self._amounts[(*place, body.decision_id)] = counted_amount(body)
        before = self._runs.get(place) or self._run(place)
        after = self._runs[place] = run_after(
            before, event, body, lambda decision_id: self._amount(place, decision_id)
        )
        self._filed.take(event, body, after)
        change = approval_after(event, body)
        if isinstance(change, ApprovalRow):
            self._connection.execute(PUT_APPROVAL, ledger_rows.values(change))
        elif isinstance(change, ApprovalClosed):
            closing = (change.status, place[0], change.approval_id, place[1])
            self._connection.execute(CLOSE_APPROVAL, closing)

    def _run(self, place: Place) -> RunRow | None:
        found = self._connection.execute(RUN, place).fetchone()
        return None if found is None else ledger_rows.run_row(found)

    def _amount(self, place: Place, decision_id: str) -> FrameAmount | None:
        known = (*place, decision_id)
        if known not in self._amounts:
            asked = (place[0], decision_id, place[1])
            found = self._connection.execute(DECISION, asked).fetchone()
            body = None if found is None else open_body(ledger_rows.event_of(found[0]))
            self._amounts[known] = counted_amount(body)
        return self._amounts[known]

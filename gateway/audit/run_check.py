"""What verification makes of one run's events, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.domain import blobs, projections, sealing
from gateway.domain.blobs import RunKeys
from gateway.domain.events import Event
from gateway.domain.facts import Filed, FiledOfRun, of_run
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import Indexed, RunRow
from gateway.domain.sealing import SealBroken
from gateway.storage.ports import StoredEvent

_events = msgspec.json.Decoder(Event)


class Problem(Struct, frozen=True):
    """Something that is not as it was recorded, and where. `seq` 0 means the run itself.

    `kind`: `chain` (changed, put in, taken out or moved), `record` (cannot be read), `gap` (a seq
    is missing), `content` (absent, changed, or not what was committed to), `columns` (an event
    is filed under something else), `row` (the run's row is not the fold of its events), `filed`
    (what the run is found by is not what its events say; `checkrein runs index` files it again).
    """

    kind: str
    seq: int
    detail: str


class RunCheck:
    """Takes the events of a run in the order of its chain and collects what is wrong."""

    def __init__(self, project_id: str, run_id: str, keys: RunKeys | None) -> None:
        self.project_id = project_id
        self.run_id = run_id
        self.events = 0
        self.last_seq = 0
        self.unreadable = 0
        self.problems: list[Problem] = []
        self._keys = keys
        self._epoch = 0
        self._prev_hash = chain.genesis(project_id, run_id)
        self._row: RunRow | None = None
        self._amounts: dict[str, FrameAmount | None] = {}
        self._filed = Filed()

    def take(self, columns: Indexed, stored: StoredEvent, sealed: Mapping[str, bytes]) -> None:
        """Check the next event; `sealed` holds its content parts by storage key."""
        self._follow(columns, stored)
        try:
            event = _events.decode(stored.record)
            body = projections.open_body(event)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._complain("record", columns.seq, f"cannot be read: {error}")
            return
        if projections.indexed(event, body) != columns or self._is_elsewhere(event):
            self._complain("columns", columns.seq, "filed under other values than it holds")
        self._open(event, stored, sealed)
        self._fold(event, body)

    def compare_row(self, row: Mapping[str, Any] | None) -> None:
        """The run's row must be what its events add up to; so a cut tail shows as well."""
        wanted = None if self._row is None else msgspec.structs.asdict(self._row)
        if wanted != row:
            wanted, row = wanted or {}, row or {}
            names = sorted(name for name in {*wanted, *row} if wanted.get(name) != row.get(name))
            self._complain("row", 0, f"differs from its events in {', '.join(names)}")

    def compare_filed(self, filed: FiledOfRun) -> None:
        """What the run is found by must be what its events say.

        Only of events that are as they were recorded: filing others again would make it fit them.
        """
        wanted = of_run(self._filed, self.project_id, self.run_id)
        if not self.problems and (names := wanted.differences(filed)):
            said = f"differs from its events in {', '.join(names)}"
            self._complain("filed", 0, f"{said}: checkrein runs index files it again")

    def _follow(self, columns: Indexed, stored: StoredEvent) -> None:
        # A new epoch begins again at a seq that is taken; within one there are no gaps.
        begins = self.events > 0 and columns.epoch != self._epoch
        if columns.seq != self.last_seq + 1 and not (begins and columns.seq <= self.last_seq):
            self._complain("gap", columns.seq, f"follows seq {self.last_seq}")
        if not chain.holds(self._prev_hash, stored):
            self._complain("chain", columns.seq, "is not what was chained behind the event before")
        self.events += 1
        self.last_seq = columns.seq
        self._epoch = columns.epoch
        self._prev_hash = stored.hash

    def _is_elsewhere(self, event: Event) -> bool:
        return (event.project_id, event.run_id) != (self.project_id, self.run_id)

    def _open(self, event: Event, stored: StoredEvent, sealed: Mapping[str, bytes]) -> None:
        if event.blobs.keys() != stored.blob_keys.keys():
            self._complain("content", event.seq, "has other parts than the record names")
        for name, key in stored.blob_keys.items() if self._keys else ():
            problem = self._content_problem(event, name, key, sealed.get(key))
            if problem is not None:
                self._complain("content", event.seq, f"{name} {problem}")

    def _content_problem(
        self, event: Event, name: str, key: str, sealed: bytes | None
    ) -> str | None:
        assert self._keys is not None
        if sealed is None:
            return "is absent"
        try:
            data = blobs.open_part(self._keys, self.project_id, self.run_id, key, sealed)
        except SealBroken:
            return "was changed"
        committed = sealing.commitment(self._keys.secret, event.id, name, data)
        return None if committed == event.blobs.get(name) else "is not what was committed to"

    def _fold(self, event: Event, body: Any) -> None:
        self.unreadable += event.type == "unreadable"
        if event.type == "decision":
            self._amounts[body.decision_id] = projections.counted_amount(body)
        self._row = projections.run_after(self._row, event, body, self._amounts.get)
        self._filed.take(event, body, self._row)

    def _complain(self, kind: str, seq: int, detail: str) -> None:
        self.problems.append(Problem(kind, seq, detail))

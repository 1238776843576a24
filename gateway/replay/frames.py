"""The ordered view of a run: every event with its content opened, as it was recorded.

A decision's frame shows what was asked, planned and seen, the call, the state, what each rule
said and what was decided, because all of that was recorded with the decision. Nothing is
evaluated, called or worked out here. Content that was erased is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain.blobs import RunKeys
from gateway.replay.opening import Opening, OpenSecret, Shown, keys_of
from gateway.storage.ports import Ledger, StoredEvent

VIEW_MAX = 200


class ReplayFrame(Struct, frozen=True):
    """One step of a run. Times are RFC 3339, `hash` is that of the record.

    `body` is the evidence. `content` holds, by part: of a decision `frame` (`request` with its
    plan, `context`, `action`, `state`, ...), `rounds` (each rule's results) and `decision`; of a
    result `output` and `error`; of what an agent reported `observation`. `erased` and
    `broken` name the parts that no longer exist or were changed. `epoch` is 0 unless its seq was
    given twice.
    """

    seq: int
    epoch: int
    id: str
    type: str
    occurred_at: str
    recorded_at: str
    actor: str
    turn_id: str | None
    action_id: str | None
    parent_id: str | None
    body: dict[str, Any]
    content: dict[str, Any]
    erased: list[str]
    broken: list[str]
    prev_hash: str
    hash: str


async def view(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    after: int = 0,
    limit: int = VIEW_MAX,
) -> list[ReplayFrame]:
    """The frames of a run behind seq `after`, in order."""
    events = await ledger.events(project_id, run_id, after, limit)
    opening = Opening(await keys_of(ledger, open_secret, project_id, run_id))
    sealed = await ledger.blobs(project_id, run_id, opening.wanted(events))
    return shown(events, sealed, opening)


def frames(
    events: Sequence[StoredEvent], sealed: Mapping[str, bytes], keys: RunKeys | None
) -> list[ReplayFrame]:
    """The events as frames; `sealed` holds their content parts by storage key."""
    return shown(events, sealed, Opening(keys))


def shown(
    events: Sequence[StoredEvent], sealed: Mapping[str, bytes], opening: Opening
) -> list[ReplayFrame]:
    """The same, of a run that is read a few events at a time."""
    return [_frame(opening.show(stored, sealed), stored) for stored in events]


def _frame(shown: Shown, stored: StoredEvent) -> ReplayFrame:
    event = shown.event
    return ReplayFrame(
        seq=event.seq,
        epoch=event.epoch,
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        actor=event.actor,
        turn_id=event.turn_id,
        action_id=event.action_id,
        parent_id=event.parent_id,
        body=msgspec.json.decode(event.body),
        content=shown.content,
        erased=shown.erased,
        broken=shown.broken,
        prev_hash=event.prev_hash,
        hash=stored.hash,
    )

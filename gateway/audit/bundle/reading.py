"""A run taken out of the ledger for an export: its events in the order of the chain, its content.

The chain is worked out while it is read. What does not verify is refused: a signature over a
record that was changed would vouch for the change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.audit.bundle.names import BYTES_MAX, EVENTS_MAX
from gateway.domain import blobs, sealing
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.events import Event
from gateway.domain.sealing import SealBroken
from gateway.errors import CheckreinError
from gateway.storage.ports import Ledger, StoredEvent

PAGE = 1_000
# So many parts are in memory twice, sealed and opened.
OPENED_AT_ONCE = 500

OpenSecret = Callable[[str, bytes], Awaitable[bytes]]
# Content by the key under which it is stored.
Opened = dict[str, bytes]
Pairs = Sequence[tuple[Event, StoredEvent]]

_events = msgspec.json.Decoder(Event)


class ExportRefused(CheckreinError):
    """The run cannot be exported: it is too large, or not what was recorded."""


class Taken(Struct, frozen=True, gc=False):
    """An event, its stored bytes, and those of its parts that may be shown and still exist.

    `shown` are these parts by name, in order of the names. An opening is the key of a part's
    commitment, and of no other.
    """

    event: Event
    stored: StoredEvent
    shown: dict[str, bytes]
    openings: dict[str, bytes]


async def take_run(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_id: str,
    *,
    content: bool = True,
    bytes_max: int = BYTES_MAX,
) -> list[Taken]:
    """The run as it stands in the ledger now; empty when there is none. Raises ExportRefused."""
    stored = await _stored(ledger, project_id, run_id, bytes_max)
    pairs = _in_order(project_id, run_id, stored)
    keys = await _keys(ledger, open_secret, project_id, run_id) if content else None
    if keys is None:
        return [Taken(event, each, {}, {}) for event, each in pairs]
    opened = await _opened(ledger, pairs, keys, bytes_max)
    return [_taken(event, each, opened, keys) for event, each in pairs]


async def _stored(
    ledger: Ledger, project_id: str, run_id: str, bytes_max: int
) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    after = size = 0
    while page := await ledger.events(project_id, run_id, after, PAGE):
        found += page
        size += sum(len(each.record) for each in page)
        if len(found) > EVENTS_MAX or size > bytes_max:
            raise ExportRefused(
                f"The run is larger than {EVENTS_MAX:,} events or {bytes_max:,} bytes."
            )
        after = _decoded(page[-1], after).seq
    return found


def _in_order(
    project_id: str, run_id: str, stored: Sequence[StoredEvent]
) -> list[tuple[Event, StoredEvent]]:
    pairs = [(_decoded(each, place), each) for place, each in enumerate(stored)]
    pairs.sort(key=lambda pair: (pair[0].epoch, pair[0].seq))
    before = chain.genesis(project_id, run_id)
    for event, each in pairs:
        # The event was read from the record already, so its `prev_hash` need not be again.
        if event.prev_hash != before or hashlib.sha256(each.record).hexdigest() != each.hash:
            raise ExportRefused(
                f"Event {event.seq} is not what was recorded, so nothing is signed."
            )
        before = each.hash
    return pairs


def _decoded(stored: StoredEvent, place: int) -> Event:
    try:
        return _events.decode(stored.record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ExportRefused(f"An event near {place} cannot be read: {error}") from error


async def _opened(ledger: Ledger, pairs: Pairs, keys: RunKeys, bytes_max: int) -> Opened:
    """The content that still exists: events repeat each other's, and each part is opened once.

    It is asked for in the order in which ledgers keep it, not in that of the events.
    """
    opened: Opened = {}
    size = sum(len(each.record) for _, each in pairs)
    wanted = sorted({key for _, each in pairs for key in each.blob_keys.values()})
    for at in range(0, len(wanted), OPENED_AT_ONCE):
        first = pairs[0][0]
        some = wanted[at : at + OPENED_AT_ONCE]
        sealed = await ledger.blobs(first.project_id, first.run_id, some)
        size += sum(map(len, sealed.values()))
        if size > bytes_max:
            raise ExportRefused(f"The run is larger than {bytes_max:,} bytes.")
        for key, data in sealed.items():
            try:
                opened[key] = blobs.open_part(keys, first.project_id, first.run_id, key, data)
            except SealBroken as error:
                raise ExportRefused(f"{_named(pairs, key)} was changed.") from error
    return opened


def _named(pairs: Pairs, wanted: str) -> str:
    """The first part that is stored under this key."""
    found = (
        f"{name} of event {event.seq}"
        for event, stored in pairs
        for name, key in sorted(stored.blob_keys.items())
        if key == wanted
    )
    return next(found, "A part")


def _taken(event: Event, stored: StoredEvent, opened: Opened, keys: RunKeys) -> Taken:
    """The event with those of its parts that were opened, each held against its commitment."""
    shown = {name: opened[key] for name, key in stored.blob_keys.items() if key in opened}
    openings = sealing.openings(keys.secret, event.id, shown)
    committed = sealing.opened_commitments(openings, shown)
    if committed != event.blobs:
        # Parts that were erased are not shown, and those that are must be what was committed to.
        for name, each in committed.items():
            if each != event.blobs.get(name):
                raise ExportRefused(f"{name} of event {event.seq} is not what was committed to.")
    return Taken(event, stored, shown, openings)


async def _keys(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, run_id: str
) -> RunKeys | None:
    wrapped = await ledger.secret(project_id, run_id)
    if wrapped is None:
        return None
    try:
        return run_keys(await open_secret(project_id, wrapped))
    except SealBroken:
        return None

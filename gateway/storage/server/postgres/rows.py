"""Between PostgreSQL's rows and domain values: columns are named like the structs' fields.

PostgreSQL keeps no zero byte in a text, and what an agent names its run may hold one: it is
written with an escape that leaves every other text as it is, and read back to the character.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.events import Event
from gateway.domain.projections import ApprovalRow, Indexed, RunRow
from gateway.storage.ports import StoredEvent

KEY_BYTES = 32
# Where the first event says no day, and for a day that no calendar has.
NO_DAY = date(1970, 1, 1)

INDEXED_COLUMNS = ", ".join(Indexed.__struct_fields__)
RUN_COLUMNS = ", ".join(RunRow.__struct_fields__)
APPROVAL_COLUMNS = ", ".join(ApprovalRow.__struct_fields__)


class _Blobs(Struct, frozen=True):
    """The names of a record's content parts."""

    blobs: dict[str, str]


_events = msgspec.json.Decoder(Event)
_blobs = msgspec.json.Decoder(_Blobs)


def stored_text(value: Any) -> Any:
    """A value as a column takes it. Zero is written as 1 3, and 1 as 1 2."""
    if isinstance(value, str) and ("\x00" in value or "\x01" in value):
        return value.replace("\x01", "\x01\x02").replace("\x00", "\x01\x03")
    return value


def text_of(value: Any) -> Any:
    """The value that was stored."""
    if isinstance(value, str) and "\x01" in value:
        return value.replace("\x01\x03", "\x00").replace("\x01\x02", "\x01")
    return value


def values(row: RunRow | ApprovalRow) -> list[Any]:
    """A row's values, objects and arrays as JSON; texts are still to be `stored_text`."""
    return [
        canonical.encode(value).decode() if isinstance(value, dict | list) else value
        for value in msgspec.structs.astuple(row)
    ]


def run_row(found: Sequence[Any]) -> RunRow:
    fields = _fields(RunRow, found)
    spend: dict[str, int] = msgspec.json.decode(fields["spend"])
    return RunRow(**{**fields, "spend": spend})


def approval_row(found: Sequence[Any]) -> ApprovalRow:
    fields = _fields(ApprovalRow, found)
    return ApprovalRow(**{**fields, "rules": msgspec.json.decode(fields["rules"])})


def indexed_row(found: Sequence[Any]) -> Indexed:
    return Indexed(*map(text_of, found))


def event_of(record: bytes) -> Event:
    return _events.decode(record)


def events_of(records: Iterable[bytes]) -> Iterator[Event]:
    """The events of records, without those that cannot be read any more."""
    for record in records:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield _events.decode(record)


def stored_event(record: bytes, digest: bytes, keys: bytes) -> StoredEvent:
    """An event as stored. One whose record cannot be read any more has no content parts."""
    try:
        names = sorted(_blobs.decode(record).blobs)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        names = []
    written, long = keys.hex(), 2 * KEY_BYTES
    cut = [written[at : at + long] for at in range(0, len(written), long)]
    return StoredEvent(record, digest.hex(), dict(zip(names, cut, strict=False)))


def day_of(recorded_at: str) -> date:
    """The day of an RFC 3339 time in UTC."""
    try:
        return date.fromisoformat(recorded_at[:10])
    except ValueError:
        return NO_DAY


def _fields(shape: type[Struct], found: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(shape.__struct_fields__, map(text_of, found), strict=True))

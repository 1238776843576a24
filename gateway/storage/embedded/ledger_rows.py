"""Between the ledger's rows and domain values: columns are named like the structs' fields."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.events import Event
from gateway.domain.projections import ApprovalRow, Indexed, RunRow
from gateway.storage.ports import StoredEvent

KEY_BYTES = 32

INDEXED_COLUMNS = ", ".join(Indexed.__struct_fields__)
RUN_COLUMNS = ", ".join(RunRow.__struct_fields__)
APPROVAL_COLUMNS = ", ".join(ApprovalRow.__struct_fields__)


class _Blobs(Struct, frozen=True):
    """The names of a record's content parts."""

    blobs: dict[str, str]


_events = msgspec.json.Decoder(Event)
_blobs = msgspec.json.Decoder(_Blobs)


def upsert(table: str, shape: type[Struct], key: tuple[str, ...]) -> str:
    """The statement that puts a row of this shape in its place."""
    fields = shape.__struct_fields__
    changes = ", ".join(f"{name} = excluded.{name}" for name in fields if name not in key)
    return (
        f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def values(row: RunRow | ApprovalRow) -> tuple[Any, ...]:
    """A row's values as SQLite takes them: objects and arrays as JSON."""
    return tuple(
        canonical.encode(value).decode() if isinstance(value, dict | list) else value
        for value in msgspec.structs.astuple(row)
    )


def run_row(found: Sequence[Any]) -> RunRow:
    fields = dict(zip(RunRow.__struct_fields__, found, strict=True))
    spend: dict[str, int] = msgspec.json.decode(fields["spend"])
    return RunRow(**{**fields, "halted": bool(fields["halted"]), "spend": spend})


def approval_row(found: Sequence[Any]) -> ApprovalRow:
    fields = dict(zip(ApprovalRow.__struct_fields__, found, strict=True))
    return ApprovalRow(**{**fields, "rules": msgspec.json.decode(fields["rules"])})


def indexed_row(found: Sequence[Any]) -> Indexed:
    return Indexed(*found)


def event_of(record: bytes) -> Event:
    return _events.decode(record)


def events_of(records: Iterable[bytes]) -> Iterator[Event]:
    """The events of records, without those that cannot be read any more."""
    for record in records:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield _events.decode(record)


def stored_event(record: bytes, digest: bytes, keys: bytes) -> StoredEvent:
    """An event as stored. One whose record cannot be read any more has no content parts."""
    if not keys:
        return StoredEvent(record, digest.hex(), {})
    try:
        names = sorted(_blobs.decode(record).blobs)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        names = []
    written, long = keys.hex(), 2 * KEY_BYTES
    cut = [written[at : at + long] for at in range(0, len(written), long)]
    return StoredEvent(record, digest.hex(), dict(zip(names, cut, strict=False)))

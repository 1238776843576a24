"""The journal's raw record: an event's header beside its sealed content.

Written by the gateway, read by the worker, which may be of another release: the first byte says
the version. A record that cannot be read is itself evidence, so reading is strict.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gateway.domain import sealing
from gateway.domain.events import Actor, Draft

VERSION = 1
_PREFIX = bytes([VERSION])


class RecordUnreadable(ValueError):
    """The bytes are not a record of a version that this release knows."""


class _Record(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Header and sealed content, in this order."""

    id: str
    type: str
    occurred_at: str
    recorded_at: str
    actor: Actor
    turn_id: str | None
    action_id: str | None
    parent_id: str | None
    body: bytes
    sealed: bytes


_encoder = msgspec.msgpack.Encoder()
_records = msgspec.msgpack.Decoder(_Record)
_contents = msgspec.msgpack.Decoder(dict[str, bytes])


def encode(draft: Draft, sealed: bytes) -> bytes:
    """The raw record of a draft; its content counts only as `sealed`."""
    return _PREFIX + _encoder.encode(
        _Record(
            draft.id,
            draft.type,
            draft.occurred_at,
            draft.recorded_at,
            draft.actor,
            draft.turn_id,
            draft.action_id,
            draft.parent_id,
            draft.body,
            sealed,
        )
    )


def decode(raw: bytes) -> tuple[Draft, bytes]:
    """The draft without its content, and the sealed content. Raises RecordUnreadable."""
    if not raw.startswith(_PREFIX):
        found = raw[0] if raw else "none"
        raise RecordUnreadable(f"record version {found}, this release reads {VERSION}")
    try:
        record = _records.decode(memoryview(raw)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordUnreadable(f"not a record: {error}") from error
    draft = Draft(
        id=record.id,
        type=record.type,
        occurred_at=record.occurred_at,
        recorded_at=record.recorded_at,
        actor=record.actor,
        body=record.body,
        turn_id=record.turn_id,
        action_id=record.action_id,
        parent_id=record.parent_id,
    )
    return draft, record.sealed


def seal_content(key: bytes, project_id: str, run_id: str, draft: Draft) -> bytes:
    """All content parts of a draft under one seal. `key` is the run's content key."""
    aad = content_aad(project_id, run_id, draft.id)
    return sealing.seal(key, _encoder.encode(draft.content), aad)


def open_content(
    key: bytes, project_id: str, run_id: str, event_id: str, sealed: bytes
) -> dict[str, bytes]:
    """The content parts by name. Raises SealBroken, or RecordUnreadable."""
    opened = sealing.unseal(key, sealed, content_aad(project_id, run_id, event_id))
    try:
        return _contents.decode(opened)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordUnreadable(f"not a content: {error}") from error


def content_aad(project_id: str, run_id: str, event_id: str) -> bytes:
    """What binds a record's content to its place in the journal."""
    return "\x00".join((project_id, run_id, event_id)).encode()

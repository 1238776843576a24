"""The hash chain of a run: every event's bytes hold the hash of the event before.

Pure, and the same for every ledger. What is hashed are exactly the bytes that are stored, which
are the RFC 8785 form of the event without its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

import msgspec
from msgspec import Struct

from gateway.domain import canonical
from gateway.domain.events import Event

VERSION = "checkrein/chain/v1"


class Link(Struct, frozen=True):
    """A chained event: `hash` is SHA-256 of `record`, in hexadecimal."""

    record: bytes
    hash: str


class Chained(Protocol):
    """Anything that was linked: a link, or a stored event."""

    @property
    def record(self) -> bytes: ...

    @property
    def hash(self) -> str: ...


class _Before(Struct, frozen=True):
    """The one field of a record that the chain itself reads."""

    prev_hash: str


_before = msgspec.json.Decoder(_Before)


def genesis(project_id: str, run_id: str) -> str:
    """What stands in the first event of a run in the place of a hash.

    The names are hashed as a JSON array, so that no two pairs of them give the same bytes.
    """
    return canonical.sha256(canonical.encode([VERSION, project_id, run_id]))


def extend(prev_hash: str, events: Iterable[Event]) -> list[Link]:
    """The events as links behind `prev_hash`, each chained to the one before."""
    links: list[Link] = []
    for event in events:
        links.append(link(msgspec.structs.replace(event, prev_hash=prev_hash)))
        prev_hash = links[-1].hash
    return links


def link(event: Event) -> Link:
    """An event that knows the hash before it, as it is stored."""
    record = canonical.encode(event)
    return Link(record, hashlib.sha256(record).hexdigest())


def first_break(prev_hash: str, links: Iterable[Chained]) -> int | None:
    """The index of the first link that is not what was chained behind `prev_hash`, or None.

    A changed link breaks the chain at its own place, unless its hash was made to fit: then, as
    when one was taken out or put in, at the place after.
    """
    for index, each in enumerate(links):
        if not holds(prev_hash, each):
            return index
        prev_hash = each.hash
    return None


def holds(prev_hash: str, each: Chained) -> bool:
    """Whether a link's hash is that of its bytes, and its bytes hold `prev_hash`."""
    if hashlib.sha256(each.record).hexdigest() != each.hash:
        return False
    try:
        return _before.decode(each.record).prev_hash == prev_hash
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False

"""Opening an event's content: blobs fetched, unsealed, joined. What is erased is absent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from msgspec import Struct

from gateway.domain import blobs, content
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.events import Event
from gateway.domain.sealing import SealBroken
from gateway.errors import StorageFailure
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Ledger, StoredEvent

OpenSecret = Callable[[str, bytes], Awaitable[bytes]]

_events = msgspec.json.Decoder(Event)


class Opened(Struct, frozen=True):
    """`content` are the joined parts, to the byte where nothing of a part is `erased` or `broken`.

    These two name the stored parts that are gone with their keys or by themselves, and those
    that were changed: what is joined has holes in their places.
    """

    event: Event
    content: dict[str, bytes]
    erased: list[str]
    broken: list[str]

    @property
    def whole(self) -> bool:
        return not self.erased and not self.broken


def open_event(
    stored: StoredEvent,
    sealed: Mapping[str, bytes],
    keys: RunKeys | None,
    known: dict[str, bytes] | None = None,
) -> Opened:
    """Open one event; `sealed` holds its parts by storage key, `keys` is None when erased.

    `known` are parts of the same run that were opened before: events repeat most of each other.
    Raises StorageFailure when the record itself cannot be read.
    """
    before = {} if known is None else known
    event = read_event(stored)
    parts: dict[str, bytes] = {}
    erased: list[str] = []
    broken: list[str] = []
    for name, key in stored.blob_keys.items():
        part = sealed.get(key)
        if part is None or keys is None:
            erased.append(name)
            continue
        try:
            data = before.get(key)
            if data is None:
                data = blobs.open_part(keys, event.project_id, event.run_id, key, part)
                before[key] = data
            parts[name] = data
        except SealBroken:
            broken.append(name)
    return Opened(event, _joined(parts), erased, broken)


def read_event(stored: StoredEvent) -> Event:
    """The event of a record. Raises StorageFailure when it cannot be read."""
    try:
        return _events.decode(stored.record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageFailure(f"an event of the ledger cannot be read: {error}") from error


async def open_content(ledger: Ledger, keyring: Keyring, stored: StoredEvent) -> dict[str, bytes]:
    """The content parts of one event that are still whole, to the byte; erased ones are absent."""
    event = read_event(stored)
    sealed = await ledger.blobs(
        event.project_id, event.run_id, list(dict.fromkeys(stored.blob_keys.values()))
    )
    keys = await keys_of(ledger, keyring.run_secret, event.project_id, event.run_id)
    opened = open_event(stored, sealed, keys)
    holed = {name.partition("/")[0] for name in (*opened.erased, *opened.broken)}
    return {name: data for name, data in opened.content.items() if name not in holed}


async def keys_of(
    ledger: Ledger, open_secret: OpenSecret, project_id: str, run_id: str
) -> RunKeys | None:
    """The run's keys, None when they were destroyed."""
    wrapped = await ledger.secret(project_id, run_id)
    if wrapped is None:
        return None
    try:
        return run_keys(await open_secret(project_id, wrapped))
    except SealBroken:
        return None


def _joined(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Parts whose frame is gone have nothing to be joined into."""
    return content.join(
        {name: data for name, data in parts.items() if name.partition("/")[0] in parts}
    )

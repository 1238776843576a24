"""Opening an event's content: blobs fetched, unsealed, joined. What is erased is absent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.domain import blobs
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.events import Event
from gateway.domain.joining import Joining
from gateway.domain.sealing import SealBroken
from gateway.errors import StorageFailure
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Ledger, StoredEvent

OpenSecret = Callable[[str, bytes], Awaitable[bytes]]

_events = msgspec.json.Decoder(Event)


# Of the parts of a run, what one reader remembers.
REMEMBERED_BYTES: Final = 16 * 1024 * 1024


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


class Shown(Struct, frozen=True):
    """An opened event whose `content` is read: what its parts say as JSON values, or as text.

    Events share what they repeat, so nobody may change a value.
    """

    event: Event
    content: dict[str, Any]
    erased: list[str]
    broken: list[str]


class Opening:
    """Opens the events of one run; `keys` is None when they were destroyed. `size` is in bytes.

    Events repeat most of each other: what was unsealed, joined and read is remembered for those
    that follow, at most so many bytes, as long as whoever reads the run holds this. Runs of one
    project may share a `joining`.
    """

    def __init__(
        self,
        keys: RunKeys | None,
        joining: Joining | None = None,
        remembered_bytes: int = REMEMBERED_BYTES,
    ) -> None:
        self._keys = keys
        self._most = remembered_bytes
        self._known: dict[str, bytes] = {}
        self.size = 0
        self._joining = joining or Joining()

    def wanted(self, events: Iterable[StoredEvent]) -> list[str]:
        """The storage keys of the parts that it takes to open these, without what is known.

        What is remembered is let go of here alone, when it is too much.
        """
        if self.size > self._most:
            self._known.clear()
            self.size = 0
        keys = {key for event in events for key in event.blob_keys.values()}
        return sorted(keys.difference(self._known))

    def size_of(self, events: Iterable[StoredEvent]) -> int:
        """The bytes of the parts of these opened events, each part once."""
        keys = {key for event in events for key in event.blob_keys.values()}
        return sum(len(self._known[key]) for key in keys if key in self._known)

    def open(self, stored: StoredEvent, sealed: Mapping[str, bytes]) -> Opened:
        """One event to the byte; `sealed` holds its parts by storage key, but for known ones.

        Raises StorageFailure when the record itself cannot be read.
        """
        event = read_event(stored)
        parts, erased, broken = self._parts(event, stored, sealed)
        return Opened(event, self._joining.join(parts), erased, broken)

    def show(self, stored: StoredEvent, sealed: Mapping[str, bytes]) -> Shown:
        """One event to be read. Raises StorageFailure like `open`."""
        event = read_event(stored)
        parts, erased, broken = self._parts(event, stored, sealed)
        return Shown(event, self._joining.values(parts), erased, broken)

    def _parts(
        self, event: Event, stored: StoredEvent, sealed: Mapping[str, bytes]
    ) -> tuple[dict[str, bytes], list[str], list[str]]:
        """The unsealed parts by name, the names of erased and those of broken ones."""
        known = self._known
        parts: dict[str, bytes] = {}
        erased: list[str] = []
        broken: list[str] = []
        for name, key in stored.blob_keys.items():
            data = known.get(key)
            if data is None:
                part = sealed.get(key)
                if part is None or self._keys is None:
                    erased.append(name)
                    continue
                try:
                    data = blobs.open_part(self._keys, event.project_id, event.run_id, key, part)
                except SealBroken:
                    broken.append(name)
                    continue
                known[key] = data
                self.size += len(data)
            parts[name] = data
        return parts, erased, broken


def open_event(stored: StoredEvent, sealed: Mapping[str, bytes], keys: RunKeys | None) -> Opened:
    """Open one event alone. Raises StorageFailure when the record itself cannot be read."""
    return Opening(keys).open(stored, sealed)


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

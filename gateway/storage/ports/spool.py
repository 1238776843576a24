"""Decisions that wait on this machine while the journal is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class SpoolEntry(Struct, frozen=True):
    """A record that waits in the spool, opened. `segment`, `place` and `end` say where it stands.

    `payload` is None where the record cannot be read; the file that holds it is set aside.
    """

    segment: int
    place: int
    end: int
    payload: bytes | None


class SpoolFigures(Struct, frozen=True):
    """Records that wait and the bytes they take; torn tails and files set aside when opened."""

    waiting: int
    bytes: int
    torn: int = 0
    set_aside: int = 0


class Spool(Protocol):
    """A local, bounded file of records, for while the journal is away."""

    async def append(self, payload: bytes) -> None:
        """Durable on return. Raises SpoolFull or another StorageFailure: then it does not count."""
        ...

    async def read(self, limit: int, after: SpoolEntry | None = None) -> Sequence[SpoolEntry]:
        """The oldest records that are not settled; those behind `after`, where that is given."""
        ...

    async def settle(self, last: SpoolEntry, *, set_aside: bool = False) -> None:
        """Everything up to `last` is recorded elsewhere. `set_aside` keeps its file for a person.

        Until a whole file is settled its records come again after a restart.
        """
        ...

    def figures(self) -> SpoolFigures: ...

    async def close(self) -> None:
        """Write what is queued, then stop."""
        ...

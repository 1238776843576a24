"""What the stores promise. Backends are native and share no code, only the contract tests.

`Journal` is the hot, ordered log and the run state that lives with it; `Drain` is the worker's end
of it; `Ledger` is the lasting record; `Control` keeps projects, keys and policy versions. A caller
of these ports speaks domain values; drivers' errors arrive as StorageFailure.
"""

from __future__ import annotations

from gateway.storage.ports.control import Caller, Control, KeyRecord
from gateway.storage.ports.drain import Claim, Drain
from gateway.storage.ports.journal import (
    Append,
    Appended,
    Gather,
    Gathered,
    Journal,
    JournalFigures,
    OpenReservation,
    PendingApproval,
    Refused,
    RefusedWhy,
    Reloaded,
    Reserve,
    RunEntry,
)
from gateway.storage.ports.ledger import (
    Erased,
    ErasedWhat,
    Fed,
    FeedPage,
    Found,
    Ledger,
    Persist,
    SealedBlob,
    StoredEvent,
)
from gateway.storage.ports.spool import Spool, SpoolEntry, SpoolFigures

__all__ = [
    "Append",
    "Appended",
    "Caller",
    "Claim",
    "Control",
    "Drain",
    "Erased",
    "ErasedWhat",
    "Fed",
    "FeedPage",
    "Found",
    "Gather",
    "Gathered",
    "Journal",
    "JournalFigures",
    "KeyRecord",
    "Ledger",
    "OpenReservation",
    "PendingApproval",
    "Persist",
    "Refused",
    "RefusedWhy",
    "Reloaded",
    "Reserve",
    "RunEntry",
    "SealedBlob",
    "Spool",
    "SpoolEntry",
    "SpoolFigures",
    "StoredEvent",
]

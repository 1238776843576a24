"""What a gateway or a worker stands on, whichever backend it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from gateway.audit.verify import AuditedLedger
from gateway.replay.recalling import Recalling
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Control, Drain, Journal, Ledger
from gateway.worker.recorder import AT_ONCE, BATCH


class GatewayStores(Struct, frozen=True, kw_only=True):
    """The stores of a gateway. `ledger` is only read; `master` is the key above all others."""

    master: bytes
    control: Control
    keyring: Keyring
    ledger: Ledger
    journal: Journal
    recalling: Recalling


class WorkerStores(Struct, frozen=True, kw_only=True):
    """The stores of a worker, which alone writes the ledger.

    `maintain` makes room ahead in the ledger, where that is anybody's work; call it now and then.
    `grow` gives places in the projects' logs to what was recorded, where that is a step of its own.
    `own_witnessing` says for so many seconds who of several workers tells witnesses; 0 ends that.
    `batch` is how many records it pays to claim at once, `at_once` how many to store in one go, and
    `gathering_seconds` how long it pays to let them gather under traffic.
    """

    control: Control
    keyring: Keyring
    drain: Drain
    ledger: AuditedLedger
    maintain: Callable[[], Awaitable[object]] | None = None
    grow: Callable[[], Awaitable[int]] | None = None
    own_witnessing: Callable[[float], Awaitable[bool]] | None = None
    batch: int = BATCH
    at_once: int = AT_ONCE
    gathering_seconds: float = 0.0


class ControlStores(Struct, frozen=True, kw_only=True):
    """What making and ending API keys needs."""

    master: bytes
    control: Control


class RecordStores(Struct, frozen=True, kw_only=True):
    """What reading and verifying the record needs."""

    control: Control
    keyring: Keyring
    ledger: AuditedLedger

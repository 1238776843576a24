"""What the API is made of: collaborators that somebody else built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from gateway.ambient import Ambient
from gateway.api.places import Places
from gateway.audit.log.tree import Logs
from gateway.checking.checker import Checker
from gateway.checking.reporter import Reporter
from gateway.domain.ruleset import Ruleset
from gateway.errors import Unavailable
from gateway.policies.rulebook import Refusal
from gateway.replay.reexecute.reexecuting import ReExecutor
from gateway.replay.rejudging import Rejudging
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Caller, Control, Journal, Ledger
from gateway.telemetry import Metrics


class Rulebook(Protocol):
    """The active policy, why a newer one is not, and every version ever used."""

    def current(self) -> Ruleset | None: ...

    async def ruleset(self, digest: str) -> Ruleset: ...

    last_error: Refusal | None


class LastAppend(Struct):
    """How the last append to the journal went: `failed_at` is monotonic, None when it succeeded."""

    failed_at: float | None = None

    def note(self, error: Exception, now: float) -> None:
        if isinstance(error, Unavailable) and error.code == "journal_unavailable":
            self.failed_at = now


class Parts(Struct, frozen=True, kw_only=True):
    """Collaborators of the API.

    `logs` are the Merkle trees of the projects' logs, as far as they were asked for.
    `authenticate` turns an authorization header into a caller, `still` the id of a key that did so
    before; both raise Unauthenticated.
    `cursor_key` is a secret that all gateways of an installation share; `stopping` is true from
    the moment the gateway wants no new requests. `re_executor` asks models again, where the
    settings name endpoints of them.
    """

    authenticate: Callable[[str | None], Caller]
    still: Callable[[str], Caller]
    checker: Checker
    reporter: Reporter
    journal: Journal
    ledger: Ledger
    control: Control
    keyring: Keyring
    rulebook: Rulebook
    rejudging: Rejudging
    ambient: Ambient
    metrics: Metrics
    cursor_key: bytes
    logs: Logs
    max_concurrent_checks: int = 256
    stopping: Callable[[], bool] = lambda: False
    last_append: LastAppend = field(default_factory=LastAppend)
    re_executor: ReExecutor | None = None
    re_executions: Places = field(default_factory=lambda: Places(8, "models are being asked again"))

"""The hot, ordered log of runs, and the state of each run that lives with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gateway.domain.events import Draft, Durability
from gateway.domain.ruleset import Reads
from gateway.domain.run_state import ActionRecord, RunState, StateChange


class Reserve(Struct, frozen=True):
    """A wish to reserve `amount` on a shared counter; `key` names counter, subject and window."""

    key: str
    amount: int


class Gather(Struct, frozen=True):
    """What a check wants to know before it is judged.

    `reservation_id` makes the reservations idempotent: asking again under it replaces them.
    `is_new` says that the gateway has just made the run's id, so that no store can know it.
    `may_remember` lets the journal answer with what it remembers of the run without asking its
    store: only for a judgement that ends in an append, which is then refused if it was not so.
    """

    project_id: str
    environment: str
    run_id: str
    parent_run_id: str | None = None
    action_id: str | None = None
    reserve: tuple[Reserve, ...] = ()
    reservation_id: str = ""
    is_new: bool = False
    may_remember: bool = False


class Gathered(Struct, frozen=True):
    """`state` is to be read at once and never kept; `version` names what was read.

    `halted` counts the run's parents too. `used` is what each counter holds without this call.
    `stored_environment` differs from the caller's when the run belongs to another environment.
    `generation` names the memory that was read: it changes when a failed write drops it.
    `remembered` names what was believed without asking; 0 when the store was asked.
    """

    state: RunState
    version: int
    halted: bool
    action: ActionRecord | None
    used: dict[str, int]
    stored_environment: str
    generation: int = 0
    remembered: int = 0


class Append(Struct, frozen=True):
    """Events and state changes that belong together: all of them become durable, or none.

    `action_id` and `expected_event` say which record of the action the judgement saw (None: the id
    was unused), at `gathered_version` of the run; `gathered_generation` is that of what was
    gathered, None where nothing of it was relied on. `remembered` is what was believed then: unless
    it turns out that it was so, nothing is appended. `allows` is true when the decision lets the
    call through: then the run and its parents must not be halted. `reads` are predicates with the
    truth they had when gathered. `confirm` turns tentative reservations into confirmed ones at
    these amounts, with a deadline; `release` gives back confirmed ones of `settle_action`.
    """

    project_id: str
    environment: str
    run_id: str
    drafts: tuple[Draft, ...]
    changes: tuple[StateChange, ...] = ()
    user_id: str | None = None
    parent_run_id: str | None = None
    action_id: str | None = None
    expected_event: str | None = None
    gathered_version: int = 0
    gathered_generation: int | None = None
    remembered: int = 0
    allows: bool = False
    reads: tuple[tuple[Reads, bool], ...] = ()
    reservation_id: str = ""
    confirm: dict[str, int] = {}
    confirm_deadline_ns: int = 0
    settle_action: str | None = None
    release: dict[str, int] = {}


RefusedWhy = Literal["halted", "action_changed", "predicate", "environment"]


class Appended(Struct, frozen=True):
    """`first_seq` is the seq of the first draft; the others follow without a gap."""

    first_seq: int
    durability: Durability


class Refused(Struct, frozen=True):
    """Nothing was appended, because the world is not as it was gathered: judge again."""

    why: RefusedWhy


class OpenReservation(Struct, frozen=True):
    """A confirmed reservation past its deadline, without a result."""

    project_id: str
    environment: str
    run_id: str
    action: ActionRecord


class PendingApproval(Struct, frozen=True):
    """An approval past its expiry that is still pending."""

    project_id: str
    environment: str
    run_id: str
    approval_id: str


class Reloaded(Struct, frozen=True):
    """A run that the journal had forgotten, folded again from the ledger.

    `actions` are all of the run by id, oldest first, also those that `state.recent` no longer
    holds. `wrapped_secret` is empty when it was destroyed: then nothing can be appended.
    """

    state: RunState
    actions: dict[str, ActionRecord]
    wrapped_secret: bytes


class RunEntry(Struct, frozen=True):
    """An event still in the journal, opened: `content` in clear."""

    seq: int
    draft: Draft


class JournalFigures(Struct, frozen=True):
    """`waiting` events not yet settled and the age of the oldest in seconds.

    `set_aside` counts records of reservations that could not be read when they were due.
    """

    waiting: int
    oldest_seconds: float
    durability: Durability
    set_aside: int = 0


class Journal(Protocol):
    """The hot, ordered log of events, with the state of the runs in it."""

    async def gather(self, ask: Gather) -> Gathered:
        """The run's state, and tentative reservations on shared counters. Makes nothing lasting."""
        ...

    async def append(self, append: Append) -> Appended | Refused:
        """Validate first, then write all of it. Durable on return, as `durability` says.

        Raises StorageFailure when it cannot be durable: then nothing of it counts.
        """
        ...

    async def forget(self, reservation_id: str) -> None:
        """Release the tentative reservations of a check that was not appended."""
        ...

    async def find_action(
        self, project_id: str, decision_id: str
    ) -> tuple[str, ActionRecord] | None:
        """(run id, record) of a hot action, by the decision that judged it last."""
        ...

    async def locate(self, project_id: str, event_id: str) -> tuple[str, str, str | None] | None:
        """(run id, environment, action id) of an event that is still in the journal."""
        ...

    async def recall(self, project_id: str, run_id: str, event_id: str) -> RunEntry | None:
        """One event that is still in the journal."""
        ...

    async def last_seq(self, project_id: str, run_id: str) -> int:
        """The run's last seq, 0 when the journal does not know the run."""
        ...

    async def due_reservations(self, now_ns: int, limit: int) -> Sequence[OpenReservation]:
        """Those past their deadline. A record that cannot be read is set aside, and counted."""
        ...

    async def due_approvals(self, now_ns: int, limit: int) -> Sequence[PendingApproval]: ...

    async def evict_idle(self, idle_before_ns: int, limit: int) -> int:
        """Forget runs that are drained and idle since then; the ledger gives them back."""
        ...

    async def figures(self) -> JournalFigures: ...

    async def erase(self, project_id: str, run_ids: Sequence[str]) -> None:
        """Destroy the wrapped secrets of these runs here, too: nothing is appended to them again.

        An append to one raises Conflict `run_erased`.
        """
        ...

    def forget_keys(self) -> None:
        """Let go of every content key in memory; those that still exist are opened again."""
        ...

    async def scrub(self) -> Sequence[str]:
        """Wipe what the files still hold of destroyed secrets; say where copies stay, if any."""
        ...

    async def close(self) -> None:
        """Flush what is queued, then stop."""
        ...

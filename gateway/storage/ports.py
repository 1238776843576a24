"""What the stores promise. Backends are native and share no code, only the contract tests.

`Journal` is the hot, ordered log and the run state that lives with it; `Drain` is the worker's end
of it; `Ledger` is the lasting record; `Control` keeps projects, keys and policy versions. A caller
of these ports speaks domain values; drivers' errors arrive as StorageFailure.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from gateway.domain.events import Draft, Durability, Event
from gateway.domain.facts import Agent, ArtifactRow, FiledOfRun, Standing
from gateway.domain.ruleset import Reads
from gateway.domain.run_state import ActionRecord, RunState, StateChange
from gateway.storage.wanted import ArtifactFilter, RunFilter


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


class Claim(Struct, frozen=True):
    """A journal record handed to a worker. `raw` is what is stored; `token` settles it.

    What the token is, is the store's own business; no two records have the same.
    """

    token: Hashable
    project_id: str
    environment: str
    run_id: str
    seq: int
    raw: bytes


class Drain(Protocol):
    """The worker's end of the journal. A run has one worker at a time, by lease."""

    async def claim(self, limit: int) -> Sequence[Claim]:
        """The oldest unsettled records, in order within each run. Given again until settled."""
        ...

    async def settle(self, claims: Sequence[Claim]) -> None: ...

    async def secrets(self, runs: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        """The wrapped secret of each (project, run)."""
        ...

    async def close(self) -> None: ...


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


class SealedBlob(Struct, frozen=True):
    """Content at rest: `key` from the run's secret, `sealed` is nonce and ciphertext."""

    key: str
    sealed: bytes


class Persist(Struct, frozen=True):
    """One finished event on its way into the ledger, not yet chained.

    `blobs` are its content parts: name -> (commitment, sealed blob). `opened` is the event's body
    as `open_body` gives it, where whoever made this has opened it already.
    """

    event: Event
    blobs: dict[str, tuple[str, SealedBlob]]
    opened: Any = None


class StoredEvent(Struct, frozen=True, gc=False):
    """An event as stored: `record` are exactly the bytes whose hash is `hash`.

    `blob_keys` maps a content part's name to its storage key.
    """

    record: bytes
    hash: str
    blob_keys: dict[str, str]


class Found(Struct, frozen=True):
    """A stored event out of many runs, with what it takes to open it.

    `wrapped` is its run's secret, None when that was destroyed; `sealed` are the content parts
    that were asked for, by storage key. `cursor` is given to ask for those before it.
    """

    run_id: str
    stored: StoredEvent
    wrapped: bytes | None
    cursor: tuple[str, str]
    sealed: dict[str, bytes] = {}


class Fed(Struct, frozen=True):
    """An event at its place in the project's feed: exactly the bytes that are stored."""

    place: int
    record: bytes


class FeedPage(Struct, frozen=True):
    """Events in the order of their commits, behind the place `began` and up to `reached`.

    `began` is beyond what was asked for when what lies between is not kept any more.
    """

    began: int
    reached: int
    events: list[Fed]


ErasedWhat = Literal["run", "subject", "project"]


class Erased(Struct, frozen=True):
    """That a run's content was erased: when, with what, and by which API key or command."""

    at: str
    what: ErasedWhat
    by: str


class Ledger(Protocol):
    """The lasting record: append-only, one hash chain for each run, and projections of it."""

    async def record(
        self, batch: Sequence[Persist], secrets: Mapping[tuple[str, str], bytes]
    ) -> int:
        """Chain and store in one transaction; events already recorded are passed over.

        An event whose seq leaves a gap behind the run's last is refused with StorageFailure.
        A seq that is taken by another event is stored under the next epoch. Returns how many.
        """
        ...

    async def events(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]: ...

    async def event_by_decision(self, project_id: str, decision_id: str) -> StoredEvent | None: ...

    async def decisions(
        self, project_id: str, environment: str, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Found]:
        """The newest decisions of an environment, whatever their run, with their frames' parts.

        Newest first; `before` is the cursor of the last one of the page before.
        """
        ...

    async def feedback(
        self, project_id: str, run_ids: Sequence[str], per_run: int
    ) -> Sequence[Found]:
        """What was said of these runs' decisions, of each run at most so much, the newest.

        In order within each run, with the words.
        """
        ...

    async def blobs(self, project_id: str, run_id: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Sealed bytes by storage key; erased ones are absent."""
        ...

    async def blobs_of_runs(
        self, project_id: str, wanted: Mapping[str, Collection[str]]
    ) -> Mapping[str, Mapping[str, bytes]]:
        """The same for some runs at once: the storage keys that are wanted of each, by run id.

        A run without any may be absent.
        """
        ...

    async def secret(self, project_id: str, run_id: str) -> bytes | None:
        """The run's wrapped secret, None when it was destroyed or never came."""
        ...

    async def erased(self, project_id: str, run_id: str) -> Erased | None:
        """That and when the run's secret was destroyed, None when it was not."""
        ...

    async def to_erase(
        self, project_id: str, user_id: str | None, after: str, limit: int
    ) -> Sequence[str]:
        """Runs, of this user where one is given, whose secret is still there: by id, from `after`
        on."""
        ...

    async def erase(self, project_id: str, run_ids: Sequence[str], erased: Erased) -> int:
        """Destroy the wrapped secrets of these runs for good; return of how many.

        No secret ever takes the place of one that was destroyed. Chain and content stay.
        """
        ...

    async def scrub(self) -> Sequence[str]:
        """Wipe what the files still hold of destroyed secrets; say where copies stay, if any."""
        ...

    async def run(self, project_id: str, run_id: str) -> Mapping[str, Any] | None:
        """The run's projection."""
        ...

    async def runs(
        self, project_id: str, wanted: RunFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Newest first; `before` is (started_at, run_id) of the last row of the page before."""
        ...

    async def refile(self, project_id: str, run_id: str) -> None:
        """File again, from its events, by what a run is found: for runs recorded by a release that
        did not, and where it is not what its events say. Only for one who may record."""
        ...

    async def filed(self, project_id: str, run_id: str) -> FiledOfRun:
        """By what a run is found, as it is filed."""
        ...

    async def standing(
        self, project_id: str, runs: Sequence[tuple[str, str]]
    ) -> Mapping[str, Standing]:
        """Cost and attention of runs, given as (started_at, run_id); those with neither are absent.

        Of the page of a list, that is: at most a few hundred at once.
        """
        ...

    async def agents(self, project_id: str, prefix: str, limit: int) -> Sequence[Agent]:
        """Agents whose id begins so, in order of their bytes."""
        ...

    async def artifacts(
        self, project_id: str, wanted: ArtifactFilter, before: tuple[str, str] | None, limit: int
    ) -> Sequence[ArtifactRow]:
        """What runs made or touched, newest first, behind the cursor of a row."""
        ...

    async def approvals(
        self, project_id: str, status: str | None, before: tuple[str, str] | None, limit: int
    ) -> Sequence[Mapping[str, Any]]: ...

    async def approval(self, project_id: str, approval_id: str) -> Mapping[str, Any] | None: ...

    async def feed_end(self, project_id: str) -> int:
        """A place in the project's feed behind which nothing is recorded yet. Never falls.

        Whatever is recorded later comes behind it, and whoever sees a place sees all before it.
        """
        ...

    async def feed(self, project_id: str, after: int, limit: int) -> FeedPage:
        """Events of the project behind a place, as they were committed; of a run in its order."""
        ...

    async def all_runs(self) -> Sequence[tuple[str, str]]:
        """(project, run) of every run, for verification."""
        ...

    async def last_seq(self, project_id: str, run_id: str) -> int: ...

    async def leaves(self, project_id: str, after: int, limit: int) -> Sequence[bytes]:
        """The project's log from place `after` on: hashes of its events in commit order."""
        ...

    async def log_sizes(self) -> Mapping[str, int]:
        """How many leaves the log of each project has. Of all projects, so only for a worker."""
        ...

    async def place(self, project_id: str, run_id: str, seq: int, digest: bytes) -> int | None:
        """Where the hash of this event of the run stands in the project's log, if it does.

        As quick however long the log is.
        """
        ...

    async def strays(self, project_id: str) -> int:
        """How many hashes stand in the project's log or with an event, and not in both."""
        ...

    async def grow(self) -> int:
        """Give places in the log to what was recorded; return to how many batches."""
        ...

    async def close(self) -> None: ...


class Caller(Struct, frozen=True):
    """Who asks: what an API key stands for. `agent_id` is set when the key is bound to an agent."""

    key_id: str
    project_id: str
    environment: str
    scopes: frozenset[str]
    agent_id: str | None = None


class KeyRecord(Struct, frozen=True):
    """An API key as stored: never the key, only a keyed digest of it. Times RFC 3339."""

    id: str
    project_id: str
    environment: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created_at: str
    agent_id: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None


class Control(Protocol):
    """Projects, API keys, wrapped encryption keys and policy versions."""

    async def keys(self) -> Sequence[KeyRecord]: ...

    async def add_key(self, record: KeyRecord) -> None: ...

    async def revoke_key(self, key_id: str, at: str) -> bool: ...

    async def expire_key(self, key_id: str, at: str) -> bool:
        """Let a key end then, unless it ends sooner already."""
        ...

    async def changes(self) -> int:
        """A number that differs whenever keys or projects changed."""
        ...

    async def erasures(self) -> int:
        """A number that differs whenever keys of content were destroyed; `changes` differs too."""
        ...

    async def project(self, name: str) -> str:
        """The id of the project of that name, made when it is new."""
        ...

    async def wrapped_key(self, project_id: str, subject: str | None) -> bytes | None: ...

    async def put_wrapped_key(self, project_id: str, subject: str | None, wrapped: bytes) -> bytes:
        """Store the first one and return it; later ones are ignored, and the first returned."""
        ...

    async def destroy_keys(self, project_id: str, subject: str | None) -> int:
        """Destroy a subject's key, or all keys of a project; return how many. Counts as a change.

        A key that is needed again is made anew, and opens nothing that was sealed before.
        """
        ...

    async def scrub(self) -> Sequence[str]:
        """Wipe what the files still hold of destroyed keys; say where copies stay, if any."""
        ...

    async def save_version(
        self, digest: str, files: Mapping[str, str], commit: str | None, at: str
    ) -> None: ...

    async def version_files(self, digest: str) -> Mapping[str, str] | None: ...

    async def versions(self) -> Sequence[Mapping[str, Any]]:
        """Newest first: digest, commit, saved_at."""
        ...

    async def close(self) -> None: ...

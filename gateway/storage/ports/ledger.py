"""The lasting record: events, sealed content, what is filed for queries, and the log."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from gateway.domain.events import Event
from gateway.domain.facts import Agent, ArtifactRow, FiledOfRun, Standing
from gateway.storage.wanted import ArtifactFilter, RunFilter


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

    `blob_keys` maps a content part's name to its storage key, in order of the names.
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

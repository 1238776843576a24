"""Verification: does the ledger still hold what was recorded, and nothing else?

One checker for operators, for fault tests and for metrics. It trusts no projection: everything is
worked out again from the records, page by page, so any size will do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gateway.audit.run_check import Problem, RunCheck
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.projections import Indexed
from gateway.domain.sealing import SealBroken
from gateway.storage.ports import Erased, Ledger

PAGE = 500
# The content of so many events is in memory at once.
OPENED_AT_ONCE = 32
# There is a new epoch when a store lost its memory; a run with more was tampered with.
EPOCHS_MAX = 64
# A report names so many problems of a run; the count is always right.
PROBLEMS_MAX = 20
RUNS_NAMED_MAX = 1_000

OpenSecret = Callable[[str, bytes], Awaitable[bytes]]
Content = Literal["verified", "sealed", "erased"]


class AuditedLedger(Ledger, Protocol):
    """A ledger that also shows the columns by which it finds events."""

    async def indexed(
        self, project_id: str, run_id: str, after: int = 0, limit: int = 1000
    ) -> Sequence[Indexed]:
        """The columns of the same page of events."""
        ...


class RunReport(Struct, frozen=True):
    """What was found in one run. `content` is `sealed` when its secret cannot be opened, `erased`
    when the record says that it was destroyed, and `erased` then says when and by whom.

    `unreadable` counts journal records that could not be read and stand as evidence of that.
    """

    project_id: str
    run_id: str
    events: int
    last_seq: int
    epochs: int
    content: Content
    problem_count: int
    problems: tuple[Problem, ...]
    unreadable: int = 0
    erased: Erased | None = None

    @property
    def ok(self) -> bool:
        return self.problem_count == 0


class Verification(Struct, frozen=True):
    """Of all runs. `bad` are the reports of those with problems, the first thousand of them.

    `twice` counts runs in which a seq was given out twice, `sealed` those whose content could
    not be opened, `erased` those of which the record says that it was destroyed, `unreadable`
    events in whose place evidence stands; none of them is a problem of the record.
    """

    runs: int
    events: int
    twice: int
    sealed: int
    bad_runs: int
    bad: tuple[RunReport, ...]
    unreadable: int = 0
    erased: int = 0

    @property
    def ok(self) -> bool:
        return self.bad_runs == 0


async def verify(
    ledger: AuditedLedger, open_secret: OpenSecret | None = None, page: int = PAGE
) -> Verification:
    """Verify every run. Without `open_secret` the content is left sealed and not looked at."""
    runs = events = twice = sealed = bad_runs = unreadable = erased = 0
    bad: list[RunReport] = []
    async for report in verify_runs(ledger, open_secret, page):
        runs += 1
        events += report.events
        twice += report.epochs > 1
        sealed += report.content == "sealed"
        erased += report.content == "erased"
        bad_runs += not report.ok
        unreadable += report.unreadable
        if not report.ok and len(bad) < RUNS_NAMED_MAX:
            bad.append(report)
    return Verification(runs, events, twice, sealed, bad_runs, tuple(bad), unreadable, erased)


async def verify_runs(
    ledger: AuditedLedger, open_secret: OpenSecret | None = None, page: int = PAGE
) -> AsyncIterator[RunReport]:
    """A report for each run, in order of project and run."""
    for project_id, run_id in await ledger.all_runs():
        yield await verify_run(ledger, project_id, run_id, open_secret, page)


async def verify_run(
    ledger: AuditedLedger,
    project_id: str,
    run_id: str,
    open_secret: OpenSecret | None = None,
    page: int = PAGE,
) -> RunReport:
    """Verify one run: its chain, its numbering, its content, and what is said of it in tables."""
    keys = await _keys(ledger, project_id, run_id, open_secret)
    check = RunCheck(project_id, run_id, keys)
    # The order of the chain is (epoch, seq), that of the pages is (seq, epoch).
    epochs = await _one_epoch(ledger, check, 0, page)
    for epoch in sorted(epochs - {0})[:EPOCHS_MAX]:
        await _one_epoch(ledger, check, epoch, page)
    # These are read before the run is seen not to have gone on meanwhile.
    row = await ledger.run(project_id, run_id)
    filed = await ledger.filed(project_id, run_id)
    erased = await ledger.erased(project_id, run_id)
    if await ledger.last_seq(project_id, run_id) == check.last_seq:
        check.compare_row(row)
        check.compare_filed(filed)
    return RunReport(
        project_id=project_id,
        run_id=run_id,
        events=check.events,
        last_seq=check.last_seq,
        epochs=len(epochs),
        content="erased" if erased else "sealed" if keys is None else "verified",
        problem_count=len(check.problems),
        problems=tuple(check.problems[:PROBLEMS_MAX]),
        unreadable=check.unreadable,
        erased=erased,
    )


async def _one_epoch(ledger: AuditedLedger, check: RunCheck, epoch: int, page: int) -> set[int]:
    """Check the events of one epoch; return all epochs that the run has."""
    epochs: set[int] = set()
    after = 0
    while True:
        columns = await ledger.indexed(check.project_id, check.run_id, after, page)
        stored = await ledger.events(check.project_id, check.run_id, after, page)
        if not columns:
            return epochs
        pairs = [pair for pair in zip(columns, stored, strict=False) if pair[0].epoch == epoch]
        for at in range(0, len(pairs), OPENED_AT_ONCE):
            some = pairs[at : at + OPENED_AT_ONCE]
            keys = {key for _, event in some for key in event.blob_keys.values()}
            sealed = await ledger.blobs(check.project_id, check.run_id, sorted(keys))
            for column, event in some:
                check.take(column, event, sealed)
        epochs |= {column.epoch for column in columns}
        after = columns[-1].seq


async def _keys(
    ledger: AuditedLedger, project_id: str, run_id: str, open_secret: OpenSecret | None
) -> RunKeys | None:
    wrapped = await ledger.secret(project_id, run_id) if open_secret else None
    if wrapped is None or open_secret is None:
        return None
    try:
        return run_keys(await open_secret(project_id, wrapped))
    except SealBroken:
        return None

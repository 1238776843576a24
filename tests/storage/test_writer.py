"""The writer thread: group commits in order, and failures that take along what rests on them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_reader, open_writer
from gateway.storage.embedded.writer import Writer

INSERT = "INSERT INTO item (id, value) VALUES (?, ?)"


@pytest.fixture
async def opened(tmp_path):
    """(make a writer, its reader). The table refuses the value -1."""
    path = tmp_path / "items.db"
    connection = open_writer(path)
    connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, value CHECK (value <> -1))")
    reader = open_reader(path)
    writers: list[Writer] = []

    def make(**options) -> Writer:
        writers.append(Writer(connection, path, **options))
        return writers[-1]

    yield make, reader
    for writer in writers:
        await writer.close()
    reader.close()


async def test_what_was_submitted_can_be_read(opened):
    make, reader = opened
    writer = make()

    await asyncio.gather(*(writer.submit([(INSERT, [(n, n)])]) for n in range(300)))

    assert _values(reader) == list(range(300))


async def test_rows_of_one_statement_keep_their_order_across_a_group(opened):
    make, reader = opened
    writer = make()
    upsert = f"{INSERT} ON CONFLICT DO UPDATE SET value = excluded.value"

    await asyncio.gather(*(writer.submit([(upsert, [(1, n)])]) for n in range(200)))

    assert _values(reader) == [199]


async def test_a_failure_takes_along_what_was_queued_before_it_was_known(opened):
    """D1: what rests on a lost write is lost with it; what comes after the news is not."""
    make, reader = opened
    told: list[str] = []
    writer = make(on_failure=lambda: told.append("dropped"))
    await _hold(writer)

    submitted = [writer.submit([(INSERT, [(n, -1 if n == 3 else n)])]) for n in range(6)]
    outcomes = await asyncio.gather(*submitted, return_exceptions=True)
    await writer.submit([(INSERT, [(9, 9)])])

    assert all(isinstance(outcome, StorageFailure) for outcome in outcomes)
    assert told == ["dropped"]
    assert _values(reader) == [9]


async def test_what_is_queued_before_the_loop_heard_of_a_failure_fails_too(opened):
    """D1: the loop goes on working from a memory that is wrong until it hears of the failure."""
    make, reader = opened
    told: list[str] = []
    writer = make(on_failure=lambda: told.append("dropped"))

    def done(error: StorageFailure | None) -> None:
        told.append("failed" if error else "written")

    writer.enqueue([(INSERT, [(1, -1)])], done)
    time.sleep(0.1)  # noqa: ASYNC251  the loop must not hear of it yet
    writer.enqueue([(INSERT, [(2, 2)])], done)
    await writer.run(lambda _: None)
    writer.enqueue([(INSERT, [(3, 3)])], done)
    await writer.run(lambda _: None)

    assert told == ["dropped", "failed", "failed", "written"]
    assert _values(reader) == [3]


async def test_the_memory_is_dropped_before_anybody_hears_of_the_failure(opened):
    make, _ = opened
    order: list[str] = []
    writer = make(on_failure=lambda: order.append("dropped"))

    writer.enqueue([(INSERT, [(1, -1)])], lambda error: order.append(f"told {bool(error)}"))
    await writer.run(lambda _: None)

    assert order == ["dropped", "told True"]


async def test_a_row_that_cannot_be_bound_does_not_stop_the_thread(opened):
    make, reader = opened
    writer = make()

    for value in (2**70, "\ud800", object()):
        with pytest.raises(StorageFailure):
            await writer.submit([(INSERT, [(1, value)])])

    await writer.submit([(INSERT, [(1, 1)])])
    assert _values(reader) == [1]


async def test_the_queue_is_bounded(opened):
    make, reader = opened
    writer = make(queued_max=5)
    held = await _hold(writer, release=False)

    waiting = [asyncio.create_task(writer.submit([(INSERT, [(n, n)])])) for n in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(StorageFailure, match="overloaded"):
        await writer.submit([(INSERT, [(9, 9)])])
    held.set()
    await asyncio.gather(*waiting)
    await writer.submit([(INSERT, [(5, 5)])])

    assert _values(reader) == list(range(6))


async def test_a_job_is_a_transaction_of_its_own(opened):
    make, reader = opened
    writer = make()

    def fails(db: sqlite3.Connection) -> None:
        db.execute(INSERT, (1, 1))
        raise LookupError("no")

    with pytest.raises(LookupError):
        await writer.run(fails)
    with pytest.raises(StorageFailure):
        await writer.run(lambda db: db.execute(INSERT, (1, -1)))
    assert await writer.run(lambda db: db.execute(INSERT, (2, 2)).rowcount) == 1

    assert _values(reader) == [2]


async def test_closing_writes_what_is_queued(opened):
    make, reader = opened
    writer = make()
    submitted = [asyncio.create_task(writer.submit([(INSERT, [(n, n)])])) for n in range(50)]
    await asyncio.sleep(0)

    await writer.close()
    await asyncio.gather(*submitted)

    assert _values(reader) == list(range(50))
    with pytest.raises(StorageFailure, match="closed"):
        await writer.submit([(INSERT, [(99, 99)])])


async def test_a_cancelled_append_is_written_all_the_same(opened):
    make, reader = opened
    writer = make()
    task = asyncio.create_task(writer.submit([(INSERT, [(1, 1)])]))
    await asyncio.sleep(0)
    task.cancel()

    await writer.submit([(INSERT, [(2, 2)])])

    assert _values(reader) == [1, 2]


async def test_a_long_log_is_moved_into_the_file(opened, tmp_path):
    """With no worker about, the log begins again instead of growing without end."""
    make, _ = opened
    writer = make(log_rows=50)
    log = tmp_path / "items.db-wal"

    sizes = []
    for n in range(600):
        await writer.submit([(INSERT, [(n, "x" * 500)])])
        sizes.append(log.stat().st_size)

    assert sizes[-1] == sizes[200]
    assert sizes[-1] < 1_000_000


async def _hold(writer: Writer, *, release: bool = True):
    """Keep the thread busy, so that what is submitted next becomes one group."""
    begun, gate = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        begun.set()
        gate.wait(10)

    task = asyncio.create_task(writer.run(wait))
    await asyncio.sleep(0)
    await asyncio.to_thread(begun.wait, 10)
    if release:
        asyncio.get_running_loop().call_later(0.02, gate.set)
    task.add_done_callback(lambda _: None)
    return gate


def _values(reader: sqlite3.Connection) -> list[object]:
    return [value for (value,) in reader.execute("SELECT value FROM item ORDER BY id").fetchall()]

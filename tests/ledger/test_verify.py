"""Verification finds every change that was made behind the ledger's back, and where."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable

import msgspec
import pytest

from gateway.audit.verify import Verification, verify, verify_run
from gateway.domain.events import Event
from gateway.domain.sealing import SealBroken
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

VICTIM = "run_2"
Tamper = Callable[[sqlite3.Connection], object]


async def fill(folder) -> None:
    """Three runs; the second is the one that is tampered with."""
    ledger = await open_ledger(folder / "ledger.db")
    for run_id in ("run_1", VICTIM, "run_3"):
        drafts = [
            events.started(name=run_id),
            events.decided({"amount": 7}, decision_id=f"dec_{run_id}", amount=None),
            events.asked(f"apr_{run_id}"),
            events.observed("request", {"text": "charge the customer"}),
            events.resulted(f"dec_{run_id}"),
            events.observed("run_ended", status="succeeded"),
        ]
        await ledger.record(persists(drafts, run_id=run_id), {(PROJECT, run_id): WRAPPED})
    await ledger.close()


@pytest.fixture
async def folder(tmp_path):
    await fill(tmp_path)
    return tmp_path


def change(folder, tamper: Tamper) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    with connection:
        tamper(connection)
    connection.close()


async def verified(folder, opener=open_secret, page: int = 4) -> Verification:
    ledger = await open_ledger(folder / "ledger.db", writing=False)
    try:
        return await verify(ledger, opener, page)
    finally:
        await ledger.close()


def execute(statement: str, *values) -> Tamper:
    return lambda connection: connection.execute(statement, values)


def rewrite(seq: int, edit: Callable[[bytes], bytes], *, rehash: bool) -> Tamper:
    """Change a record, and its hash too when the attacker is thorough."""

    def tamper(connection: sqlite3.Connection) -> None:
        where = "WHERE run_id = ? AND seq = ?"
        found = connection.execute(f"SELECT record FROM event {where}", (VICTIM, seq)).fetchone()
        record = edit(found[0])
        assert record != found[0]
        connection.execute(f"UPDATE event SET record = ? {where}", (record, VICTIM, seq))
        if rehash:
            digest = hashlib.sha256(record).digest()
            connection.execute(f"UPDATE event SET hash = ? {where}", (digest, VICTIM, seq))

    return tamper


def swap(connection: sqlite3.Connection) -> None:
    for was, becomes in ((3, 99), (4, 3), (99, 4)):
        connection.execute(
            "UPDATE event SET seq = ? WHERE run_id = ? AND seq = ?", (becomes, VICTIM, was)
        )


def swap_blobs(connection: sqlite3.Connection) -> None:
    found = connection.execute(
        "SELECT key, sealed FROM blob WHERE run_id = ? ORDER BY key LIMIT 2", (VICTIM,)
    ).fetchall()
    (one, first), (other, second) = found
    connection.execute(
        "UPDATE blob SET sealed = ? WHERE run_id = ? AND key = ?", (second, VICTIM, one)
    )
    connection.execute(
        "UPDATE blob SET sealed = ? WHERE run_id = ? AND key = ?", (first, VICTIM, other)
    )


def swap_parts(connection: sqlite3.Connection) -> None:
    (keys,) = connection.execute(f"SELECT blob_keys FROM event {AT} 4").fetchone()
    assert len(keys) == 64
    swapped = keys[32:] + keys[:32]
    connection.execute(f"UPDATE event SET blob_keys = ? {AT} 4", (swapped,))


AT = "WHERE run_id = 'run_2' AND seq ="
TAMPERINGS: dict[str, tuple[Tamper, set[tuple[str, int]]]] = {
    "a changed record": (
        rewrite(2, lambda r: r.replace(b'"allow"', b'"block"', 1), rehash=False),
        {("chain", 2), ("columns", 2), ("row", 0)},
    ),
    "a changed record with its hash": (
        rewrite(3, lambda r: r.replace(b"apr_run_2", b"apr_run_9"), rehash=True),
        {("chain", 4)},
    ),
    "a record that is no JSON any more": (
        rewrite(4, lambda r: r[:-5], rehash=False),
        {("chain", 4), ("record", 4), ("row", 0)},
    ),
    "a removed event": (
        execute(f"DELETE FROM event {AT} 3"),
        {("chain", 4), ("gap", 4), ("row", 0)},
    ),
    "a removed first event": (
        execute(f"DELETE FROM event {AT} 1"),
        {("chain", 2), ("gap", 2), ("row", 0)},
    ),
    "a removed last event": (execute(f"DELETE FROM event {AT} 6"), {("row", 0)}),
    "two events in each other's place": (
        swap,
        {("chain", 3), ("chain", 4), ("chain", 5), ("columns", 3), ("columns", 4)},
    ),
    "an altered column": (
        execute(f"UPDATE event SET enforced = 'block' {AT} 2"),
        {("columns", 2)},
    ),
    "an altered time": (
        execute(f"UPDATE event SET recorded_at = '2020' {AT} 4"),
        {("columns", 4)},
    ),
    "a moved event": (
        execute(f"UPDATE event SET seq = 9 {AT} 6"),
        {("columns", 9), ("gap", 9)},
    ),
    "an event moved into an epoch of its own": (
        execute(f"UPDATE event SET epoch = 1 {AT} 3"),
        {("chain", 4), ("gap", 4), ("columns", 3), ("chain", 3)},
    ),
    "a changed blob": (
        execute("UPDATE blob SET sealed = zeroblob(length(sealed)) WHERE run_id = 'run_2'"),
        {("content", 2), ("content", 4), ("content", 5)},
    ),
    "a removed blob": (
        execute("DELETE FROM blob WHERE run_id = 'run_2'"),
        {("content", 2), ("content", 4), ("content", 5)},
    ),
    "another event's content": (
        execute(
            f"UPDATE event SET blob_keys = (SELECT blob_keys FROM event {AT} 5) {AT} 4",
        ),
        {("content", 4)},
    ),
    "an event's parts in each other's place": (swap_parts, {("content", 4)}),
    "a row that lies about its run": (
        execute("UPDATE run SET blocked = 3, status = 'failed' WHERE run_id = 'run_2'"),
        {("row", 0)},
    ),
    "a run without its row": (execute("DELETE FROM run WHERE run_id = 'run_2'"), {("row", 0)}),
    "a row without its run": (
        execute("DELETE FROM event WHERE run_id = 'run_2'"),
        {("row", 0)},
    ),
}


async def test_an_untouched_ledger_has_no_problem(folder):
    found = await verified(folder)

    assert found == Verification(runs=3, events=18, twice=0, sealed=0, bad_runs=0, bad=())
    assert found.ok


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_tampering_is_found_at_its_place_and_nowhere_else(folder, name):
    """A1: change, removal, insertion and reordering are detected, and located."""
    tamper, wanted = TAMPERINGS[name]
    change(folder, tamper)

    found = await verified(folder)

    assert not found.ok
    assert [report.run_id for report in found.bad] == [VICTIM]
    problems = {(problem.kind, problem.seq) for problem in found.bad[0].problems}
    assert problems == wanted


async def test_swapped_blobs_are_found(folder):
    change(folder, swap_blobs)

    found = await verified(folder)

    assert {problem.kind for problem in found.bad[0].problems} == {"content"}


async def test_problems_are_named_by_run_and_seq_in_words(folder):
    change(folder, execute("DELETE FROM run WHERE run_id = 'run_2'"))

    report = (await verified(folder)).bad[0]

    assert (report.project_id, report.run_id, report.events) == (PROJECT, VICTIM, 6)
    assert report.problems[0].detail.startswith("differs from its events in actions, ")


async def test_a_flood_of_problems_is_counted_and_not_listed(tmp_path):
    """A report stays small however much was destroyed."""
    ledger = await open_ledger(tmp_path / "ledger.db")
    drafts = [events.draft() for _ in range(300)]
    await ledger.record(persists(drafts, run_id=VICTIM), {})
    await ledger.close()
    change(tmp_path, execute("UPDATE event SET type = 'forged'"))

    report = (await verified(tmp_path)).bad[0]

    assert report.problem_count == 300
    assert len(report.problems) == 20


async def test_content_of_an_erased_run_is_sealed_and_the_chain_still_verifies(folder):
    """A6: erasure leaves the log verifiable and the content unreadable."""
    change(folder, execute("DELETE FROM run_secret WHERE run_id = 'run_2'"))
    change(folder, execute("DELETE FROM blob WHERE run_id = 'run_2'"))

    found = await verified(folder)

    assert found.ok
    assert found.sealed == 1


async def test_a_secret_that_cannot_be_opened_leaves_the_content_sealed(folder):
    async def destroyed(project_id: str, wrapped: bytes) -> bytes:
        raise SealBroken("gone")

    found = await verified(folder, destroyed)

    assert found.ok
    assert found.sealed == 3


async def test_without_keys_the_chains_alone_are_verified(folder):
    found = await verified(folder, None)

    assert found.ok
    assert found.sealed == 3


async def test_epochs_are_verified_in_the_order_of_their_chain(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    for first, count in ((1, 9), (4, 9), (2, 3)):
        await ledger.record(persists([events.draft() for _ in range(count)], first), {})

    report = await verify_run(ledger, PROJECT, "run_1", None, 2)

    assert report.ok
    assert (report.events, report.epochs, report.last_seq) == (21, 3, 4)
    assert (await verify(ledger)).twice == 1
    await ledger.close()
    drop = "DELETE FROM event WHERE epoch = 1 AND seq = 6"
    change(tmp_path, execute(drop))
    kinds = {(problem.kind, problem.seq) for problem in (await verified(tmp_path)).bad[0].problems}
    assert kinds == {("gap", 7), ("chain", 7), ("row", 0)}


async def test_any_changed_byte_of_a_record_is_found(folder):
    """A1, byte by byte: every byte of one event, each way of changing it that a bit makes."""
    connection = sqlite3.connect(folder / "ledger.db")
    where = f"{AT} 5"
    (record,) = connection.execute(f"SELECT record FROM event {where}").fetchone()
    assert msgspec.json.decode(record, type=Event).seq == 5
    ledger = await open_ledger(folder / "ledger.db", writing=False)
    for place in range(0, len(record), 7):
        changed = bytearray(record)
        changed[place] ^= 1 << (place % 8)
        connection.execute(f"UPDATE event SET record = ? {where}", (bytes(changed),))
        connection.commit()

        report = await verify_run(ledger, PROJECT, VICTIM)

        assert ("chain", 5) in {(problem.kind, problem.seq) for problem in report.problems}
    connection.close()
    await ledger.close()


FILED = {
    "DELETE FROM run_fact WHERE kind = 'approval'": "approval",
    "UPDATE run_fact SET value = 'm-9' WHERE kind = 'model'": "model",
    "INSERT INTO run_fact SELECT project_id, 'path', 'b', started_at, run_id FROM run": "path",
    "DELETE FROM run_cost": "costs",
    "UPDATE run_cost SET amount = amount + 1": "costs",
    "UPDATE artifact SET path = 'b.txt'": "artifacts",
    "DELETE FROM artifact": "artifacts",
}


@pytest.mark.parametrize("statement", FILED)
async def test_what_a_run_is_found_by_is_held_against_its_events(tmp_path, statement):
    ledger = await open_ledger(tmp_path / "ledger.db")
    drafts = [
        events.started(),
        events.asked("apr_1"),
        events.observed("model_call", id="m-1", cost={"value": 5, "currency": "usd"}),
        events.observed("artifact", {"name": "n"}, path="a.txt", access="written"),
    ]
    await ledger.record(persists(drafts, run_id=VICTIM), {})
    assert (await verify(ledger)).ok

    change(tmp_path, execute(statement))
    (problem,) = (await verify(ledger)).bad[0].problems
    await ledger.refile(PROJECT, VICTIM)

    assert (problem.kind, problem.seq) == ("filed", 0)
    assert f"in {FILED[statement]}" in problem.detail
    assert (await verify(ledger)).ok
    await ledger.close()

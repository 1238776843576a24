"""D10: a journal record that cannot be read becomes evidence of itself, and holds nobody up."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
from pathlib import Path

from tests.reliability import record
from tests.reliability.process import checkrein, until
from tests.reliability.wire import Wire

RUNS = 6
CHECKS = 8


def test_garbage_in_the_journal_is_recorded_as_unreadable_and_holds_nobody_up(gateway):
    """D10: while the worker stands still, rows of the journal are overwritten with noise, with
    nothing, with half of themselves, with one bit flipped, with another version, with another
    row. Each becomes an `unreadable` event at its seq with the digest of its bytes; all others are
    recorded; the chain holds, also after the run went on."""
    running = gateway().start()
    wire = Wire(running.port, running.key)
    running.signal_all("worker", signal.SIGSTOP)
    for run in range(RUNS):
        for number in range(CHECKS):
            _check(wire, run, number)

    poisoned = _poison(running.data / "journal.db")
    running.signal_all("worker", signal.SIGCONT)
    until(lambda: record.waiting(running.data) == 0, 60, "the journal is empty")
    for run in range(RUNS):
        _check(wire, run, CHECKS)
    wire.close()
    assert running.stop() == 0

    runs = record.read_runs(running.data)
    assert len(runs) == RUNS
    assert record.gaps(runs) == []
    unreadable = {
        (entry.event.run_id, entry.event.seq): (entry.body["raw_digest"], entry.body["raw_size"])
        for entry in record.of_type(runs, "unreadable")
    }
    assert unreadable == poisoned
    # A run begins with an event of its own.
    assert sum(map(len, runs.values())) == RUNS * (1 + CHECKS + 1)
    told = json.loads(checkrein("verify", "--data", str(running.data), "--json"))
    assert told["ok"] is True
    assert told["unreadable"] == len(poisoned)
    said = checkrein("verify", "--data", str(running.data))
    assert f"{len(poisoned)} journal records could not be read" in said


def _check(wire: Wire, run: int, number: int) -> None:
    reply = wire.check(
        run={"id": f"run {run}"},
        action={"tool": "crm.read_customer", "arguments": {"id": 7 * number, "at": "x" * number}},
        request={"user": f"customer {number}"},
    )
    assert reply.status == 200, reply


def _poison(journal: Path) -> dict[tuple[str, int], tuple[str, int]]:
    """Overwrite some rows; where they stand, with the digest and size of what they are now."""
    connection = sqlite3.connect(journal, timeout=30, isolation_level=None)
    rows = connection.execute(
        "SELECT row, run_id, seq, raw FROM event WHERE seq > 1 ORDER BY row"
    ).fetchall()
    whole = rows[10][3]
    forms = [
        os.urandom(300),
        b"",
        whole[: len(whole) // 2],
        whole[:-1] + bytes([whole[-1] ^ 1]),
        b"\xff" + whole[1:],
        rows[11][3],
    ]
    poisoned = {}
    # Two neighbours of one run, the first after a start, the last of all, and some between.
    for (row, run_id, seq, _), raw in zip(
        [rows[n] for n in (0, 3, 4, 20, 30, len(rows) - 1)], forms, strict=True
    ):
        connection.execute("UPDATE event SET raw = ? WHERE row = ?", (raw, row))
        poisoned[run_id, seq] = (hashlib.sha256(raw).hexdigest(), len(raw))
    connection.close()
    return poisoned

"""D2: what is handed to the worker twice is recorded once."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.reliability import record
from tests.reliability.process import checkrein, until
from tests.reliability.wire import Wire

ROUNDS = 3
CHECKS = 40


def test_a_worker_that_dies_between_recording_and_settling_records_nothing_twice(gateway):
    """D2: the journal is locked while the worker records, so that it cannot settle, and there it is
    killed. The next worker is handed the same events again. Each is in the ledger once."""
    running = gateway().start()
    wire = Wire(running.port, running.key)
    ledger = running.data / "ledger.db"
    told = 0

    for _ in range(ROUNDS):
        (worker,) = running.pids("worker")
        os.kill(worker, signal.SIGSTOP)
        for number in range(CHECKS):
            body = {"tool": "crm.read_customer", "arguments": {"id": number**5}}
            assert wire.check(run={"id": f"run {number % 4} {told}"}, action=body).status == 200
        told += CHECKS
        with closing(sqlite3.connect(running.data / "journal.db", isolation_level=None)) as journal:
            journal.execute("BEGIN IMMEDIATE")
            os.kill(worker, signal.SIGCONT)
            until(partial(_holds, ledger, told), 20, "all is recorded")
            os.kill(worker, signal.SIGKILL)
            assert record.waiting(running.data) >= CHECKS
        until(lambda: record.waiting(running.data) == 0, 30, "another worker has settled it")
    wire.close()
    assert running.stop() == 0

    runs = record.read_runs(running.data)
    assert record.gaps(runs) == []
    assert len(record.of_type(runs, "decision")) == told
    checkrein("verify", "--data", str(running.data))


def _holds(ledger: Path, decisions: int) -> bool:
    counted = record.query(ledger, "SELECT count(*) FROM event WHERE type = 'decision'")
    return counted == [(decisions,)]

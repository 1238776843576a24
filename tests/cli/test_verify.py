"""`checkrein verify`: an untouched record passes, one changed byte does not (S0-22)."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.cli.commands import Up, checkrein

# One letter of the record, and its length stays.
CHANGED = "CAST(replace(CAST(record AS TEXT), 'allow', 'alloW') AS BLOB)"


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(left, tmp_path / "data"))


def test_what_was_recorded_passes(data: Path, tmp_path: Path) -> None:
    done = checkrein("verify", "--data", data, cwd=tmp_path)
    as_json = checkrein("verify", "--data", data, "--json", cwd=tmp_path)

    assert done.code == as_json.code == 0
    assert "3 runs with 12 events" in done.out
    assert as_json.json["ok"] is True
    assert as_json.json["sealed"] == 0


def test_a_gateway_at_work_can_be_verified(gateway: Up, tmp_path: Path) -> None:
    done = checkrein("verify", "--data", gateway.data, "--json", cwd=tmp_path)

    assert done.code == 0, done.out


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (f"UPDATE event SET record = {CHANGED} WHERE seq = 2", "chain"),
        ("DELETE FROM event WHERE seq = 2", "gap"),
        ("DELETE FROM event WHERE seq = 4", "row"),
        ("UPDATE blob SET sealed = zeroblob(length(sealed))", "content"),
        ("UPDATE run SET blocked = 7", "row"),
    ],
)
def test_a_change_is_found(data: Path, tmp_path: Path, statement: str, kind: str) -> None:
    """S0-22: and it is said what, and where."""
    connection = sqlite3.connect(data / "ledger.db")
    with connection:
        changed = connection.execute(statement).rowcount
    connection.close()
    assert changed > 0

    done = checkrein("verify", "--data", data, cwd=tmp_path)
    as_json = checkrein("verify", "--data", data, "--json", cwd=tmp_path)

    assert done.code == as_json.code == 1
    assert "failed" in done.out
    kinds = {problem["kind"] for run in as_json.json["bad"] for problem in run["problems"]}
    assert kind in kinds


def test_what_is_filed_otherwise_than_its_events_say_is_named_and_mended(
    data: Path, tmp_path: Path
) -> None:
    """And only that: the events are as they were recorded."""
    connection = sqlite3.connect(data / "ledger.db")
    with connection:
        (run_id,) = connection.execute("SELECT run_id FROM run ORDER BY run_id").fetchone()
        connection.execute(
            "INSERT INTO run_fact SELECT project_id, 'model', 'm-9', started_at, run_id FROM run"
            " WHERE run_id = ?",
            (run_id,),
        )
    connection.close()

    done = checkrein("verify", "--data", data, "--json", cwd=tmp_path)
    assert checkrein("runs", "index", "--data", data, cwd=tmp_path).code == 0
    mended = checkrein("verify", "--data", data, "--json", cwd=tmp_path)

    (bad,) = done.json["bad"]
    (problem,) = bad["problems"]
    assert (done.code, bad["run_id"], problem["kind"]) == (1, run_id, "filed")
    assert "model: checkrein runs index" in problem["detail"]
    assert (mended.code, mended.json["ok"]) == (0, True)


def test_a_lost_key_is_said(data: Path, tmp_path: Path) -> None:
    (data / "master.key").unlink()

    done = checkrein("verify", "--data", data, "--json", cwd=tmp_path)

    assert done.code == 2
    assert "master.key" in done.json["error"]

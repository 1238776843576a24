"""`checkrein record` and what finds runs: over HTTP and from the folder, the same."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests.cli.commands import Done, Up, checkrein, eventually

Asked = Callable[..., Done]


@pytest.fixture(scope="module")
def told(gateway: Up) -> str:
    """A run that made a file."""
    made = {"type": "artifact", "name": "n", "path": "out/told.md", "access": "created"}
    call = {"type": "model_call", "id": "m-1", "cost": {"value": 250, "currency": "USD"}}
    seen = {"run": {"id": "told", "agent_id": "teller"}, "events": [made, call]}
    headers = {"authorization": f"Bearer {gateway.ready['api_key']}"}

    def asked(method: str, path: str, body: object = None) -> httpx2.Response:
        url = gateway.ready["url"] + path
        return httpx2.request(method, url, json=body, headers=headers, trust_env=False)

    asked("POST", "/v1/events", seen).raise_for_status()
    # On a busy machine the record may follow later than a read waits for it.
    assert eventually(lambda: asked("GET", "/v1/runs/told").status_code == 200)
    return "told"


@pytest.mark.parametrize(
    "command",
    [
        ("record", "told"),
        ("record", "seen"),
        ("runs", "list", "--path", "out/told.md"),
        ("runs", "list", "--min-cost", "250", "--side-effect", "write", "--window", "24h"),
        ("runs", "artifacts", "--run", "told"),
        ("runs", "artifacts", "--path", "out/told.md", "--agent", "teller"),
        ("runs", "agents", "tel"),
        ("runs", "search", "CUS_9281", "--content", "--agent", "billing"),
    ],
)
def test_the_folder_and_the_api_tell_the_same(
    asked: Asked, gateway: Up, told: str, command: tuple[str, ...]
) -> None:
    over_http = asked(*command, "--json")
    from_folder = asked(*command, "--data", gateway.data, "--json")

    assert (over_http.code, from_folder.code) == (0, 0), from_folder.err
    assert over_http.json == from_folder.json
    assert over_http.json not in ([], {})


def test_a_record_is_told_on_one_page(asked: Asked, told: str) -> None:
    """S4-2; N10: and how much of it was seen."""
    done = asked("record", told)

    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert ["models", "m-1"] in lines
    assert ["cost", "250", "USD"] in lines
    assert any(line[:2] == ["clock", "unobserved"] for line in lines)
    assert any("out/told.md" in line for line in lines)


def test_who_touched_a_file(asked: Asked, told: str) -> None:
    """S4-1."""
    done = asked("runs", "artifacts", "--path", "out/told.md")

    assert done.code == 0
    assert "teller" in done.out.splitlines()[1]


def test_runs_worth_a_look_are_asked_for(asked: Asked, told: str) -> None:
    """S3-8."""
    done = asked("runs", "list", "--critical", "--agent", "teller", "--json")

    assert (done.code, done.json) == (0, [])


def test_a_run_that_is_not_there_has_no_record(asked: Asked) -> None:
    assert asked("record", "nobody", "--json").code == 4


def test_a_folder_of_an_earlier_release_is_filed_again(left: Path, tmp_path: Path) -> None:
    """What the migration alone does not bring: facts of runs that were recorded before it."""
    data = tmp_path / "data"
    shutil.copytree(left, data)
    with closing(sqlite3.connect(data / "ledger.db")) as ledger, ledger:
        before = ledger.execute("SELECT * FROM run_fact ORDER BY 1, 2, 3, 4, 5").fetchall()
        ledger.execute("DELETE FROM run_fact")

    done = checkrein("runs", "index", "--data", data, "--json", cwd=tmp_path)

    assert (done.code, done.json) == (0, {"runs": 3})
    with closing(sqlite3.connect(data / "ledger.db")) as ledger:
        after = ledger.execute("SELECT * FROM run_fact ORDER BY 1, 2, 3, 4, 5").fetchall()
    assert after == before != []

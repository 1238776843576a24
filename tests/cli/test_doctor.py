"""`checkrein doctor`: each thing that can be wrong is found, with the command that mends it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Done, Up, checkrein

POLICY = "environments:\n  production: {mode: block}\n"


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    """A copy of a stopped gateway's folder, with a policy that loads fast."""
    copied = Path(shutil.copytree(left, tmp_path / "data"))
    shutil.rmtree(copied / "policies")
    (copied / "policies").mkdir()
    (copied / "policies" / "policy.yaml").write_text(POLICY)
    return copied


def examined(data: Path, tmp_path: Path, **environ: str) -> tuple[Done, dict[str, Any]]:
    """What the doctor says, by what it is about."""
    environ = {"CHECKREIN_PORT": "0"} | environ
    done = checkrein("doctor", "--data", data, "--json", cwd=tmp_path, environ=environ)
    return done, {each["what"]: each for each in done.json}


def test_a_healthy_gateway_has_no_finding(gateway: Up, tmp_path: Path) -> None:
    done, found = examined(gateway.data, tmp_path, **gateway.environ)

    assert done.code == 0, done.out
    assert {each["state"] for each in found.values()} <= {"ok", "note"}
    wanted = {"python", "sqlite", "clock", "disk", "data folder", "master key", "journal.db"}
    wanted |= {"ledger schema", "policy", "evaluator", "gateway", "worker", "port", "API key"}
    assert wanted <= found.keys()


def test_a_new_machine_is_healthy(tmp_path: Path) -> None:
    """Before the first start there is nothing to complain about, only what to do next."""
    done, found = examined(tmp_path / "data", tmp_path)

    assert done.code == 0
    assert found["data folder"]["state"] == "skipped"
    assert "checkrein up" in found["data folder"]["mend"]
    assert not (tmp_path / "data").exists()


def test_it_reads_as_a_table(gateway: Up, tmp_path: Path) -> None:
    done = checkrein("doctor", "--data", gateway.data, cwd=tmp_path, environ=gateway.environ)

    assert done.out.startswith("state")
    assert "\nok     evaluator" in done.out


@pytest.mark.parametrize(
    ("path", "mode", "what"), [("", 0o755, "data folder"), ("master.key", 0o644, "master key")]
)
def test_what_others_can_read_is_found(
    data: Path, tmp_path: Path, path: str, mode: int, what: str
) -> None:
    """And the command that is named mends it."""
    (data / path).chmod(mode)

    done, found = examined(data, tmp_path)

    assert done.code == 1
    assert found[what]["state"] == "failed"
    command, bits, place = found[what]["mend"].split(" ", 2)
    assert command == "chmod"
    Path(place).chmod(int(bits, 8))
    assert examined(data, tmp_path)[0].code == 0


def test_a_broken_policy_is_found(data: Path, tmp_path: Path) -> None:
    (data / "policies" / "policy.yaml").write_text("nothing: here\n")

    done, found = examined(data, tmp_path)

    assert done.code == 1
    assert "policy.yaml:1" in found["policy"]["reason"]
    assert "checkrein policy check" in found["policy"]["mend"]


def test_a_damaged_database_is_found(data: Path, tmp_path: Path) -> None:
    with (data / "ledger.db").open("r+b") as file:
        file.write(b"no database" * 100)

    done, found = examined(data, tmp_path)

    assert done.code == 1
    assert found["ledger.db"]["state"] == "failed"


def test_a_newer_schema_is_found(data: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(data / "control.db")
    with connection:
        connection.execute("INSERT INTO migration VALUES ('9999_later.sql', 'x')")
    connection.close()

    done, found = examined(data, tmp_path)

    assert done.code == 1
    assert "9999_later.sql" in found["control schema"]["reason"]


def test_a_gateway_that_does_not_answer_is_found(data: Path, tmp_path: Path) -> None:
    done, found = examined(data, tmp_path, CHECKREIN_URL="http://127.0.0.1:9")

    assert done.code == 1
    assert found["gateway"]["state"] == "failed"


def test_a_key_that_is_not_accepted_is_found(gateway: Up, tmp_path: Path) -> None:
    environ = gateway.environ | {"CHECKREIN_API_KEY": gateway.ready["api_key"][:-1] + "x"}

    done, found = examined(gateway.data, tmp_path, **environ)

    assert done.code == 1
    assert found["API key"]["state"] == "failed"
    assert "keys create" in found["API key"]["mend"]


def test_a_port_of_somebody_else_is_found(gateway: Up, data: Path, tmp_path: Path) -> None:
    port = gateway.ready["url"].rpartition(":")[2]

    done, found = examined(data, tmp_path, CHECKREIN_PORT=port)

    assert done.code == 1
    assert found["port"]["mend"] == "checkrein up --port 0"

"""`checkrein audit keys`, `export` and `audit verify`, as processes on a folder a gateway left."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import httpx2
import pytest

from tests.cli.commands import Done, checkrein, up
from tests.servers.postgres import free_port

CHARGE = {"action": {"tool": "files.read", "arguments": {"path": "canary-content-7731"}}}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one run in it, and no signing key."""
    running = up(tmp_path_factory.mktemp("left") / "data")
    for _ in range(3):
        running.check({**CHARGE, "run": {"id": "a run", "user_id": "u"}})
    assert running.stop() == 0
    return running.data


@pytest.fixture
def data(left: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(left, tmp_path / "data"))


def test_a_run_is_exported_signed_and_verified_and_a_changed_byte_is_named(data, tmp_path):
    """S0-19 to S0-22."""
    made = checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    (tmp_path / "key.pem").write_text(made.out)
    for out in ("one.zip", "two.zip", "folder"):
        done = checkrein("export", "a run", "--data", data, "--out", out, cwd=tmp_path)
        assert done.code == 0, done.err

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    # Somewhere else, where there is no gateway and no data folder.
    for out in ("one.zip", "folder"):
        done = checkrein("audit", "verify", out, "--public-key", "key.pem", cwd=tmp_path)
        assert (done.code, done.out[:4]) == (0, "ok  "), done.out

    replay = tmp_path / "folder" / "REPLAY.jsonl"
    lines = replay.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"allow"', b'"block"', 1)
    replay.write_bytes(b"".join(lines))
    done = checkrein("audit", "verify", "folder", "--public-key", "key.pem", "--json", cwd=tmp_path)

    assert done.code == 1
    assert [each["seq"] for each in done.json["findings"] if each["kind"] == "event"] == [2]


def test_what_an_older_key_signed_verifies_after_a_rotation(data, tmp_path):
    """A5."""
    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    checkrein("export", "a run", "--data", data, "--out", "old.zip", cwd=tmp_path)
    assert checkrein("audit", "keys", "rotate", "--data", data, cwd=tmp_path).code == 0
    checkrein("export", "a run", "--data", data, "--out", "new.zip", cwd=tmp_path)

    pem = checkrein("audit", "keys", "list", "--pem", "--data", data, cwd=tmp_path)
    (tmp_path / "keys.pem").write_text(pem.out)
    listed = checkrein("audit", "keys", "list", "--json", "--data", data, cwd=tmp_path).json
    signed = [
        checkrein("audit", "verify", out, "--public-key", "keys.pem", "--json", cwd=tmp_path).json
        for out in ("old.zip", "new.zip")
    ]

    assert [each["ok"] for each in signed] == [True, True]
    assert [each["signed_by"] for each in signed] == [each["key_id"] for each in listed]
    assert [each["state"] for each in listed] == ["retired", "active"]


def test_a_compromised_key_vouches_for_what_was_recorded_before_and_for_nothing_since(
    data, tmp_path
):
    """A5."""
    made = checkrein("audit", "keys", "create", "--json", "--data", data, cwd=tmp_path).json
    checkrein("export", "a run", "--data", data, "--out", "old.zip", cwd=tmp_path)
    revoking = ("audit", "keys", "revoke", made["key_id"], "--compromised-at")
    wrong = checkrein(*revoking, "yesterday", "--data", data, cwd=tmp_path)
    done = checkrein(*revoking, "2100-01-01T00:00:00+01:00", "--data", data, cwd=tmp_path)
    again = checkrein(*revoking, "2001-01-01T00:00:00Z", "--data", data, cwd=tmp_path)
    checkrein("export", "a run", "--data", data, "--out", "new.zip", cwd=tmp_path)
    pem = checkrein("audit", "keys", "list", "--pem", "--data", data, cwd=tmp_path).out
    listed = checkrein("audit", "keys", "list", "--json", "--data", data, cwd=tmp_path).json
    verified = {}
    for since in ("2099-12-31T23:00:00.000000Z", "2001-01-01T00:00:00Z"):
        (tmp_path / "keys.pem").write_text(pem.replace("2099-12-31T23:00:00.000000Z", since))
        verified[since] = checkrein(
            "audit", "verify", "old.zip", "--public-key", "keys.pem", "--json", cwd=tmp_path
        ).json
    other = checkrein(
        "audit", "verify", "new.zip", "--public-key", "keys.pem", "--json", cwd=tmp_path
    ).json

    assert (wrong.code, done.code, again.code) == (2, 0, 1)
    assert [each["state"] for each in listed] == ["compromised", "active"]
    before, after = verified.values()
    assert (before["ok"], before["compromised_at"]) == (True, "2099-12-31T23:00:00.000000Z")
    assert (after["ok"], [each["kind"] for each in after["findings"]]) == (False, ["signature"])
    assert (other["ok"], other["signed_by"]) == (True, listed[1]["key_id"])


def test_a_private_key_is_in_no_file_and_no_answer(data, tmp_path):
    """The database holds it sealed under the master key; another master key does not open it."""
    from gateway.audit.signing.keys import PURPOSE
    from gateway.domain import sealing

    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    secret = _secret(data)

    for path in data.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path
    assert len(sealing.derive((data / "master.key").read_bytes(), PURPOSE)) == 32
    (data / "master.key").write_bytes(bytes(32))
    assert checkrein("audit", "keys", "list", "--data", data, cwd=tmp_path).code == 2


def test_a_second_first_key_is_refused(data, tmp_path):
    assert checkrein("audit", "keys", "rotate", "--data", data, cwd=tmp_path).code == 4
    assert checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path).code == 0
    assert checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path).code == 1


def test_an_unsigned_export_says_so_and_does_not_verify(data, tmp_path):
    done = checkrein("export", "a run", "--data", data, "--out", "a.zip", "--json", cwd=tmp_path)
    made = checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    (tmp_path / "key.pem").write_text(made.out)

    assert done.json["signed"] is False
    verified = checkrein("audit", "verify", "a.zip", "--public-key", "key.pem", cwd=tmp_path)
    assert verified.code == 1


def test_evidence_alone_holds_no_content(data, tmp_path):
    checkrein("export", "a run", "--data", data, "--out", "whole.zip", cwd=tmp_path)
    done = checkrein(
        "export", "a run", "--data", data, "--out", "bare.zip", "--no-content", cwd=tmp_path
    )

    assert done.code == 0
    assert b"canary-content-7731" in (tmp_path / "whole.zip").read_bytes()
    assert b"canary-content-7731" not in (tmp_path / "bare.zip").read_bytes()


def test_what_is_there_is_not_written_over(data, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"mine")

    done = checkrein("export", "a run", "--data", data, "--out", "a.zip", cwd=tmp_path)

    assert done.code == 1
    assert (tmp_path / "a.zip").read_bytes() == b"mine"


def test_a_witness_sees_a_log_that_was_cut_or_changed(data, tmp_path):
    """A2: what the database's owner does to it, also where every hash is made to fit."""
    import sqlite3

    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    told = ("audit", "checkpoint", "--witness", "seen", "--data", data, "--json")
    first = checkrein(*told, cwd=tmp_path)
    again = checkrein(*told, cwd=tmp_path)
    statements = (
        "DELETE FROM leaf WHERE place = 3",
        "UPDATE leaf SET hash = zeroblob(32) WHERE place = 1",
    )
    found: list[Done] = []
    for statement in statements:
        copy = Path(shutil.copytree(data, tmp_path / f"copy{len(found)}"))
        with sqlite3.connect(copy / "ledger.db") as connection:
            assert connection.execute(statement).rowcount == 1
        connection.close()
        found.append(checkrein(*told[:5], copy, "--json", cwd=tmp_path))

    assert (first.code, again.code) == (0, 0), first.err
    assert first.json["size"] == 4
    assert [path.name for path in (tmp_path / "seen").iterdir()] == [
        "checkpoint-000000000000004.txt"
    ]
    assert [each.code for each in found] == [1, 1]
    assert [each.json["gone"] for each in found] == [[4], [4]]


def test_a_repository_and_an_address_are_told_of_checkpoints(data, tmp_path):
    """A2: a witness that does not answer is no witness."""
    import subprocess

    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path / "seen")], check=True)
    told = ("audit", "checkpoint", "--git", "seen", "--data", data)
    first = checkrein(*told, cwd=tmp_path)
    away = checkrein(*told, "--webhook", "http://127.0.0.1:9/add-checkpoint", cwd=tmp_path)
    log = subprocess.run(
        ["git", "-C", str(tmp_path / "seen"), "log", "--format=%s"], capture_output=True, check=True
    )

    assert (first.code, away.code) == (0, 5), first.err
    assert log.stdout.decode().split("\n") == ["Checkpoint 4", ""]


def test_an_event_and_the_growth_of_the_log_are_proved_by_files_of_their_own(data, tmp_path):
    """A2, A3: with the public key alone, and not once anything in them was touched."""
    made = checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    (tmp_path / "key.pem").write_text(made.out)
    checkrein("audit", "checkpoint", "--witness", "seen", "--data", data, cwd=tmp_path)
    (note,) = (tmp_path / "seen").iterdir()
    proving = ("audit", "prove", "a run", "--data", data)
    for more in (("--seq", "2", "--under", note, "--out", "two.json"), ("--out", "last.json")):
        assert checkrein(*proving, *more, cwd=tmp_path).code == 0
    absent = checkrein(*proving, "--seq", "9", cwd=tmp_path)
    grew = checkrein("audit", "consistency", "3", note, "--data", data, "--json", cwd=tmp_path)
    (tmp_path / "grew.json").write_text(json.dumps(grew.json["proof"]))

    def verified(name: str) -> Done:
        told = ("audit", "verify", name, "--public-key", "key.pem", "--json")
        return checkrein(*told, cwd=tmp_path)

    shown = [verified(name).json["proven"] for name in ("two.json", "last.json", "grew.json")]
    assert [each["size"] for each in shown] == [4, 4, 4]
    assert [each["seq"] for each in shown] == [2, 4, None]
    assert [each["before"] for each in shown] == [None, None, 3]
    assert (absent.code, grew.json["proven"]["origin"]) == (4, shown[0]["origin"])
    text = (tmp_path / "two.json").read_text()
    (tmp_path / "wrong.json").write_text(text.replace("allow", "block", 1))
    wrong = verified("wrong.json")
    assert (wrong.code, wrong.json["finding"]) == (1, "the proof does not lead to the root")


def test_a_gateway_tells_its_witness_by_itself(data, tmp_path):
    """A2: nobody has to ask for a checkpoint, and the metrics say how old the last one is."""
    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    settings = {
        "CHECKREIN_CHECKPOINT_FOLDER": str(tmp_path / "seen"),
        "CHECKREIN_CHECKPOINT_SECONDS": "0.2",
    }
    port, key = free_port(), key_of(data, tmp_path)
    running = up(data, "--metrics-port", str(port), environ=settings)
    try:
        assert running.check({**CHARGE, "run": {"id": "another run"}}, key).status_code == 200
        metrics = _until(port, tmp_path / "seen", 6)
    finally:
        assert running.stop() == 0

    project = next((tmp_path / "seen").iterdir())
    told = ("audit", "checkpoint", "--witness", project, "--data", data, "--json")
    assert checkrein(*told, cwd=tmp_path).json["size"] == 6
    pushed = re.search(r'checkpoints_total\{outcome="pushed",witness="folder"\} (\S+)', metrics)
    age = re.search(r"^checkrein_witnessed_seconds (\S+)", metrics, re.MULTILINE)
    assert pushed is not None
    # Once, or twice where it was told before the call as well.
    assert float(pushed[1]) in (1, 2)
    assert age is not None
    assert 0 <= float(age[1]) < 60


def test_events_that_are_not_those_of_the_log_are_found(data, tmp_path):
    """A rewritten chain beside an untouched log would leave the root as it was."""
    import sqlite3

    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    with sqlite3.connect(data / "ledger.db") as connection:
        connection.execute("UPDATE event SET hash = zeroblob(32) WHERE seq = 2")
    connection.close()

    done = checkrein("audit", "checkpoint", "--data", data, "--json", cwd=tmp_path)

    assert done.code == 1
    assert done.json["strays"] == 2


def test_a_witness_that_was_touched_is_refused(data, tmp_path):
    checkrein("audit", "keys", "create", "--data", data, cwd=tmp_path)
    told = ("audit", "checkpoint", "--witness", "seen", "--data", data)
    checkrein(*told, cwd=tmp_path)
    (note,) = (tmp_path / "seen").iterdir()
    note.write_bytes(note.read_bytes().replace(b"\n4\n", b"\n3\n"))

    assert checkrein(*told, cwd=tmp_path).code == 1


def test_runs_are_written_as_a_table(data, tmp_path):
    """S3-32."""
    told = ("runs", "export", "--format", "csv", "--data", data)
    done = checkrein(*told, "--out", "all.csv", cwd=tmp_path)
    none = checkrein(*told, "--out", "none.csv", "--agent", "nobody", cwd=tmp_path)

    assert (done.code, none.code) == (0, 0), done.err
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 5
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1


def key_of(data: Path, folder: Path) -> str:
    made = checkrein("keys", "create", "--json", "--data", data, cwd=folder).json
    key: str = made["api_key"]
    return key


def _until(port: int, folder: Path, size: int) -> str:
    """The metrics when a checkpoint of this size is there, and was counted."""
    for _ in range(600):
        told = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        if list(folder.glob(f"*/checkpoint-*{size}.txt")) and 'outcome="pushed"' in told:
            return told
        time.sleep(0.05)
    raise AssertionError(list(folder.rglob("*")))


def _secret(data: Path) -> bytes:
    import asyncio

    from gateway.ambient import SystemAmbient
    from gateway.audit.signing.keys import PURPOSE, SigningKeys
    from gateway.domain import sealing
    from gateway.storage.embedded.control import EmbeddedControl

    async def read() -> bytes:
        control = EmbeddedControl(data / "control.db", SystemAmbient())
        try:
            master = (data / "master.key").read_bytes()
            signer = await SigningKeys(control, sealing.derive(master, PURPOSE)).signer()
            assert signer is not None
            return signer.secret
        finally:
            await control.close()

    return asyncio.run(read())

"""`checkrein up`: one command, ready to use, that stops without losing anything."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import CHECKREIN, Up, checkrein, descendants, eventually, is_alive, up
from tests.cli.conftest import CHARGE


def test_ready_is_one_line_for_scripts(gateway: Up) -> None:
    """Exactly the four names, and a key that begins with what it is for."""
    assert set(gateway.ready) == {"url", "api_key", "project", "environment"}
    assert gateway.ready["url"].startswith("http://127.0.0.1:")
    assert gateway.ready["api_key"].startswith("cr_development_")
    assert gateway.ready["project"] == "default"


def test_the_data_folder_is_its_owners_alone(gateway: Up) -> None:
    assert gateway.data.stat().st_mode & 0o777 == 0o700
    assert (gateway.data / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_second_gateway_on_the_same_folder_is_refused(gateway: Up, tmp_path: Path) -> None:
    """Two gateways would each hold the other's run state wrong; the exit code is its own."""
    done = checkrein("up", "--data", gateway.data, "--port", "0", "--json", cwd=tmp_path)

    assert done.code == 3
    assert str(gateway.data) in done.json["error"]
    assert "--data" in done.json["next"]


def test_a_port_that_is_taken_is_refused(gateway: Up, tmp_path: Path) -> None:
    port = gateway.ready["url"].rpartition(":")[2]

    done = checkrein("up", "--data", tmp_path / "other", "--port", port, cwd=tmp_path)

    assert done.code == 2
    assert "--port 0" in done.err


def test_a_second_start_keeps_everything(tmp_path: Path) -> None:
    """Data, key and edited policies are there again, and no key is shown twice."""
    first = up(tmp_path / "data", "--environment", "staging")
    decided = first.check({**CHARGE, "run": {"id": "kept"}}).json()
    manifest = first.data / "policies" / "policy.yaml"
    manifest.write_text(manifest.read_text() + "\n# edited\n")
    assert first.stop() == 0

    second = up(tmp_path / "data", "--environment", "staging")
    again = second.check({**CHARGE, "run": {"id": "kept"}}, key=first.ready["api_key"])
    environ = {"CHECKREIN_URL": second.ready["url"], "CHECKREIN_API_KEY": first.ready["api_key"]}
    shown = checkrein("replay", "kept", "--json", cwd=tmp_path, environ=environ).json
    second.stop()

    assert second.ready["api_key"] is None
    assert again.json()["seq"] == decided["seq"] + 1
    assert [frame["seq"] for frame in shown["frames"]] == [1, 2, 3]
    assert manifest.read_text().endswith("# edited\n")


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit code 0, no child left, and everything that was answered is in the record."""
    running = up(tmp_path / "data")
    answered = [running.check({**CHARGE, "run": {"id": "last"}}).json() for _ in range(20)]
    children = descendants(running.process.pid)

    code = running.stop()

    assert code == 0
    assert len(children) >= 2
    assert [pid for pid in children if is_alive(pid)] == []
    shown = checkrein("replay", "last", "--data", running.data, "--json", cwd=tmp_path).json
    recorded = [frame["body"].get("decision_id") for frame in shown["frames"]]
    assert [reply["decision_id"] for reply in answered] == recorded[1:]


def test_a_kill_leaves_no_process_and_loses_nothing(tmp_path: Path) -> None:
    """D1: worker and evaluator die with their gateway, and what was answered is recorded."""
    running = up(tmp_path / "data")
    answered = [running.check({**CHARGE, "run": {"id": "cut"}}).json() for _ in range(20)]
    children = descendants(running.process.pid)

    running.stop(signal.SIGKILL)

    assert len(children) >= 2
    assert eventually(lambda: not any(is_alive(pid) for pid in children))
    shown = checkrein("replay", "cut", "--data", running.data, "--json", cwd=tmp_path).json
    recorded = [frame["body"].get("decision_id") for frame in shown["frames"]]
    assert [reply["decision_id"] for reply in answered] == recorded[1:]
    verified = checkrein("verify", "--data", running.data, "--json", cwd=tmp_path)
    assert verified.json["ok"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_up_prints_can_be_pasted(tmp_path: Path) -> None:
    """S1-22: the exports, the curl and the replay command work exactly as they are printed."""
    printed = tmp_path / "printed"
    with printed.open("w") as out, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*CHECKREIN, "up", "--data", str(tmp_path / "data"), "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
        )
    assert eventually(lambda: "checkrein replay" in printed.read_text())
    pasted = [line for line in printed.read_text().splitlines() if line.startswith("  ")]
    bin_folder = Path(sys.executable).parent

    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(pasted)],
        env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    process.terminate()

    assert process.wait(30) == 0
    assert done.returncode == 0, done.stderr
    assert '"verdict":"block"' in done.stdout
    assert "the plan says false" in done.stdout


def test_ctrl_c_ends_it_like_sigterm(tmp_path: Path) -> None:
    running = up(tmp_path / "data")

    assert running.stop(signal.SIGINT) == 0


def test_a_misspelt_setting_stops_the_start(tmp_path: Path) -> None:
    """A gateway that runs under another setting than was meant is worse than one that does not."""
    environ = {"CHECKREIN_POLICY": "x"}

    done = checkrein("up", "--data", tmp_path / "data", "--json", cwd=tmp_path, environ=environ)

    assert done.code == 2
    assert "CHECKREIN_POLICIES" in done.json["error"]
    assert not (tmp_path / "data").exists()


def test_it_is_its_folder_whatever_servers_are_named(tmp_path: Path) -> None:
    """A developer's shell may name production; `up` and its worker leave that alone."""
    nowhere = {
        "CHECKREIN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "CHECKREIN_REDIS_URL": "redis://127.0.0.1:1",
    }
    started = up(tmp_path / "data", environ=nowhere)
    started.check(CHARGE)

    assert started.stop() == 0
    shown = checkrein("runs", "list", "--data", started.data, "--json", cwd=tmp_path)
    assert len(shown.json) == 1

"""`checkrein simulate --times`: a determinism score from several simulations of the same code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Done, Up

Asked = Callable[..., Done]

# Each call is otherwise for a reason of its own, and the first is always the same.
AGENT = """
import os, random, time, uuid
from checkrein import guard, run

@guard("notes.write", side_effects=["write"])
def write(what: str, value: object) -> int:
    return 1

@guard("bank.note", side_effects=["read"])
def note(idempotency_key: str) -> int:
    return 1

with run("several", id=os.environ["NAME"]):
    write("same", "always")
    if os.environ["NAME"] == "several-moving":
        write("clock", time.time())
        write("chance", random.random())
        write("uuid", str(uuid.uuid4()))
        write("set", list({"ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"}))
        write("sum", sum(float(n) for n in os.environ["NUMBERS"].split()))
        write("world", os.environ["NUMBERS"])
        note(str(uuid.uuid4()))
        if os.environ["NUMBERS"][0] == "1":
            write("more", 1)
"""


def environ(gateway: Up, name: str, numbers: str) -> dict[str, str]:
    given = {"NAME": name, "NUMBERS": numbers, "CHECKREIN_DEADLINE": "20"}
    return {**gateway.environ, **given, "PYTHONHASHSEED": "random"}


@pytest.fixture(scope="session")
def several(gateway: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program, played once as each of two runs."""
    script = tmp_path_factory.mktemp("several") / "agent.py"
    script.write_text(AGENT)
    for name in ("several-same", "several-moving"):
        given = {**environ(gateway, name, "1e-1 2e-1 3e-1"), "PYTHONHASHSEED": "1"}
        command = [sys.executable, str(script)]
        subprocess.run(command, env={**os.environ, **given}, timeout=60, check=True)
    return script


def scored(asked: Asked, gateway: Up, script: Path, name: str) -> Done:
    given = environ(gateway, name, "3e-1 2e-1 1e-1")
    program = ("--", sys.executable, script)
    return asked("simulate", name, "--times", "2", "--json", *program, **given)


def test_what_is_deterministic_scores_100(asked: Asked, gateway: Up, several: Path) -> None:
    done = scored(asked, gateway, several, "several-same")

    assert done.code == 0, done.err
    assert (done.json["score"], done.json["issues"]) == (100, [])
    assert done.json["source"] == "simulations"
    assert done.json["match_rates"] == [1.0, 1.0]


def test_each_kind_is_told_with_place_and_line(asked: Asked, gateway: Up, several: Path) -> None:
    """S3-25 to S3-28: what differs while the world is the recorded one comes from the code."""
    done = scored(asked, gateway, several, "several-moving")

    told: dict[int, Any] = {issue["line"]: issue for issue in done.json["issues"]}
    lines = {n: line for n, line in enumerate(AGENT.splitlines(), 1) if "    write(" in line}
    found = {
        lines[n].split('"')[1]: (issue["kind"], issue["place"])
        for n, issue in told.items()
        if n in lines
    }
    assert done.code == 1
    assert found["clock"] == ("timestamp", "/value")
    assert found["chance"][0] == "random"
    assert found["set"] == ("ordering", "/value")
    assert found["sum"][0] == "floating_point"
    assert found["world"][0] == "external_state"
    (keyed,) = (each for each in told.values() if each["tool"] == "bank.note")
    assert (keyed["kind"], keyed["severity"]) == ("random", "critical")
    assert "agent.py:" in keyed["told"]
    (missing,) = (each for each in done.json["issues"] if each["place"] == "")
    assert (missing["kind"], missing["tool"]) == ("external_state", "notes.write")
    assert done.json["score"] < 50
    assert {each["kind"] for each in done.json["advice"]} >= {"timestamp", "random", "ordering"}

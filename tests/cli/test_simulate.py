"""`checkrein simulate`: a program against its own recording, from a gateway, folder or file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Done, Up, checkrein

Asked = Callable[..., Done]

AGENT = """
import sys, datetime, random
from checkrein import guard, run

@guard("crm.read", side_effects=["read"])
def read(customer: str) -> dict[str, str]:
    print("the tool ran")
    return {"name": "Ada", "id": customer}

with run("simulated", id=sys.argv[1]):
    print(read("cus_1")["name"])
    print(read(sys.argv[2])["name"])
    if "socket" in sys.argv:
        import socket
        socket.create_connection(("127.0.0.1", 9))
    if "exit" in sys.argv:
        sys.exit(3)
    if "clock" in sys.argv:
        print(datetime.datetime.now(datetime.UTC).year, random.random())
"""


@pytest.fixture(scope="session")
def agent(gateway: Up, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program, played once as the run `simulated-run`."""
    script = tmp_path_factory.mktemp("agent") / "agent.py"
    script.write_text(AGENT)
    done = subprocess.run(
        [sys.executable, str(script), "simulated-run", "cus_2"],
        env={**os.environ, **gateway.environ, "CHECKREIN_DEADLINE": "20"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.count("the tool ran") == 2
    return script


def test_the_same_program_matches_and_its_tools_do_not_run(asked: Asked, agent: Path) -> None:
    done = asked("simulate", "simulated-run", "--", sys.executable, agent, "simulated-run", "cus_2")

    assert done.code == 0, done.err
    assert done.out.startswith("Ada\nAda\n")
    assert "the tool ran" not in done.out
    assert "2 of 2 match (100.0%)" in done.out
    assert "(2 answered from the record, 0 run here); of the recorded run, what mod" in done.out


def test_a_changed_line_is_told_with_the_first_divergence(asked: Asked, agent: Path) -> None:
    program = ("--", sys.executable, agent, "simulated-run", "cus_3")

    done = asked("simulate", "simulated-run", *program)
    told = asked("simulate", "simulated-run", "--json", *program)

    assert done.code == told.code == 1
    assert '/customer: "cus_2" -> "cus_3"' in done.out
    assert "first divergence: crm.read had another input at /customer" in done.out
    assert "(agent.py:12)" in done.out
    assert [one["kind"] for one in told.json["divergences"]] == ["input"]
    assert told.json["divergences"][0]["first"] is True
    assert told.json["exit_code"] == 0


def test_a_cassette_is_simulated_without_a_gateway_and_has_the_same_bytes_each_time(
    asked: Asked, agent: Path, gateway: Up, tmp_path: Path
) -> None:
    saved = asked("simulate", "simulated-run", "--save", "one.json")
    asked("simulate", "simulated-run", "--save", "two.json", "--data", gateway.data)

    done = checkrein(
        *("simulate", "one.json", "--", agent, "simulated-run", "cus_2"),
        cwd=tmp_path,
        environ={"CHECKREIN_URL": "http://127.0.0.1:9", "CHECKREIN_API_KEY": ""},
    )

    assert saved.code == done.code == 0, done.err
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_connection_is_refused_and_told(asked: Asked, agent: Path) -> None:
    program = (agent, "simulated-run", "cus_2", "socket")

    done = asked("simulate", "simulated-run", "--json", "--", *program)

    assert done.code == 1
    assert done.json["refused"] == ["127.0.0.1"]
    assert "CallLeft" in done.err


def test_how_the_program_ended_is_told(asked: Asked, agent: Path) -> None:
    done = asked("simulate", "simulated-run", "--", agent, "simulated-run", "cus_2", "exit")

    assert done.code == 1
    assert "the program ended with exit code 3" in done.out


def test_clock_and_chance_can_be_held_still(asked: Asked, agent: Path) -> None:
    pinned = ("--clock", "1000000000000000000", "--seed", "7")
    program = ("--", sys.executable, "-X", "dev", agent, "simulated-run", "cus_2", "clock")

    first, second = (asked("simulate", "simulated-run", *pinned, *program) for _ in range(2))

    assert first.code == 0, first.err
    assert first.out == second.out
    assert "\n2001 0.32" in first.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("simulated-run",), 2, "no program"),
        (("simulated-run", "--", "node", "agent.js"), 2, "begins with python"),
        (("simulated-run", "--clock", "noon", "--", "python", "x.py"), 2, "no time"),
        (("no-such-run", "--", "python", "x.py"), 4, "No run"),
        (("absent.json", "--", "python", "x.py"), 2, "cannot be read"),
    ],
)
def test_what_cannot_be_done_says_why(
    asked: Asked, agent: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = asked("simulate", *arguments)

    assert done.code == code
    assert words in done.err


def test_a_file_that_is_no_recording_is_refused(asked: Asked, agent: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"format": "something else", "version": 1}')

    done = asked("simulate", "other.json", "--", sys.executable, agent)

    assert done.code == 1
    assert "is no recording" in done.err

"""The fixture `cassette`: a recorded run as a regression test, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import checkrein
import pytest
from checkrein import guard, run
from checkrein.simulating import save

TESTS = """
import sys
from checkrein import guard, run

ran = []

@guard("orders.get", side_effects=["read"])
def get(order: str) -> dict[str, int]:
    ran.append(order)
    return {"total": 0}

def agent(order="9281"):
    with run():
        return get(order)["total"]

def test_the_same(cassette):
    with cassette("orders.json") as simulation:
        assert agent() == 4500
    assert simulation.report.match_rate == 1.0
    assert ran == []

def test_own_name(cassette):
    with cassette():
        assert agent() == 4500

def test_other_arguments(cassette):
    with cassette("orders.json"):
        agent("1111")

def test_other_arguments_looked_at(cassette):
    with cassette("orders.json", strict=False) as simulation:
        agent("1111")
    assert simulation.report.first.kind == "input"

def test_no_such_file(cassette):
    with cassette("absent.json"):
        agent()

def test_an_assertion_of_its_own_comes_first(cassette):
    with cassette("orders.json"):
        assert agent("1111") == 1
"""
PLAIN = """
import sys

def test_plain():
    loaded = {"asyncio", "httpx2", "checkrein.simulating"} & set(sys.modules)
    assert not loaded - {"asyncio"}, loaded
"""


def pytest_in(folder: Path, text: str) -> str:
    (folder / "test_it.py").write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-rA",
            "--color=no",
            "test_it.py",
        ],
        cwd=folder,
        env={"CHECKREIN_URL": "http://127.0.0.1:9", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def recorded(gateway: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the cassette of a run."""
    url, key = gateway["CHECKREIN_URL"], gateway["CHECKREIN_API_KEY"]
    checkrein.init(url=url, api_key=key, environment="production", deadline=20)

    @guard("orders.get", side_effects=["read"])
    def get(order: str) -> dict[str, int]:
        return {"total": 4500}

    with run() as r:
        get("9281")
    folder = tmp_path_factory.mktemp("regression")
    (folder / "cassettes").mkdir()
    save(r.id, folder / "orders.json")
    (folder / "cassettes" / "test_own_name.json").write_bytes((folder / "orders.json").read_bytes())
    return folder


def test_a_recorded_run_is_a_regression_test(recorded):
    """S3-24, U6: offline, from a file; what diverges fails with the table."""
    told = pytest_in(recorded, TESTS)

    outcomes = dict(line.split(" ", 1)[::-1] for line in told.splitlines() if "::" in line[:40])
    results = {
        name.partition("::")[2].partition(" ")[0]: result for name, result in outcomes.items()
    }
    assert results == {
        "test_the_same": "PASSED",
        "test_own_name": "PASSED",
        "test_other_arguments": "FAILED",
        "test_other_arguments_looked_at": "PASSED",
        "test_no_such_file": "FAILED",
        "test_an_assertion_of_its_own_comes_first": "FAILED",
    }
    assert "The run went otherwise than it was recorded." in told
    assert '/order: "9281" -> "1111"' in told
    assert "There is no cassette absent.json" in told
    assert "assert 4500 == 1" in told


def test_who_has_no_cassettes_is_not_disturbed(tmp_path):
    told = pytest_in(tmp_path, PLAIN)

    assert "1 passed" in told, told

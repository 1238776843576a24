"""S1-14: six agents that go wrong, played through the SDK on a gateway that blocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# What was enforced on the last call, by which rule, and which tools had run by then.
EXPECTED: dict[str, tuple[str, str, list[str]]] = {
    "stripe_boolean": ("block", "payments.plan_mismatch", []),
    "runaway_loop": ("halt", "loops.near_identical_calls", ["search.web"] * 6),
    "injected_page": ("block", "recipients.untrusted_source", ["web.fetch"]),
    "run_budget": ("block", "budgets.run_budget", ["ads.buy"] * 2),
    "destructive_command": ("block", "destructive.shell", []),
    "data_exfiltration": ("block", "recipients.outside", ["crm.read_customer"]),
}


def play(name: str, **environ: str) -> dict[str, Any]:
    """The summary that the example prints as its one line."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "--json"],
        env={**os.environ, "CHECKREIN_DEADLINE": "20", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real gateway with the shipped packs, in an environment that blocks."""
    pytest.importorskip("gateway.cli")
    command = [sys.executable, "-c", "import sys; from gateway.cli import main; sys.exit(main())"]
    data = str(tmp_path_factory.mktemp("data"))
    options = ["--data", data, "--port", "0", "--metrics-port", "0", "--json"]
    child = subprocess.Popen(
        [*command, "up", "--environment", "production", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    ready = json.loads(child.stdout.readline())
    yield {"CHECKREIN_URL": ready["url"], "CHECKREIN_API_KEY": ready["api_key"]}
    child.terminate()
    child.wait(30)
    child.stdout.close()


def test_there_is_a_script_for_each_simulation():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*EXPECTED, "telling"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_simulation_is_stopped_by_the_rule_that_is_there_for_it(gateway, name):
    """S1-11, S1-14: what must not run does not run, and everything is reported."""
    enforced, rule, ran = EXPECTED[name]

    summary = play(name, **gateway)

    last = summary["tried"][-1]
    assert (last["enforced"], last["rule"]) == (enforced, rule)
    assert [one["tool"] for one in summary["ran"]] == ran
    assert summary["ended"] == ("halted" if enforced == "halt" else "finished")
    assert summary["reported"] is True
    assert isinstance(last["elapsed_ms"], float)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_simulation_goes_wrong_where_nothing_stops_it(peer, name):
    """The scripts do what they claim: without a rule, the harm is done."""
    summary = play(name, CHECKREIN_URL=peer.url, CHECKREIN_ENVIRONMENT="production")

    assert len(summary["ran"]) == len(summary["tried"])
    assert len(summary["ran"]) > len(EXPECTED[name][2])
    assert {tried["enforced"] for tried in summary["tried"]} == {"allow"}
    assert peer.events[-1]["type"] == "run_ended"

"""S1-14: six agents that go wrong, played through the SDK on a gateway that blocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
# What was enforced on the last call, by which rules at least, and which tools had run by then.
EXPECTED: dict[str, tuple[str, set[str], list[str]]] = {
    "stripe_boolean": ("block", {"payments.plan_mismatch", "intent.mismatch"}, []),
    "runaway_loop": ("halt", {"loops.near_identical_calls"}, ["search.web"] * 6),
    "injected_page": (
        "block",
        {"recipients.untrusted_source", "intent.mismatch"},
        ["web.fetch"],
    ),
    "run_budget": ("block", {"budgets.run_budget"}, ["ads.buy"] * 2),
    "destructive_command": ("block", {"destructive.shell"}, []),
    "data_exfiltration": ("block", {"recipients.outside"}, ["crm.read_customer"]),
}


def play(name: str, *options: str, **environ: str) -> dict[str, Any]:
    """The summary that the example prints as its one line."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "--json", *options],
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


def test_there_is_a_script_for_each_simulation():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*EXPECTED, "telling"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_simulation_is_stopped_by_the_rule_that_is_there_for_it(gateway, name):
    """S1-11, S1-14: what must not run does not run, and everything is reported."""
    enforced, rules, ran = EXPECTED[name]

    summary = play(name, **gateway)

    last = summary["tried"][-1]
    assert last["enforced"] == enforced
    assert rules <= set(last["rules"])
    assert [one["tool"] for one in summary["ran"]] == ran
    assert summary["ended"] == ("halted" if enforced == "halt" else "finished")
    assert summary["reported"] is True
    assert isinstance(last["elapsed_ms"], float)


@pytest.mark.parametrize("options", [(), ("--without-plan",)])
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("stripe_boolean", "/action/arguments/is_refund"),
        ("injected_page", "/action/arguments/to_account"),
    ],
)
def test_the_intent_guard_names_the_field_with_and_without_a_plan(gateway, name, field, options):
    """S1-11, S1-12: the flag, and the account that only a page nobody vouches for explains."""
    summary = play(name, *options, **gateway)

    last = summary["tried"][-1]
    assert "intent.mismatch" in last["rules"]
    assert last["assessed"]["score"] >= 0.85
    assert last["assessed"]["field"] == field
    assert last["enforced"] == "block"


@pytest.mark.parametrize("name", EXPECTED)
def test_the_simulation_goes_wrong_where_nothing_stops_it(peer, name):
    """The scripts do what they claim: without a rule, the harm is done."""
    summary = play(name, CHECKREIN_URL=peer.url, CHECKREIN_ENVIRONMENT="production")

    assert len(summary["ran"]) == len(summary["tried"])
    assert len(summary["ran"]) > len(EXPECTED[name][2])
    assert {tried["enforced"] for tried in summary["tried"]} == {"allow"}
    assert peer.events[-1]["type"] == "run_ended"

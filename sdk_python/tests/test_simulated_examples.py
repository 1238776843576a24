"""S1-14 again: the six simulations played from their own recordings, and a line of each changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import checkrein
import pytest
from checkrein.simulating import save

EXAMPLES = Path(__file__).parents[1] / "examples"
AGAIN = 'story.attempt(r, "crm.read_customer", read_customer, id="cus_9281")'
# One line of each script, what stands there instead, and how that diverges: kinds, tool, told.
CHANGED: dict[str, tuple[str, str, str, str]] = {
    "stripe_boolean": ('"is_refund": not right(), ', "", "input", "/is_refund"),
    "runaway_loop": ("PATIENCE = 16", "PATIENCE = 3", "missing", "search.web was not called"),
    "injected_page": (
        '"acct_supplier_12" if right() else "acct_evil_777"',
        '"acct_supplier_12"',
        "input",
        "/to_account",
    ),
    "run_budget": ('("search", "news",', '("news", "search",', "order", "ads.buy came before"),
    "destructive_command": (
        '"shell.run", shell, command=OLD_FILES if right() else "rm -rf /srv/data"',
        '"db.execute", execute, sql="SELECT 1"',
        "name",
        "db.execute was called where shell.run was recorded",
    ),
    "data_exfiltration": (
        '        body = "; "',
        "        " + AGAIN + '\n        body = "; "',
        "extra",
        "crm.read_customer was called and is not in the recording",
    ),
}


@pytest.fixture(scope="module")
def cassettes(gateway: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every example played once on the gateway, and its recording in a file."""
    folder = tmp_path_factory.mktemp("cassettes")
    url, key = gateway["CHECKREIN_URL"], gateway["CHECKREIN_API_KEY"]
    checkrein.init(url=url, api_key=key, environment="production", deadline=20)
    for name in CHANGED:
        summary = play(name, **gateway)
        save(summary["run_id"], folder / f"{name}.json")
        (folder / f"{name}.summary").write_text(json.dumps(summary))
    return folder


def play(name: str, **environ: str) -> dict[str, Any]:
    """The summary that the example prints as its one line."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "--json"],
        env={**os.environ, "CHECKREIN_DEADLINE": "20", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def simulated(script: Path, cassette: Path, closed_port: int) -> tuple[dict[str, Any], Any]:
    """The script's report and its summary, in a process that could not reach a gateway."""
    report = cassette.with_suffix(".report")
    options = [f"--recording={cassette}", f"--report={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "checkrein.simulating", *options, "--", str(script), "--json"],
        env={**os.environ, "CHECKREIN_URL": f"http://127.0.0.1:{closed_port}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert report.exists(), done.stderr
    summary = json.loads(done.stdout) if done.returncode == 0 else done.stderr
    return json.loads(report.read_text())["report"], summary


@pytest.mark.parametrize("name", CHANGED)
def test_an_example_is_played_from_its_own_recording(cassettes, closed_port, name):
    """S0-14, S3-18: match rate 1.0, no tool runs, and the agent hears what it heard then."""
    before = json.loads((cassettes / f"{name}.summary").read_text())

    report, now = simulated(EXAMPLES / f"{name}.py", cassettes / f"{name}.json", closed_port)

    assert (report["match_rate"], report["ok"]) == (1.0, True)
    assert now["ran"] == []
    assert now["ended"] == before["ended"]
    for heard, first in zip(now["tried"], before["tried"], strict=True):
        for word in ("tool", "enforced", "verdict", "rules", "reason", "decision_id", "assessed"):
            assert heard[word] == first[word]
        assert heard.get("told") == first.get("told")


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_line_diverges_in_its_own_way(cassettes, closed_port, tmp_path, name):
    """S3-19, S3-22, S3-24: testing a fix tells what it changes, and where first."""
    old, new, kind, told = CHANGED[name]
    text = (EXAMPLES / f"{name}.py").read_text()
    assert text.count(old) == 1
    (tmp_path / f"{name}.py").write_text(text.replace(old, new))
    (tmp_path / "telling.py").write_text((EXAMPLES / "telling.py").read_text())

    report, _ = simulated(tmp_path / f"{name}.py", cassettes / f"{name}.json", closed_port)

    first = report["divergences"][0]
    assert first["first"] is True
    assert (first["kind"], {one["kind"] for one in report["divergences"]}) == (kind, {kind})
    assert told in first["told"]
    assert report["match_rate"] < 1.0

"""`checkrein rejudge`: over HTTP and from the folder, under the own policy and another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.cli.folder import existing
from tests.cli.commands import Done, Up

Asked = Callable[..., Done]
LAX = """
environments:
  development:
    mode: block
    defaults: {"*": allow}
    fail: {"*": open}
tools: []
data: {}
"""


def test_a_run_comes_out_the_same_in_another_place_and_time_zone(asked: Asked, gateway: Up) -> None:
    """R1, N1: another process, time zone, language and hash seed."""
    elsewhere = {"TZ": "Asia/Kathmandu", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "99"}

    over_http = asked("rejudge", "seen", "--json")
    from_folder = asked("rejudge", "seen", "--data", existing(gateway.data), "--json", **elsewhere)
    said = asked("rejudge", "seen")

    assert over_http.json["counts"] == {"exact": 1}
    assert from_folder.json == over_http.json
    assert "1 decisions: 1 exact" in said.out
    assert (over_http.code, said.code) == (0, 0)
    verdict = over_http.json["capture"]["says"]
    assert verdict.startswith("Every decision comes out the same; ")
    assert said.out.splitlines()[-1] == verdict


def test_another_policy_shows_what_would_change(asked: Asked, gateway: Up, tmp_path: Path) -> None:
    folder = tmp_path / "lax"
    folder.mkdir()
    (folder / "policy.yaml").write_text(LAX)
    data = ("--data", gateway.data)

    done = asked("rejudge", "seen", *data, "--policy", folder)
    refused = asked("rejudge", "seen", "--policy", folder)

    assert done.code == 0, done.err
    assert "1 changed" in done.out
    assert "block -> allow" in done.out
    assert refused.code == 2
    assert "--data" in refused.err


def test_a_time_range_and_what_is_wrong_with_one(asked: Asked) -> None:
    past = asked("rejudge", "--until", "2020-01-01T00:00:00+02:00")
    now = asked("rejudge", "--since", "2020-01-01T00:00:00Z", "--limit", "3", "--json")
    summed = asked("rejudge", "--since", "2020-01-01T00:00:00Z", "--limit", "3", "--capture")
    vague = asked("rejudge", "--since", "2020-01-01T00:00:00")
    both = asked("rejudge", "seen", "--since", "2020-01-01T00:00:00Z")

    assert "no decision" in past.out
    assert 1 <= now.json["decisions"] <= 3
    assert now.json["capture"] is None
    assert "were not observed" in summed.out.splitlines()[-1]
    assert (vague.code, both.code) == (2, 2)
    assert "offset" in vague.err

"""`checkrein runs` and `checkrein replay`: what was recorded, over HTTP and from the folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import CHECKREIN, Done, Up, checkrein, eventually
from tests.cli.conftest import CHARGE

Asked = Callable[..., Done]


def test_a_run_is_listed(asked: Asked, gateway: Up) -> None:
    """The list follows the record, which follows the reply within a moment."""
    of_billing = ("runs", "list", "--agent", "billing", "--json")
    assert eventually(lambda: asked(*of_billing).json != [])

    found = asked(*of_billing).json

    assert [run["external_id"] for run in found] == ["seen"]
    assert found[0]["actions"] == 1
    assert "seen" in asked("runs", "list", "--limit", "1000").out
    assert asked("runs", "list", "--status", "halted", "--json").json == []
    assert len(asked("runs", "list", "--limit", "1", "--json").json) == 1


def test_a_run_is_found_by_its_name_and_by_its_id(asked: Asked) -> None:
    by_name = asked("runs", "show", "seen", "--json").json
    by_id = asked("runs", "show", by_name["run_id"], "--json").json

    assert by_name == by_id
    assert by_name["run_id"] in asked("runs", "show", "seen").out


def test_replay_shows_what_was_known_when_it_was_decided(asked: Asked) -> None:
    """S1-3, S1-6, S1-11: request, plan, context, call, rules and decision, and where they part."""
    done = asked("replay", "seen")

    assert done.code == 0
    order = ["request", "plan", "context", "call", "state", "rules", "decision      verdict"]
    places = [done.out.index(f"\n     {word}") for word in order]
    assert places == sorted(places)
    assert "is_refund: true   <- the plan says false" in done.out
    assert "Order 9281 is unpaid." in done.out
    assert "payments.plan_mismatch: block, enforced allow" in done.out
    assert "capture       What was recorded is shown; what models answered" in done.out


def test_replay_shows_results(asked: Asked, gateway: Up) -> None:
    import httpx2

    decided = gateway.check({**CHARGE, "run": {"id": "resulted"}}).json()
    httpx2.post(
        f"{gateway.ready['url']}/v1/decisions/{decided['decision_id']}/result",
        json={"status": "succeeded", "output": {"id": "ch_77"}},
        headers={"authorization": f"Bearer {gateway.ready['api_key']}"},
        trust_env=False,
    ).raise_for_status()

    done = asked("replay", "resulted")

    assert "result: succeeded" in done.out
    assert "ch_77" in done.out


def test_the_folder_tells_the_same_as_the_gateway(asked: Asked, gateway: Up) -> None:
    """One record: whoever reads it, and whether a gateway runs or not."""
    for command in (("replay", "seen"), ("runs", "show", "seen")):
        over_http = asked(*command, "--json")
        from_folder = asked(*command, "--data", gateway.data, "--json")

        assert over_http.json == from_folder.json


def test_a_long_run_is_shown_whole(asked: Asked, gateway: Up) -> None:
    """More frames than fit on one page of the API."""
    for _ in range(120):
        gateway.check({"run": {"id": "long"}, "action": {"tool": "crm.read_x", "arguments": {}}})

    for where in ((), ("--data", str(gateway.data))):
        shown = asked("replay", "long", *where, "--json").json
        assert [frame["seq"] for frame in shown["frames"]] == list(range(1, 122))


@pytest.mark.parametrize("command", [("replay", "nobody"), ("runs", "show", "nobody")])
def test_an_unknown_run_is_absent(asked: Asked, gateway: Up, command: tuple[str, ...]) -> None:
    for where in ((), ("--data", str(gateway.data))):
        done = asked(*command, *where, "--json")

        assert done.code == 4
        assert done.json["next"] == "checkrein runs list"


def test_no_gateway_and_no_key_say_what_to_do(asked: Asked, tmp_path: Path) -> None:
    """Each failure has its own exit code and its next step."""
    away = asked("runs", "list", "--json", CHECKREIN_URL="http://127.0.0.1:9")
    refused = asked("runs", "list", "--json", CHECKREIN_API_KEY="cr_development_no_no_no")
    nothing = checkrein("runs", "list", "--json", cwd=tmp_path)

    assert (away.code, refused.code, nothing.code) == (5, 5, 2)
    assert "checkrein up" in away.json["next"]
    assert "checkrein keys create" in refused.json["next"]
    assert "CHECKREIN_API_KEY" in nothing.json["error"]


def test_stepping_needs_a_terminal(asked: Asked) -> None:
    assert asked("replay", "seen", "--step", "--json").code == 2


def test_a_reader_may_stop_reading(gateway: Up, tmp_path: Path) -> None:
    """`checkrein replay RUN | head` ends without a complaint."""
    with subprocess.Popen(
        [*CHECKREIN, "replay", "seen", "--data", str(gateway.data)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complained = process.stderr.read()

    assert complained == ""

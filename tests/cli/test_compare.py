"""`checkrein compare`: two runs side by side, over HTTP and from the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.commands import Done, Up, checkrein, eventually
from tests.cli.conftest import CHARGE

Asked = Callable[..., Done]


def test_two_runs_are_shown_side_by_side(asked: Asked, gateway: Up) -> None:
    action: Any = CHARGE["action"]
    good = {**action, "arguments": {**action["arguments"], "is_refund": False}}
    gateway.check({**CHARGE, "action": good, "run": {"id": "charged"}})
    gateway.check({**CHARGE, "run": {"id": "refunded"}})

    done = asked("compare", "refunded", "charged")
    told = asked("compare", "refunded", "charged", "--json")
    from_folder = asked("compare", "refunded", "charged", "--data", gateway.data, "--json")

    assert done.code == 0
    assert "arguments /is_refund: true, was false" in done.out
    assert "They part at stripe.create_payment" in done.out
    assert told.json == from_folder.json
    assert told.json["calls"][0]["likeness"] == "changed"


def test_without_a_good_run_it_says_what_to_do(asked: Asked) -> None:
    done = asked("compare", "seen", "--json")

    assert done.code == 4
    assert "checkrein compare" in done.json["next"]


def test_the_last_good_run_is_found_in_a_folder(gateway: Up, tmp_path: Path) -> None:
    import httpx2

    key = {"authorization": f"Bearer {gateway.ready['api_key']}"}
    for name, status in (("went-well", "succeeded"), ("went-wrong", "failed")):
        run = {"id": name, "agent_id": "a-1", "name": "a task"}
        gateway.check({**CHARGE, "run": run})
        url = f"{gateway.ready['url']}/v1/runs/{name}/end"
        httpx2.post(url, json={"status": status}, headers=key, trust_env=False).raise_for_status()

    def compared() -> Done:
        folder = ("--data", str(gateway.data))
        return checkrein("compare", "went-wrong", *folder, "--json", cwd=tmp_path)

    assert eventually(lambda: compared().code == 0)
    assert compared().json["chosen"] == "last_good"

"""A rule that fails: the agent is told that it did, whoever reads the record why and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.cli.frame_text import sections
from tests.api.asking import check
from tests.api.live import Live, json, live_gateway
from tests.policies.folders import MANIFEST, rule, write

FAILING = rule(
    body='verdict contains {"effect": "block", "reason": "no"} if {\n'
    "\tto_number(input.action.arguments.n) > 1\n}",
    more="requires: {/action/arguments/n: string}",
)
WORDS = "rules/a.rego:9: could not parse string as number"


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("failing")
    write(folder / "policies", {"policy.yaml": MANIFEST, "rules/a.rego": FAILING})
    with live_gateway(folder, policies=folder / "policies") as live:
        yield live


def test_the_record_says_why_and_where_a_rule_failed_and_the_reply_does_not(failing: Live) -> None:
    with failing.client() as client:
        reply = check(client, "x.y", arguments={"n": "zz"}, run={"id": "r"})
        snapshot = json(client.get(f"/v1/decisions/{reply['decision_id']}"))
        frames = json(client.get(f"/v1/runs/{reply['run_id']}/frames"))["frames"]

    assert reply["degraded"] == ["engine:a.b:error"]
    assert WORDS.encode() not in msgspec.json.encode(reply)
    assert WORDS.encode() not in msgspec.json.encode(snapshot["decision"])
    failed = {"rule": "a.b", "failure": "error", "error": WORDS}
    assert snapshot["rounds"] == [{"results": [failed]}]
    told = {section.name: section.lines for section in sections(frames[-1])}
    assert told["rules"] == (f"a.b: error ({WORDS})",)

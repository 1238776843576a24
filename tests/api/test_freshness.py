"""Read your writes, and what is said when the record is behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api import freshness
from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json, live_gateway


@pytest.fixture
def behind(live: Live) -> Iterator[Live]:
    """The gateway while nothing moves from the journal into the ledger."""
    live.recording.paused = True
    yield live
    live.recording.paused = False


def test_what_was_just_written_is_read(live: Live) -> None:
    """A reader never misses what it was told is recorded, though recording follows later."""
    live.recording.pace = 0.1
    try:
        with live.client() as client:
            for _ in range(5):
                reply = check(client, "stripe.pay", arguments={"amount": 1}, run={"id": new_name()})
                run, decision = reply["run_id"], reply["decision_id"]
                frames = json(client.get(f"/v1/runs/{run}/frames"))["frames"]
                assert frames[-2]["body"]["decision_id"] == decision
                assert client.get(f"/v1/decisions/{decision}").status_code == 200
                assert client.get(f"/v1/approvals/{reply['approval']['id']}").status_code == 200
    finally:
        live.recording.pace = 0.003


def test_an_answer_that_may_be_old_says_so(behind: Live) -> None:
    """Nobody waits for ever: what is there is answered, and said to be behind."""
    run = new_name()
    with behind.client() as client:
        client.post("/v1/runs", json={"id": run})
        behind.recording.paused = False
        client.get(f"/v1/runs/{run}")
        behind.recording.paused = True
        check(client, run={"id": run})

        old = client.get(f"/v1/runs/{run}/frames")

    assert old.headers["x-checkrein-history"] == "delayed"
    assert [frame["type"] for frame in json(old)["frames"]] == ["run_started"]


def test_what_waited_through_a_restart_is_known_to_be_missing(tmp_path: Path) -> None:
    """The journal remembers over a restart what the ledger does not hold yet."""
    run = new_name()
    with live_gateway(tmp_path) as before, before.client() as client:
        before.recording.paused = True
        check(client, run={"id": run})

    with (
        live_gateway(tmp_path, policies=tmp_path / "policies", paused=True) as after,
        after.client() as client,
    ):
        problem(client.get(f"/v1/runs/{run}"), 503, "unavailable")
        after.recording.paused = False
        seen = client.get(f"/v1/runs/{run}")

    assert json(seen)["actions"] == 1


def test_a_decision_on_its_way_is_not_said_to_be_missing(behind: Live) -> None:
    with behind.client() as client:
        reply = check(client, run={"id": new_name()}, id="act-1")

        response = client.get(f"/v1/decisions/{reply['decision_id']}")

    problem(response, 503, "decision_not_ready")
    assert response.headers["retry-after"] == "1"


def test_an_old_id_is_not_waited_for(live: Live) -> None:
    """Only an id that is as new as the oldest waiting event could still be on its way."""
    parts = live.gateway.parts
    asked = []

    async def find() -> None:
        asked.append(1)

    old = "dec_" + "0" * 32
    odd = "dec_nothing"
    assert live.run(freshness.soon(parts, old, find)) is None
    assert live.run(freshness.soon(parts, odd, find)) is None
    assert len(asked) == 2

    new = parts.ambient.new_id("dec")
    assert live.run(freshness.soon(parts, new, find)) is None
    assert len(asked) > 4

"""A run as a recording: every call with its decision and its outcome, in recorded order."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec

from gateway.replay.recording.recorded import Recording, cassette
from tests.api.asking import check, new_name, problem, result
from tests.api.live import json


def recording(client: httpx2.Client, run: str) -> Any:
    reply = client.get(f"/v1/runs/{run}/recording")
    assert reply.status_code == 200, reply.text
    return json(reply)


def test_calls_come_with_their_decision_output_cost_and_interval(client: httpx2.Client) -> None:
    """S0-14, S1-5: what a simulation serves in the place of the world."""
    run = {"id": new_name(), "turn_id": "t1"}
    first = check(client, "crm.read", arguments={"id": 9281}, run=run)
    second = check(client, "crm.read", arguments={"id": 9281}, run=run)
    output = {"name": "Ada"}
    cost = {"value": 12, "currency": "USD"}
    result(client, second["decision_id"], status="succeeded", output=output, duration_ns="81250")
    error = {"type": "Declined", "message": "No."}
    result(client, first["decision_id"], status="failed", error=error, cost=cost)

    told = recording(client, run["id"])

    one, two = told["calls"]
    assert (one["tool"], one["arguments"], one["task"]) == ("crm.read", {"id": 9281}, ["turn 1"])
    assert (one["occurrence"], two["occurrence"]) == (1, 2)
    assert one["decision"]["decision_id"] == first["decision_id"]
    assert one["decision"]["reasons"] == first["reasons"]
    assert one["decision"]["arguments_digest"] == first["arguments_digest"]
    assert (one["outcome"], one["error"], one["cost"]) == ("raised", error, cost)
    assert (two["outcome"], two["output"], two["duration_ns"]) == ("returned", output, "81250")
    # They were under way at the same time, and the second was done first.
    assert one["begins"] < two["begins"] < two["ends"] < one["ends"]
    assert one["seq"] < two["seq"] < two["ended_seq"] < one["ended_seq"]
    assert told["totals"]["cost"] == {"USD": 12}


def test_why_there_is_no_output_is_said(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    hidden, nothing, _open = (check(client, "crm.read", run=run) for _ in range(3))
    result(client, hidden["decision_id"], status="succeeded", output_digest="ab" * 32)
    null = "74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"
    result(client, nothing["decision_id"], status="succeeded", output_digest=null)

    told = recording(client, run["id"])

    assert [each["not_stored"] for each in told["calls"]] == [
        "digest alone",
        None,
        "nothing reported",
    ]
    assert told["incomplete"][0].startswith("The run has not ended")


def test_what_was_stopped_is_recorded_as_the_agent_heard_it(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    blocked = check(client, "files.delete", run=run)

    told = recording(client, run["id"])

    assert blocked["enforced"] == "block"
    (call,) = told["calls"]
    assert (call["outcome"], call["ended_seq"]) == ("stopped", call["seq"])
    assert call["decision"]["reasons"] == blocked["reasons"]


def test_model_calls_come_with_request_answer_and_tokens(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    event = {
        "type": "model_call",
        "provider": "anthropic",
        "id": "claude",
        "messages": [{"role": "user", "content": "Refund 9281."}],
        "answer": {"text": "Yes."},
        "usage": {"input_tokens": 812, "output_tokens": 44},
        "cost": {"value": 3, "currency": "USD"},
    }
    check(client, "crm.read", run=run, events=[event])

    told = recording(client, run["id"])

    (asked,) = told["model_calls"]
    assert (asked["provider"], asked["id"]) == ("anthropic", "claude")
    assert asked["messages"] == event["messages"]
    assert asked["answer"] == {"text": "Yes."}
    assert asked["begins"] < told["calls"][0]["begins"]
    assert told["totals"] == {
        "calls": 1,
        "model_calls": 1,
        "input_tokens": 812,
        "output_tokens": 44,
        "cost": {"USD": 3},
    }


def test_a_cassette_has_the_same_bytes_each_time(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    check(client, "crm.read", arguments={"b": 1, "a": [1.5, "x"]}, run=run)

    one, two = (
        cassette(msgspec.convert(recording(client, run["id"]), Recording)) for _ in range(2)
    )

    assert one == two
    assert msgspec.json.decode(one, type=Recording).version == 1


def test_a_run_of_another_project_has_no_recording(client: httpx2.Client) -> None:
    problem(client.get(f"/v1/runs/{new_name()}/recording"), 404, "run_not_found")


def test_the_runs_below_a_run_are_in_its_recording(client: httpx2.Client) -> None:
    """Agents hand work to others: their calls have a path of their own, and one order with all."""
    parent = {"id": new_name(), "name": "desk"}
    check(client, "crm.read", run=parent)
    child = {"id": new_name(), "name": "research", "parent_run_id": parent["id"]}
    check(client, "web.fetch", run=child)
    twin = {"id": new_name(), "name": "research", "parent_run_id": parent["id"]}
    check(client, "web.fetch", run={**twin, "turn_id": "t"})
    below = {"id": new_name(), "parent_run_id": twin["id"]}
    check(client, "web.fetch", run=below)
    check(client, "web.fetch", run={"id": new_name(), "name": "another"})
    check(client, "crm.read", run=parent)

    told = recording(client, parent["id"])

    assert [each["task"] for each in told["calls"]] == [
        [],
        ["research 1"],
        ["research 2", "turn 1"],
        ["research 2", "run 1"],
        [],
    ]
    assert len({each["run_id"] for each in told["calls"]}) == len(told["below"]) + 1 == 4
    assert [each["begins"] for each in told["calls"]] == sorted(
        {each["begins"] for each in told["calls"]}
    )

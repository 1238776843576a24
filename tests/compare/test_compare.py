"""Two recorded runs compared by a gateway: configuration, behaviour, first divergence, cost."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json

REQUEST = {"user": "Refund order 9281"}
GOOD: list[tuple[str, dict[str, Any], Any]] = [
    ("orders.read", {"order": "9281"}, {"total": 45, "paid": True}),
    ("stripe.refund", {"order": "9281", "amount": 4500}, {"id": "re_1"}),
    ("email.send", {"to": "ada@acme.example", "about": "9281"}, None),
]


def played(
    client: httpx2.Client,
    calls: list[tuple[str, dict[str, Any], Any]],
    *,
    agent: str = "refunder",
    name: str = "refunds",
    status: str | None = "succeeded",
    model: str = "m-1",
    **more: Any,
) -> str:
    """A run with these calls and their outputs; its name."""
    run = new_name()
    ref = {"id": run, "agent_id": agent, "name": name}
    for tool, arguments, output in calls:
        asked = {
            "request": REQUEST,
            "model": {"provider": "acme", "id": model},
            "prompt_version": "v1",
            "tools_available": [{"name": "orders.read", "digest": "a1"}, "stripe.refund"],
        }
        told = check(client, tool, arguments=arguments, run=ref, **{**asked, **more})
        report = {
            "status": "succeeded",
            "output": output,
            "duration_ns": "2000000",
            "cost": {"value": 3, "currency": "USD"},
        }
        assert client.post(f"/v1/decisions/{told['decision_id']}/result", json=report).is_success
    if status:
        assert client.post(f"/v1/runs/{run}/end", json={"status": status}).is_success
    return run


def compared(client: httpx2.Client, run: str, **query: str) -> Any:
    reply = client.get(f"/v1/runs/{run}/compare", params=query)
    assert reply.status_code == 200, reply.text
    return json(reply)


def likenesses(found: Any) -> list[str]:
    return [each["likeness"] for each in found["calls"]]


def test_runs_that_went_alike_have_no_divergence(client: httpx2.Client) -> None:
    one, other = played(client, GOOD), played(client, GOOD)

    found = compared(client, one, other=other)

    assert likenesses(found) == ["same", "same", "same"]
    assert (found["first"], found["configuration"], found["chosen"]) == (None, [], "given")
    assert found["run"]["totals"]["cost"] == {"USD": 9}
    assert found["cost"] == {"USD": 0}
    assert found["calls"][0]["run_ms"] == 2.0
    # N10: what was not watched of each is told with the answer.
    assert found["run"]["capture"] == found["other"]["capture"]
    assert found["run"]["capture"]["random"] == "unobserved"


def test_a_failed_run_is_compared_with_the_last_good_one(client: httpx2.Client) -> None:
    """S4-1, S4-10, N15: what changed since the last good run, and what was done otherwise."""
    agent = new_name("agent")
    played(client, GOOD, agent=agent)
    good = played(client, GOOD, agent=agent)
    played(client, GOOD, agent=agent, name="another task")
    played(client, GOOD, agent=new_name("agent"))
    refund = ("stripe.refund", {"order": "9281", "amount": 450000}, {"id": "re_1"})
    bad = [GOOD[0], refund, GOOD[2]]
    failed = played(
        client,
        bad,
        agent=agent,
        status="failed",
        model="m-2",
        prompt_version="v2",
        tools_available=[{"name": "orders.read", "digest": "b2"}],
    )
    played(client, GOOD, agent=agent)

    found = compared(client, failed)

    assert found["chosen"] == "last_good"
    assert found["other"]["run_id"] == json(client.get(f"/v1/runs/{good}"))["run_id"]
    assert [found["run"]["status"], found["other"]["status"]] == ["failed", "succeeded"]
    assert likenesses(found) == ["same", "changed", "same"]
    assert found["first"] == 1
    (difference,) = found["calls"][1]["differences"]
    assert difference == {
        "aspect": "arguments",
        "pointer": "/amount",
        "run": 450000,
        "other": 4500,
    }
    changed = {(each["what"], each["name"]) for each in found["configuration"]}
    assert changed == {
        ("model", ""),
        ("prompt version", ""),
        ("tool", "orders.read"),
        ("tool", "stripe.refund"),
    }
    version = next(each for each in found["configuration"] if each["what"] == "prompt version")
    assert (version["run"], version["other"]) == (["v2"], ["v1"])


def test_calls_are_aligned_by_what_they_are(client: httpx2.Client) -> None:
    """What is missing, extra or moved is told, and the calls around it stay paired."""
    search = ("web.search", {"q": "refund policy"}, None)
    one = played(client, [GOOD[0], search, GOOD[1]])
    other = played(client, GOOD)
    swapped = played(client, [GOOD[1], GOOD[0], GOOD[2]])

    found = compared(client, one, other=other)
    moved = compared(client, swapped, other=other)

    assert [(each["tool"], each["likeness"]) for each in found["calls"]] == [
        ("orders.read", "same"),
        ("web.search", "extra"),
        ("stripe.refund", "same"),
        ("email.send", "missing"),
    ]
    assert found["calls"][1]["other_seq"] is None
    assert found["first"] == 1
    assert sorted(likenesses(moved)) == ["moved", "same", "same"]


def test_another_output_is_told_apart_from_another_behaviour(client: httpx2.Client) -> None:
    read = ("orders.read", {"order": "9281"}, {"total": 46, "paid": True})
    one, other = played(client, [read, *GOOD[1:]]), played(client, GOOD)

    found = compared(client, one, other=other)

    assert likenesses(found) == ["output", "same", "same"]
    assert (found["first"], found["first_output"]) == (None, 0)
    assert found["calls"][0]["differences"][0]["pointer"] == "/total"


def test_model_calls_count_with_tokens_and_cost(client: httpx2.Client) -> None:
    call = {
        "type": "model_call",
        "provider": "acme",
        "id": "m-1",
        "system": "You refund.",
        "tools": [{"name": "orders_read", "input_schema": {"type": "object"}}],
        "usage": {"input_tokens": 100, "output_tokens": 20},
        "cost": {"value": 5, "currency": "USD"},
    }
    one = played(client, GOOD[:1], events=[call])
    other = played(client, GOOD[:1], events=[{**call, "system": "You never refund."}])

    found = compared(client, one, other=other)

    totals = found["run"]["totals"]
    assert (totals["model_calls"], totals["input_tokens"], totals["output_tokens"]) == (1, 100, 20)
    assert totals["cost"] == {"USD": 8}
    assert [each["what"] for each in found["configuration"]] == ["system prompt"]


def test_what_cannot_be_compared_is_refused(live: Live, client: httpx2.Client) -> None:
    alone = played(client, GOOD[:1], agent=new_name("agent"))

    problem(client.get(f"/v1/runs/{alone}/compare"), 404, "run_not_found")
    problem(
        client.get(f"/v1/runs/{alone}/compare", params={"other": "nobody"}), 404, "run_not_found"
    )
    by_id = json(client.get(f"/v1/runs/{alone}"))["run_id"]
    with live.client("other") as stranger:
        mine = new_name()
        check(stranger, run={"id": mine})
        theirs = stranger.get(f"/v1/runs/{mine}/compare", params={"other": by_id})
        problem(theirs, 404, "run_not_found")

"""What can be read back: decisions whole, runs, frames, approvals, policies."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gateway.domain import canonical
from tests.api.asking import check, new_name, problem, result
from tests.api.live import Live, json


def test_a_decision_is_a_whole_snapshot(live: Live) -> None:
    """S1-18, S1-20: what was seen, what was said, what was decided, by which policy."""
    with live.client("staging") as client:
        reply = check(
            client,
            "stripe.refund",
            arguments={"amount": 450000, "customer": "cus_9281"},
            run={"id": new_name(), "agent_id": "billing"},
            request={
                "user": "Charge the customer.",
                "plan": {"text": "Charge.", "tool": "stripe.x"},
            },
            context=[{"id": "c1", "source": "crm", "trusted": True, "text": "cus_9281 owes 4,500"}],
            external_state={"balance": 3},
        )
        result(client, reply["decision_id"], status="failed", error={"type": "Declined"})

        snapshot = json(client.get(f"/v1/decisions/{reply['decision_id']}"))

    frame = snapshot["frame"]
    assert frame["action"]["arguments"] == {"amount": 450000, "customer": "cus_9281"}
    assert frame["action"]["recipients"] == ["cus_9281"]
    assert frame["request"]["user"] == "Charge the customer."
    assert frame["context"][0]["text"] == "cus_9281 owes 4,500"
    assert frame["external_state"] == {"balance": 3}
    assert snapshot["decision"]["enforced"] == reply["enforced"]
    assert snapshot["decision"]["reasons"] == reply["reasons"]
    assert snapshot["evidence"]["tool"] == "stripe.refund"
    assert snapshot["policy"] == reply["policy"]
    assert snapshot["seq"] == reply["seq"]
    assert snapshot["result"]["evidence"]["status"] == "failed"
    assert snapshot["result"]["error"]["type"] == "Declined"
    assert (snapshot["erased"], snapshot["broken"]) == ([], [])


def test_a_decision_without_a_result_has_none(client: httpx2.Client) -> None:
    reply = check(client)

    assert json(client.get(f"/v1/decisions/{reply['decision_id']}"))["result"] is None


def test_a_result_belongs_to_its_own_decision(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    first, second = check(client, run=run), check(client, run=run)
    result(client, second["decision_id"], status="succeeded", output="second")

    assert json(client.get(f"/v1/decisions/{first['decision_id']}"))["result"] is None
    found = json(client.get(f"/v1/decisions/{second['decision_id']}"))["result"]
    assert found["output"] == "second"


def test_a_refusal_under_a_used_id_can_be_read_too(client: httpx2.Client) -> None:
    """It is a decision like any other, though it leaves the action's record as it was."""
    run = {"id": new_name()}
    first = check(client, run=run, id="act-1", attempt="one")
    result(client, first["decision_id"], status="succeeded")
    refused = check(client, run=run, id="act-1", attempt="two")

    snapshot = json(client.get(f"/v1/decisions/{refused['decision_id']}"))
    assert snapshot["evidence"]["prior"] == "already_executed"


def test_frames_are_the_run_in_order(client: httpx2.Client) -> None:
    """S1-3, S1-6: request, plan, context, call, decision and result, step by step."""
    run = new_name()
    client.post(
        "/v1/events",
        json={"run": {"id": run}, "events": [{"type": "model_call", "answer": "I will refund."}]},
    )
    reply = check(client, "files.read", arguments={"path": "/a"}, run={"id": run})
    result(client, reply["decision_id"], status="succeeded", output="text")

    page = json(client.get(f"/v1/runs/{run}/frames"))

    types = [frame["type"] for frame in page["frames"]]
    assert types == ["run_started", "model_call", "decision", "result"]
    assert [frame["seq"] for frame in page["frames"]] == [1, 2, 3, 4]
    model_call, decision, outcome = page["frames"][1:]
    assert model_call["content"]["observation"]["answer"] == "I will refund."
    assert decision["content"]["frame"]["action"]["arguments"] == {"path": "/a"}
    assert outcome["content"]["output"] == "text"
    assert (page["has_more"], page["next_after"]) == (False, None)
    hashes = [frame["hash"] for frame in page["frames"]]
    assert [frame["prev_hash"] for frame in page["frames"][1:]] == hashes[:-1]


def test_frames_come_in_pages(client: httpx2.Client) -> None:
    run = new_name()
    events = [{"type": "message", "role": "user", "text": str(n)} for n in range(25)]
    client.post("/v1/events", json={"run": {"id": run}, "events": events})

    seqs: list[int] = []
    after: int | None = 0
    while after is not None:
        page = json(client.get(f"/v1/runs/{run}/frames", params={"after": after, "limit": 10}))
        seqs += [frame["seq"] for frame in page["frames"]]
        assert page["has_more"] == (page["next_after"] is not None)
        after = page["next_after"]

    assert seqs == list(range(1, 27))


def test_a_page_of_frames_is_bounded_in_bytes(client: httpx2.Client) -> None:
    """D5: however much each frame holds, an answer holds some megabytes."""
    run = new_name()
    for n in range(12):
        event = {"type": "message", "role": "user", "text": chr(97 + n) * 900_000}
        client.post("/v1/events", json={"run": {"id": run}, "events": [event]})

    page = client.get(f"/v1/runs/{run}/frames", params={"limit": 200})

    assert json(page)["has_more"]
    assert len(page.content) < 16_000_000
    rest = json(client.get(f"/v1/runs/{run}/frames?after={json(page)['next_after']}"))
    assert [frame["seq"] for frame in rest["frames"]][-1] == 13


def test_a_run_says_what_happened_in_it(client: httpx2.Client) -> None:
    run = {"id": new_name(), "name": "nightly", "agent_id": "billing", "user_id": "u1"}
    check(client, run=run)
    check(client, "files.delete", run=run)
    check(client, "iam.grant", run=run)
    check(client, "stripe.pay", arguments={"amount": 5}, run=run)

    row = json(client.get(f"/v1/runs/{run['id']}"))

    assert row["external_id"] == run["id"]
    assert (row["name"], row["agent_id"], row["user_id"]) == ("nightly", "billing", "u1")
    counts = ("actions", "blocked", "warned", "approvals")
    assert [row[name] for name in counts] == [4, 1, 1, 1]
    assert (row["status"], row["environment"], row["ended_at"]) == ("running", "production", None)


@pytest.mark.parametrize("path", ["", "/frames"])
def test_a_run_that_is_not_there_is_not_found(client: httpx2.Client, path: str) -> None:
    problem(client.get(f"/v1/runs/{new_name()}{path}"), 404, "run_not_found")


def test_the_list_of_runs_is_filtered_and_paged(client: httpx2.Client) -> None:
    agent = new_name("agent")
    names = [new_name() for _ in range(5)]
    for name in names:
        client.post("/v1/runs", json={"id": name, "agent_id": agent})
    client.post(f"/v1/runs/{names[0]}/end", json={"status": "failed"})
    client.get(f"/v1/runs/{names[0]}")

    pages = list(_pages(client, "/v1/runs", "runs", agent_id=agent, limit=2))

    assert [len(page) for page in pages] == [2, 2, 1]
    found = [row["external_id"] for page in pages for row in page]
    assert found == names[::-1]
    failed = json(client.get("/v1/runs", params={"agent_id": agent, "status": "failed"}))
    assert [row["external_id"] for row in failed["runs"]] == names[:1]


def test_runs_can_be_asked_for_by_time(client: httpx2.Client) -> None:
    agent = new_name("agent")
    client.post("/v1/runs", json={"id": agent, "agent_id": agent})
    started = json(client.get(f"/v1/runs/{agent}"))["started_at"]

    def found(**times: str) -> int:
        response = client.get("/v1/runs", params={"agent_id": agent, **times})
        assert response.status_code == 200, response.text
        return len(json(response)["runs"])

    assert found(started_after="2026-01-01T00:00:00Z") == 1
    assert found(started_after="2126-01-01T00:00:00+01:00") == 0
    assert found(started_before=started) == 0
    assert found(started_before="2126-01-01T00:00:00Z", environment="production") == 1
    assert found(environment="staging") == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "limit=1.5", "fun=1", "status=odd",
        "agent_id=", "status=null", "started_after=yesterday", "limit=%ff",
        "started_after=2026-01-01T00:00:00", "started_before=0001-01-01T00:00:00%2B14:00",
        "cursor=" + "a" * 2000, "a=" + "b" * 5000,
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused(client: httpx2.Client, query: str) -> None:
    problem(client.get(f"/v1/runs?{query}"), 400, "bad_parameter")


def test_an_approval_can_be_read_as_soon_as_it_was_asked_for(client: httpx2.Client) -> None:
    reply = check(client, "stripe.refund", arguments={"amount": 1}, run={"id": new_name()})

    found = json(client.get(f"/v1/approvals/{reply['approval']['id']}"))

    assert found["status"] == "pending"
    assert found["decision_id"] == reply["decision_id"]
    assert found["arguments_digest"] == reply["arguments_digest"]
    assert found["expires_at"] == reply["approval"]["expires_at"]


def test_approvals_are_listed_by_status(client: httpx2.Client) -> None:
    wanted = set()
    for _ in range(3):
        asked = check(client, "stripe.refund", arguments={"amount": 1})["approval"]["id"]
        wanted.add(asked)
        client.get(f"/v1/approvals/{asked}")

    pages = list(_pages(client, "/v1/approvals", "approvals", status="pending", limit=1))

    assert wanted <= {row["approval_id"] for page in pages for row in page}
    assert not json(client.get("/v1/approvals?status=approved"))["approvals"]


@pytest.mark.parametrize("id", ["apr_" + "0" * 32, "apr_x", "x"])
def test_an_approval_that_is_not_there_is_not_found(client: httpx2.Client, id: str) -> None:
    problem(client.get(f"/v1/approvals/{id}"), 404, "approval_not_found")


def test_the_active_policy_is_told(client: httpx2.Client) -> None:
    digest = check(client)["policy"]["digest"]

    active = json(client.get("/v1/policies/active"))
    versions = json(client.get("/v1/policies/versions"))["versions"]

    assert active["digest"] == digest
    assert active["modes"] == {"production": "block", "staging": "warn"}
    assert active["refused"] is None
    assert digest in [version["digest"] for version in versions]


def test_a_snapshot_tells_the_hash_of_what_is_stored(live: Live, client: httpx2.Client) -> None:
    reply = check(client, run={"id": new_name()})
    snapshot = json(client.get(f"/v1/decisions/{reply['decision_id']}"))
    project = live.run(live.gateway.parts.control.project("acme"))

    [started, stored] = live.run(live.gateway.parts.ledger.events(project, reply["run_id"]))

    assert snapshot["hash"] == stored.hash == canonical.sha256(stored.record)
    assert snapshot["prev_hash"] == started.hash


def _pages(client: httpx2.Client, path: str, rows: str, **query: Any) -> Any:
    cursor: dict[str, str] = {}
    while True:
        page = json(client.get(path, params={**query, **cursor}))
        yield page[rows]
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return
        cursor = {"cursor": page["next_cursor"]}

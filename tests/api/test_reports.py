"""Results, events, and the starts and ends of runs."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.asking import check, new_name, problem, result
from tests.api.live import Live, json

KIB = 1024


def test_a_result_is_recorded_with_its_decision(client: httpx2.Client) -> None:
    reply = check(client, run={"id": new_name()}, id="act-1")

    response = result(client, reply["decision_id"], status="succeeded", output={"rows": 3})

    assert json(response) == {
        "decision_id": reply["decision_id"],
        "run_id": reply["run_id"],
        "action_id": "act-1",
        "status": "succeeded",
        "repeated": False,
    }


def test_the_same_result_twice_is_one_result(client: httpx2.Client) -> None:
    decision_id = check(client, run={"id": new_name()}, id="act-1")["decision_id"]
    result(client, decision_id, status="succeeded", output=1)

    again = result(client, decision_id, status="succeeded", output=1)

    assert again.status_code == 200
    assert json(again)["repeated"] is True


def test_a_different_result_is_a_conflict_and_the_first_one_stands(client: httpx2.Client) -> None:
    decision_id = check(client, run={"id": new_name()}, id="act-1")["decision_id"]
    result(client, decision_id, status="succeeded", output=1)

    problem(result(client, decision_id, status="failed"), 409, "result_conflict")

    kept = json(client.get(f"/v1/decisions/{decision_id}"))["result"]
    assert (kept["evidence"]["status"], kept["output"]) == ("succeeded", 1)


@pytest.mark.parametrize(
    "decision_id", ["dec_" + "0" * 32, "dec_x", "x", "%00", "..%2f..", "%F0%9F%92%A3", "a" * 256]
)
def test_a_result_of_no_decision_is_not_found(client: httpx2.Client, decision_id: str) -> None:
    problem(result(client, decision_id, status="succeeded"), 404, "decision_not_found")


def test_events_are_appended_in_order(client: httpx2.Client) -> None:
    run = new_name()
    events: list[dict[str, Any]] = [
        {"type": "request", "text": "Charge the customer."},
        {"type": "plan", "text": "Call stripe.charge.", "arguments": {"amount": 1}},
        {"type": "context", "id": "c1", "source": "https://example.com", "text": "A page."},
    ]

    reply = json(client.post("/v1/events", json={"run": {"id": run}, "events": events}))
    frames = json(client.get(f"/v1/runs/{run}/frames"))["frames"]

    assert reply["first_seq"] == 1
    assert reply["count"] == 4
    assert [f["type"] for f in frames] == ["run_started", "request", "plan", "context"]
    assert [f["seq"] for f in frames] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "forged",
    ["decision", "result", "approval_requested", "settlement", "halt", "unreadable", "grant"],
)
def test_the_gateways_own_events_cannot_be_reported(client: httpx2.Client, forged: str) -> None:
    """The agent is distrusted: no caller writes a decision into the record."""
    response = client.post("/v1/events", json={"run": {}, "events": [{"type": forged}]})

    document = problem(response, 400, "value_out_of_range")
    assert document["errors"][0]["pointer"] == "/events/0/type"


@pytest.mark.parametrize(
    ("sent", "code", "pointer"),
    [
        ({"run": {}, "events": []}, "value_out_of_range", "/events"),
        ({"run": {}}, "missing_field", "/events"),
        ({"run": {"id": "a\u200bb"}, "events": [{"type": "turn_started"}]}, "bad_name", "/run/id"),
        (
            {"run": {}, "events": [{"type": "turn_started"}, {"type": "gap", "tool": " a",
                                                              "reason": "away"}]},
            "bad_name",
            "/events/1/tool",
        ),
    ],
)  # fmt: skip
def test_a_batch_is_refused_whole(
    client: httpx2.Client, sent: Any, code: str, pointer: str
) -> None:
    document = problem(client.post("/v1/events", json=sent), 400, code)
    assert document["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("path", ["/v1/events", "/v1/decisions/dec_x/result"])
def test_a_report_may_be_larger_than_a_check_and_is_bounded_too(
    client: httpx2.Client, path: str
) -> None:
    """D5: outputs and batches have four times the room of a check, and no more."""
    json_type = {"content-type": "application/json"}
    fits = b'{"x": "' + b"a" * 1000 * KIB + b'"}'
    too_large = b'{"x": "' + b"a" * 1025 * KIB + b'"}'

    problem(client.post(path, content=fits, headers=json_type), 400, "unknown_field")
    problem(client.post(path, content=too_large, headers=json_type), 413, "body_too_large")


def test_a_run_is_opened_once(client: httpx2.Client) -> None:
    run = {"id": new_name(), "name": "nightly", "user_id": "u1"}

    first = json(client.post("/v1/runs", json=run))
    second = json(client.post("/v1/runs", json=run))

    assert first == {"run_id": first["run_id"], "created": True}
    assert second == {"run_id": first["run_id"], "created": False}


def test_a_run_without_an_id_is_a_new_one(client: httpx2.Client) -> None:
    first, second = (json(client.post("/v1/runs", json={}))["run_id"] for _ in range(2))

    assert first != second


def test_a_run_ends_as_its_agent_says(client: httpx2.Client) -> None:
    run = new_name()
    client.post("/v1/runs", json={"id": run})

    ended = json(client.post(f"/v1/runs/{run}/end", json={"status": "succeeded", "output": "ok"}))
    row = json(client.get(f"/v1/runs/{run}"))

    assert ended["count"] == 1
    assert row["status"] == "succeeded"
    assert row["ended_at"] is not None


def test_a_halted_run_stays_halted(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    check(client, "shell.run", run=run)

    client.post(f"/v1/runs/{run['id']}/end", json={"status": "succeeded"})

    assert json(client.get(f"/v1/runs/{run['id']}"))["status"] == "halted"
    assert check(client, run=run)["enforced"] == "halt"


def test_a_run_that_never_began_does_not_end(client: httpx2.Client) -> None:
    response = client.post(f"/v1/runs/{new_name()}/end", json={"status": "failed"})

    problem(response, 404, "run_not_found")


def test_a_run_may_have_any_name_of_the_callers(client: httpx2.Client) -> None:
    """A caller's own string names a run, slashes and all."""
    name = f"orders/2026/\u00e4\u4f60 {new_name()}?x=1#y%2F"
    client.post("/v1/runs", json={"id": name})

    row = json(client.get("/v1/runs/" + _quoted(name)))

    assert row["external_id"] == name


@pytest.mark.parametrize("key", ["read", None])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/decisions/dec_x/result", {"status": "succeeded"}),
        ("/v1/events", {"run": {}, "events": [{"type": "turn_started"}]}),
        ("/v1/runs", {}),
        ("/v1/runs/x/end", {"status": "failed"}),
    ],
)
def test_reporting_needs_a_key_that_may_check(
    live: Live, key: str | None, path: str, body: Any
) -> None:
    with live.client(key) as client:
        response = client.post(path, json=body)

    problem(response, *((401, "unauthenticated") if key is None else (403, "forbidden")))


def _quoted(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())


def test_a_result_of_a_stopped_call_or_of_an_earlier_decision_is_refused(
    client: httpx2.Client,
) -> None:
    """N8: a report settles what its own decision let through, and nothing else."""
    named = {"run": {"id": new_name()}, "id": new_name("act")}
    first = check(client, "files.delete", attempt="1", **named)
    problem(result(client, first["decision_id"], status="failed"), 409, "result_not_expected")
    check(client, "files.delete", attempt="2", **named)

    problem(result(client, first["decision_id"], status="failed"), 409, "decision_superseded")

"""Determinism told from recorded runs: each kind is found, and what is deterministic scores 100."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import httpx2
import pytest

from tests.api.asking import check, new_name, problem
from tests.api.live import Live, json
from tests.lineage.recording import play
from tests.lineage.tasks import runs

PAY = "bank.pay"


def now() -> str:
    return datetime.now(UTC).isoformat()


def scored(client: httpx2.Client, run: str) -> Any:
    reply = client.get(f"/v1/runs/{run}/determinism")
    assert reply.status_code == 200, reply.text
    return json(reply)


def played(client: httpx2.Client, *calls: dict[str, Any], **more: Any) -> str:
    """A run with these calls: arguments each, and `output` where it gave something."""
    run = new_name()
    for call in calls:
        arguments = {name: value for name, value in call.items() if name[0] != "_"}
        told = check(
            client,
            call.get("_tool", PAY),
            arguments=arguments,
            side_effects=call.get("_effects", ["payment"]),
            run={"id": run},
            **more,
        )
        if "_output" in call:
            report = {"status": "succeeded", "output": call["_output"]}
            url = f"/v1/decisions/{told['decision_id']}/result"
            assert client.post(url, json=report).is_success
    return run


READ: dict[str, Any] = {"_tool": "db.read", "_effects": ["read"], "q": "x"}
FOUND: list[tuple[str, Callable[[], list[dict[str, Any]]], str, str, str]] = [
    ("iso time", lambda: [{"at": now()}], "timestamp", "high", "/at"),
    ("epoch", lambda: [{"ts": int(datetime.now(UTC).timestamp())}], "timestamp", "high", "/ts"),
    (
        "epoch milliseconds in a text",
        lambda: [{"meta": {"t": str(int(datetime.now(UTC).timestamp() * 1000))}}],
        "timestamp",
        "high",
        "/meta/t",
    ),
    ("uuid", lambda: [{"ref": str(uuid.uuid4())}], "random", "high", "/ref"),
    ("uuid in a name", lambda: [{"ref": f"x-{uuid.uuid4()}"}], "random", "high", "/ref"),
    (
        "random key",
        lambda: [{"idempotency_key": str(uuid.uuid4())}],
        "random",
        "critical",
        "/idempotency_key",
    ),
    ("token", lambda: [{"code": "p9X2kQ7vLm4Zt8Rb1Ns6Wd3"}], "random", "high", "/code"),
    ("paid twice", lambda: [{"amount": 5}, {"amount": 5}], "external_state", "critical", ""),
    (
        "the world moved",
        lambda: [{**READ, "_output": {"n": 1}}, {**READ, "_output": {"n": 2}}],
        "external_state",
        "low",
        "",
    ),
    ("binary fraction", lambda: [{"amount": 0.1 + 0.2}], "floating_point", "medium", "/amount"),
    (
        "another order",
        lambda: [{"tags": ["a", "b", "c"]}, {"tags": ["c", "a", "b"]}],
        "ordering",
        "medium",
        "/tags",
    ),
]


@pytest.mark.parametrize(("calls", "kind", "severity", "place"), [f[1:] for f in FOUND])
def test_each_kind_is_found_with_its_place(
    client: httpx2.Client, calls: Any, kind: str, severity: str, place: str
) -> None:
    """S3-26, S3-27, S3-28: kind, severity, where, and what to write instead."""
    found = scored(client, played(client, *calls()))

    (issue,) = found["issues"]
    assert (issue["kind"], issue["severity"], issue["place"]) == (kind, severity, place)
    assert found["score"] < 100
    (advice,) = found["advice"]
    assert advice["kind"] == kind
    assert advice["before"] != advice["after"]


GIVEN = str(uuid.uuid4())
CLEAN: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("an id that was asked about", [{"ref": GIVEN}], {"request": {"user": f"Pay {GIVEN.upper()}"}}),
    (
        "an id that an earlier call gave",
        [{**READ, "_output": {"id": GIVEN}}, {"ref": GIVEN}],
        {},
    ),
    (
        "an id that the model wrote",
        [{"ref": GIVEN}],
        {"events": [{"type": "model_call", "answer": {"input": {"ref": GIVEN}, "name": "x"}}]},
    ),
    ("the same id again", [{"ref": str(uuid.uuid5(uuid.NAMESPACE_URL, "order"))}], {}),
    (
        "a digest",
        [{"digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}],
        {},
    ),
    ("prices", [{"amount": 19.99, "rate": 0.175, "share": 1 / 4}], {}),
    ("a birthday", [{"born": "1990-04-01T00:00:00Z", "year": 1735689600}], {}),
    ("names with numbers", [{"host": "prod-eu-west-1-node-0042-replica-17", "v": "v1.22.333"}], {}),
    ("two payments", [{"amount": 5, "order": "a"}, {"amount": 5, "order": "b"}], {}),
    ("paid twice on purpose", [{"amount": 5, "idempotency_key": "refund-9281"}] * 2, {}),
    ("read twice", [{**READ, "_output": {"n": 1}}] * 2, {}),
    ("lists that differ", [{"tags": ["a", "b"]}, {"tags": ["a", "c"]}, {"tags": ["b", "c"]}], {}),
    ("a phone number", [{"to": "+491701234567", "id": "1701234567890123"}], {}),
]


@pytest.mark.parametrize(("calls", "more"), [c[1:] for c in CLEAN], ids=[c[0] for c in CLEAN])
def test_what_is_deterministic_scores_100(client: httpx2.Client, calls: Any, more: Any) -> None:
    found = scored(client, played(client, *calls, **more))

    assert (found["score"], found["band"], found["issues"]) == (100, "deterministic", [])


def test_a_time_that_the_user_said_is_not_made_up(client: httpx2.Client) -> None:
    at = datetime.now(UTC).replace(second=0, microsecond=0)
    told = {"request": {"user": f"Book it at {at:%H:%M} today"}}

    found = scored(client, played(client, {"at": at.isoformat()}, **told))

    assert found["score"] == 100


@pytest.mark.parametrize("half", ["seen", "unseen"])
def test_generated_runs_without_such_values_raise_no_alarm(
    client: httpx2.Client, half: str
) -> None:
    """False alarms over whole runs: with outputs, model answers, pages and many kinds of values."""
    makes = import_module(f"tests.lineage.tasks_{half}").TASKS
    wrong = {}
    for each in runs(makes, 99, 1):
        run = new_name(each.name)
        play(client, run, each)
        found = scored(client, run)
        if found["score"] != 100:
            wrong[each.name] = found["issues"]

    assert wrong == {}


def test_the_score_says_how_it_was_made_and_what_it_does_not_cover(client: httpx2.Client) -> None:
    """N10: the answer inherits what was not observed."""
    found = scored(client, played(client, {"at": now(), "ref": str(uuid.uuid4())}, {"x": 1}))

    assert found["score"] == 70
    assert found["band"] == "mostly"
    assert found["source"] == "record"
    assert "15 for a high one" in found["how"]
    coverage = found["coverage"]
    assert (coverage["calls"], coverage["arguments"], coverage["outputs"]) == (2, 2, 0)
    assert any("model's answers" in each for each in coverage["unseen"])
    assert (coverage["capture"]["tool"], coverage["capture"]["clock"]) == ("partial", "unobserved")


def test_a_run_without_calls_has_no_score(live: Live, client: httpx2.Client) -> None:
    run = new_name()
    events = {"run": {"id": run}, "events": [{"type": "request", "text": "hello"}]}
    assert client.post("/v1/events", json=events).is_success

    found = scored(client, run)

    assert (found["score"], found["band"]) == (None, None)
    with live.client("other") as stranger:
        by_id = json(client.get(f"/v1/runs/{run}"))["run_id"]
        problem(stranger.get(f"/v1/runs/{by_id}/determinism"), 404, "run_not_found")

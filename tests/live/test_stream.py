"""What a follower is told: everything of its project, in order, once, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.asking import check, new_name, result
from tests.api.live import Live, json
from tests.live.conftest import Follow
from tests.live.reading import Refused, Sse

CANARY = "canary-7f3e9d"


def ended(message: dict[str, Any]) -> bool:
    return message["type"] in ("run_completed", "run_failed")


def told_of(messages: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(message.get(name) for name in ("type", *names)) for message in messages]


def test_the_life_of_a_run_is_told_in_order(live: Live, follow: Follow) -> None:
    """S3-30: run_created, action_created, run_completed, and what comes between."""
    reader = follow()
    with live.client() as client:
        run = {"id": new_name(), "name": "orders", "agent_id": "support-bot"}
        read = check(client, "files.read", run=run)
        result(client, read["decision_id"], status="succeeded", duration_ns="81250000")
        paid = check(client, "stripe.pay", arguments={"amount": 7, "customer": "c"}, run=run)
        check(client, "files.delete", run=run)
        client.post(f"/v1/runs/{run['id']}/end", json={"status": "escalated"})

    told = reader.until(ended)

    assert told_of(told, "tool", "enforced") == [
        ("run_created", None, None),
        ("action_created", "files.read", "allow"),
        ("action_completed", None, None),
        ("action_created", "stripe.pay", "require_approval"),
        ("approval_requested", "stripe.pay", None),
        ("action_created", "files.delete", "block"),
        ("run_completed", None, None),
    ]
    assert {each["run_id"] for each in told} == {read["run_id"]}
    assert [each["seq"] for each in told] == sorted(each["seq"] for each in told)
    assert len({each["id"] for each in told}) == len(told)
    assert (told[0]["name"], told[0]["agent_id"]) == ("orders", "support-bot")
    assert told[1]["decision_id"] == read["decision_id"]
    assert told[2]["duration_ns"] == "81250000"
    assert told[4]["approval_id"] == paid["approval"]["id"]
    assert (told[-1]["status"], told[-1]["actions"], told[-1]["blocked"]) == ("escalated", 3, 1)


def test_a_run_that_fails_and_one_that_is_halted_say_so(live: Live, follow: Follow) -> None:
    reader = follow()
    with live.client() as client:
        halted, failed = {"id": new_name()}, {"id": new_name()}
        assert check(client, "shell.run", run=halted)["enforced"] == "halt"
        decided = check(client, "files.read", run=failed)["decision_id"]
        result(client, decided, status="failed", error={"message": "no such file"})
        client.post(f"/v1/runs/{failed['id']}/end", json={"status": "failed"})

    told = reader.until(ended)

    assert [each["type"] for each in told] == [
        *("run_created", "action_created", "run_halted"),
        *("run_created", "action_created", "action_failed", "run_failed"),
    ]
    assert told[1]["decision_id"] == told[2]["decision_id"]


def test_no_content_is_told(live: Live, follow: Follow) -> None:
    """Arguments, requests, context, outputs, errors and reasons stay where they are sealed."""
    reader = follow()
    with live.client() as client:
        run = {"id": new_name()}
        decided = check(
            client,
            "files.read",
            arguments={"path": CANARY},
            run=run,
            request={"user": CANARY, "plan": {"text": CANARY}},
            context=[{"id": "x", "source": CANARY, "text": CANARY}],
        )
        result(client, decided["decision_id"], status="succeeded", output={"text": CANARY})
        event = {"type": "run_ended", "status": "failed", "error": CANARY}
        client.post("/v1/events", json={"run": run, "events": [event]}).raise_for_status()

    told = reader.until(ended)

    assert len(told) == 4
    assert CANARY.encode() not in reader.heard


def test_any_message_is_a_place_to_go_on_from(live: Live, follow: Follow) -> None:
    """S3-29: none lost, none twice, also between two messages of one event."""
    reader = follow()
    with live.client() as client:
        run = {"id": new_name()}
        check(client, "files.read", run=run)
        check(client, "shell.run", run=run)
        client.post(f"/v1/runs/{run['id']}/end", json={"status": "succeeded"})
    told = reader.until(ended)

    for place, each in enumerate(told[:-1]):
        again = follow(after=each["id"]).until(ended)
        assert again == told[place + 1 :]
    assert follow(after=told[-1]["id"], seconds=0).rest() == []


def test_a_browser_goes_on_by_the_id_that_it_remembers(live: Live) -> None:
    """`Last-Event-ID` counts before the address, which stays what it was."""
    first = Sse(live.url, live.keys["full"])
    with first, live.client() as client:
        begun = first.next()["id"]
        check(client, "files.read", run={"id": new_name()})
        told = first.take(2)

    headers = {"last-event-id": told[0]["id"]}
    with Sse(live.url, live.keys["full"], headers=headers, after=begun, seconds=0) as again:
        assert again.rest()[1:] == told[1:]


def test_another_project_hears_nothing_of_ours(live: Live, follow: Follow) -> None:
    """S1: neither a message, nor a place to go on from."""
    ours, theirs = follow("full"), follow("other")
    with live.client() as client, live.client("other") as other:
        mine, yours = {"id": new_name("mine")}, {"id": new_name("yours")}
        reply = check(client, "files.read", run=mine)
        check(other, "files.read", run=yours)
        for each, run in ((client, mine), (other, yours)):
            each.post(f"/v1/runs/{run['id']}/end", json={"status": "succeeded"})

    of_us, of_them = ours.until(ended), theirs.until(ended)

    assert len(of_us) == len(of_them) == 3
    assert {each["run_id"] for each in of_us} == {reply["run_id"]}
    assert not {each["run_id"] for each in of_us} & {each["run_id"] for each in of_them}
    assert reply["run_id"].encode() not in theirs.heard
    with pytest.raises(Refused) as refused:
        follow("other", after=of_us[0]["id"])
    assert (refused.value.status, refused.value.code) == (400, "bad_cursor")


def test_one_run_is_followed_by_its_name(live: Live, follow: Follow) -> None:
    name = new_name()
    reader = follow(run=name)
    with live.client() as client:
        for run in (new_name(), name, new_name(), name):
            check(client, "files.read", run={"id": run})
        wanted = json(client.get(f"/v1/runs/{name}"))["run_id"]

        told = reader.take(3)

    assert [each["type"] for each in told] == ["run_created", "action_created", "action_created"]
    assert {each["run_id"] for each in told} == {wanted}


def test_what_there_is_by_now_ends_by_itself(live: Live, follow: Follow) -> None:
    reader = follow()
    with live.client() as client:
        run = {"id": new_name()}
        check(client, "files.read", run=run)
        begun = reader.take(2)

        there = follow(after=begun[0]["id"], seconds=0).rest()

    assert there == begun[1:]

"""Runs, artifacts and agents found over HTTP, and the compact record of a run."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from gateway.api.endpoints import OPERATIONS
from gateway.api.openapi import document
from tests.api.asking import new_name, problem, result
from tests.api.live import Live, json


@pytest.fixture(scope="module")
def told(live: Live) -> dict[str, str]:
    """A run of which much was told; its names by what they are."""
    names = {what: new_name(what) for what in ("run", "agent", "server", "model", "turn")}
    names["path"] = f"docs/{new_name()}.md"
    run = {"id": names["run"], "agent_id": names["agent"]}
    seen = [
        {
            "type": "model_call",
            "id": names["model"],
            "prompt_version": "v7",
            "messages": [{"role": "user", "content": "Write the Ünusual report."}],
            "answer": "Done.",
            "cost": {"value": 1234, "currency": "eur"},
        },
        {
            "type": "artifact",
            "name": "report",
            "path": names["path"],
            "access": "written",
            "turn_id": names["turn"],
            "action_id": "write-1",
        },
    ]
    with live.client() as client:
        action = {
            "tool": "files.read",
            "arguments": {},
            "id": "write-1",
            "mcp": {"client": "desk", "server": names["server"]},
        }
        asked = {"run": run, "action": action, "events": seen}
        reply = json(client.post("/v1/check-action", json=asked).raise_for_status())
        result(client, reply["decision_id"], status="failed", error={"type": "Full"})
        names["id"] = json(client.get(f"/v1/runs/{names['run']}"))["run_id"]
    return names


@pytest.mark.parametrize(
    "of",
    [
        {"mcp_server": "server"},
        {"model": "model"},
        {"path": "path"},
        {"agent_id": "agent", "side_effect": "=write", "window": "=24h"},
        {"agent_id": "agent", "min_cost": "=1234", "currency": "=eur"},
        {"agent_id": "agent", "attention": "=errors", "prompt_version": "=v7"},
    ],
)
def test_a_run_is_found_by_what_it_did(
    client: httpx2.Client, told: dict[str, str], of: dict[str, str]
) -> None:
    """S3-2 to S3-5, S4-10."""
    asked = {name: value[1:] if value[0] == "=" else told[value] for name, value in of.items()}

    (found,) = json(client.get("/v1/runs", params=asked))["runs"]

    assert (found["run_id"], found["cost"]) == (told["id"], {"EUR": 1234})
    assert found["attention"] == ["errors"]


def test_other_filters_do_not_find_it(client: httpx2.Client, told: dict[str, str]) -> None:
    agent = {"agent_id": told["agent"]}
    others: list[dict[str, Any]] = [
        {"min_cost": 1235, "currency": "EUR"},
        {"min_cost": 1},
        {"approval": "denied"},
    ]
    for more in others:
        assert json(client.get("/v1/runs", params={**agent, **more}))["runs"] == []


def test_who_touched_a_file_and_by_which_call(client: httpx2.Client, told: dict[str, str]) -> None:
    """S4-1: from the file to agent, run, turn and call; and from the turn to the file."""
    (by_path,) = json(client.get("/v1/artifacts", params={"path": told["path"]}))["artifacts"]
    of_turn = {"run_id": told["run"], "turn_id": told["turn"]}

    assert by_path["agent_id"] == told["agent"]
    assert (by_path["run_id"], by_path["action_id"]) == (told["id"], "write-1")
    assert json(client.get("/v1/artifacts", params=of_turn))["artifacts"] == [by_path]


def test_pages_of_artifacts_follow_each_other(client: httpx2.Client) -> None:
    run, path = new_name(), new_name()
    made = [{"type": "artifact", "name": f"{n}", "path": path} for n in range(5)]
    client.post("/v1/events", json={"run": {"id": run}, "events": made}).raise_for_status()
    client.get(f"/v1/runs/{run}")
    seqs: list[int] = []
    following: dict[str, Any] = {}
    while True:
        page = json(client.get("/v1/artifacts", params={"path": path, "limit": 2, **following}))
        seqs += [each["seq"] for each in page["artifacts"]]
        if not page["has_more"]:
            break
        following = {"cursor": page["next_cursor"]}

    assert seqs == [6, 5, 4, 3, 2]
    problem(client.get("/v1/artifacts", params={"path": "other", **following}), 400, "bad_cursor")


def test_agents_complete_themselves(client: httpx2.Client, told: dict[str, str]) -> None:
    found = json(client.get("/v1/agents", params={"prefix": told["agent"][:-2], "limit": 5}))

    assert told["agent"] in [each["agent_id"] for each in found["agents"]]


def test_content_is_searched_and_names_where_it_stands(
    client: httpx2.Client, told: dict[str, str]
) -> None:
    """S3-11: whatever the case, only within the filters, and it says how far it came."""
    asked = {"q": "ünusual REPORT", "within": "content", "agent_id": told["agent"]}

    page = json(client.get("/v1/search", params=asked))
    of_others = json(client.get("/v1/search", params={**asked, "agent_id": "nobody"}))
    in_names = json(client.get("/v1/search", params={**asked, "within": "names"}))

    (hit,) = page["hits"]
    assert hit["run_id"] == told["id"]
    assert hit["places"][0]["pointer"] == "/observation/messages/0/content"
    assert hit["places"][0]["excerpt"] == "Write the Ünusual report."
    assert (page["searched_runs"], page["stopped"], page["next_cursor"]) == (1, None, None)
    assert of_others["hits"] == in_names["hits"] == []


def test_a_search_goes_on_where_it_stopped(client: httpx2.Client) -> None:
    agent = new_name("agent")
    for _ in range(3):
        name = new_name("Needle")
        client.post("/v1/runs", json={"id": name, "agent_id": agent})
        client.get(f"/v1/runs/{name}")
    asked: dict[str, Any] = {"q": "needle", "agent_id": agent, "limit": 2}

    first = json(client.get("/v1/search", params=asked))
    rest = json(client.get("/v1/search", params={**asked, "cursor": first["next_cursor"]}))

    assert (len(first["hits"]), first["stopped"]) == (2, "found")
    assert (len(rest["hits"]), rest["stopped"]) == (1, None)
    problem(client.get("/v1/search"), 400, "bad_parameter")


def test_nothing_is_found_from_another_project(live: Live, told: dict[str, str]) -> None:
    with live.client("other") as other:
        assert json(other.get("/v1/runs", params={"model": told["model"]}))["runs"] == []
        assert json(other.get("/v1/artifacts", params={"path": told["path"]}))["artifacts"] == []
        assert json(other.get("/v1/agents", params={"prefix": told["agent"]}))["agents"] == []
        asked = {"q": "Ünusual", "within": "content"}
        assert json(other.get("/v1/search", params=asked))["hits"] == []
        problem(other.get(f"/v1/runs/{told['id']}/record"), 404, "run_not_found")


def test_the_record_tells_a_run_on_one_page(client: httpx2.Client, told: dict[str, str]) -> None:
    """S4-2, S4-9: compact, by its published schema, with no payload."""
    response = client.get(f"/v1/runs/{told['run']}/record")
    found = json(response)

    (call,) = found["tool_calls"]
    assert (call["id"], call["status"], call["model"]) == ("write-1", "failed", told["model"])
    assert call["mcp"]["server"] == told["server"]
    assert found["artifacts"][0]["call_id"] == "write-1"
    assert found["cost"] == {"EUR": 1234}
    assert "nusual" not in response.text
    whole = document(OPERATIONS)
    schema = {**whole["components"]["schemas"]["RunRecord"], "components": whole["components"]}
    assert list(Draft202012Validator(schema).iter_errors(found)) == []


def test_an_agent_s_own_key_speaks_for_no_other_agent(live: Live) -> None:
    """Hostile: a report under another agent's name counts as the key's own."""
    path = new_name()
    seen = {"type": "artifact", "name": "n", "path": path, "agent_id": "somebody else"}
    with live.client("bound") as bound, live.client() as reading:
        run = new_name()
        bound.post("/v1/events", json={"run": {"id": run}, "events": [seen]}).raise_for_status()
        reading.get(f"/v1/runs/{run}")
        (found,) = json(reading.get("/v1/artifacts", params={"path": path}))["artifacts"]

    assert found["agent_id"] != "somebody else"

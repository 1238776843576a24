"""Who may see what: a matrix made from the OpenAPI document, so that no new address escapes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from gateway.api.endpoints import OPERATIONS
from gateway.api.openapi import EXAMPLES, document
from gateway.domain import api_keys
from tests.api.asking import body, check, new_name, problem
from tests.api.live import Live, json

DOCUMENT = document(OPERATIONS)
SCOPES = {operation.id: operation.scope for operation in OPERATIONS}
NEEDED = {
    operation.id: {each for each in (operation.scope, operation.also) if each}
    for operation in OPERATIONS
}
BODIES: dict[str, Any] = {
    name: example["body"]
    for name, example in msgspec.json.decode(EXAMPLES.read_bytes()).items()
    if "body" in example
}
OPERATION_IDS = [
    operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()
]
STREAMS = {operation.id for operation in OPERATIONS if operation.streams}
KEYED = [name for name in OPERATION_IDS if SCOPES[name] is not None]
NAMING = [
    operation["operationId"]
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
    if "{" in path
]
REFUSED = {
    None: (401, "unauthenticated"),
    "malformed": (401, "unauthenticated"),
    "mistyped": (401, "unauthenticated"),
    "stranger": (401, "unauthenticated"),
    "expired": (401, "key_expired"),
    "revoked": (401, "key_revoked"),
}


@pytest.fixture(scope="module")
def owned(live: Live) -> dict[str, str]:
    """A run, a decision and an approval that belong to the first project."""
    with live.client() as client:
        run = {"id": new_name(), "agent_id": "secret-agent"}
        # One that went well before it, to be compared with.
        good = {**run, "id": new_name()}
        check(client, run=good)
        client.post(f"/v1/runs/{good['id']}/end", json={"status": "succeeded"}).raise_for_status()
        reply = check(client, "stripe.pay", arguments={"amount": 7, "customer": "cus_x"}, run=run)
        assert client.get(f"/v1/approvals/{reply['approval']['id']}").status_code == 200
        return {
            "run_id": reply["run_id"],
            "decision_id": reply["decision_id"],
            "approval_id": reply["approval"]["id"],
        }


@pytest.mark.parametrize("operation_id", KEYED)
@pytest.mark.parametrize("key", REFUSED)
def test_without_a_valid_key_there_is_nothing(
    live: Live, owned: dict[str, str], operation_id: str, key: str | None
) -> None:
    """S1: the same answer whether or not the thing exists."""
    status, code = REFUSED[key]
    for named in (owned, dict.fromkeys(owned, "nothing")):
        problem(_ask(live, operation_id, _key(live, key), named), status, code)


@pytest.mark.parametrize("operation_id", KEYED)
@pytest.mark.parametrize("key", ["check", "read"])
def test_a_key_does_only_what_its_scopes_say(
    live: Live, owned: dict[str, str], operation_id: str, key: str
) -> None:
    """S14: a table of rights, not a matter of each address."""
    response = _ask(live, operation_id, live.keys[key], owned)

    if NEEDED[operation_id] == {key}:
        assert response.status_code in (200, 409)
    else:
        problem(response, 403, "forbidden")


@pytest.mark.parametrize("operation_id", NAMING)
def test_another_project_finds_nothing(
    live: Live, owned: dict[str, str], operation_id: str
) -> None:
    """S1: an id of another project is an id of nothing, and the refusal says no more than that."""
    theirs = _ask(live, operation_id, live.keys["other"], owned)
    absent = {name: own[:-4] + "0000" for name, own in owned.items()}
    nothing = _ask(live, operation_id, live.keys["other"], absent)

    assert theirs.status_code == nothing.status_code == 404
    told, of_nothing = json(theirs), json(nothing)
    del told["request_id"], of_nothing["request_id"]
    assert told == of_nothing


@pytest.mark.parametrize("operation_id", [name for name in KEYED if name not in NAMING])
def test_what_another_project_is_told_holds_nothing_of_ours(
    live: Live, owned: dict[str, str], operation_id: str
) -> None:
    """S1: lists and replies of one project are free of the others' ids and names."""
    response = _ask(live, operation_id, live.keys["other"], owned)

    # Nothing is signed here, and a run that is named is none of theirs.
    assert response.status_code in (200, 404, 409)
    for secret in (*owned.values(), "secret-agent"):
        assert secret not in response.text


def test_the_same_run_id_in_another_project_is_another_run(
    live: Live, owned: dict[str, str]
) -> None:
    """S1: whoever knows a run's id can neither write into it nor read it."""
    run_id = owned["run_id"]
    with live.client("other") as other, live.client() as client:
        before = json(client.get(f"/v1/runs/{run_id}"))
        assert check(other, "shell.run", run={"id": run_id})["enforced"] == "halt"
        other.post("/v1/events", json={"run": {"id": run_id}, "events": [{"type": "turn_started"}]})

        theirs = json(other.get(f"/v1/runs/{run_id}/frames"))
        assert json(client.get(f"/v1/runs/{run_id}")) == before
        assert check(client, run={"id": run_id})["enforced"] == "allow"

    assert "cus_x" not in str(theirs)


def test_the_same_name_in_another_environment_is_another_run(live: Live) -> None:
    name = new_name()
    with live.client() as production, live.client("staging") as staging:
        runs = {check(each, run={"id": name})["run_id"] for each in (production, staging)}

    assert len(runs) == 2


def test_a_key_that_is_bound_to_an_agent_speaks_for_no_other(live: Live) -> None:
    """The agent of a bound key comes from the key, whatever the request says."""
    run = new_name()
    with live.client("bound") as client:
        response = client.post(
            "/v1/check-action", json=body(run={"id": run, "agent_id": "somebody-else"})
        )
        if response.status_code == 200:
            assert json(client.get(f"/v1/runs/{run}"))["agent_id"] == "support-bot"
        else:
            problem(response, 403, "forbidden")


def test_addresses_without_a_key_tell_nothing_of_a_project(
    live: Live, owned: dict[str, str]
) -> None:
    open_to_all = [name for name in OPERATION_IDS if SCOPES[name] is None]

    assert sorted(open_to_all) == ["getOpenApi", "livez", "readyz"]
    for name in open_to_all:
        told = _ask(live, name, None, owned).text
        assert not any(secret in told for secret in owned.values())


def _key(live: Live, name: str | None) -> str | None:
    if name == "malformed":
        return "cr_production_x_y_z"
    if name == "mistyped":
        return live.keys["full"][:-1] + ("a" if live.keys["full"][-1] != "a" else "b")
    if name == "stranger":
        return api_keys.make("production")[0]
    return None if name is None else live.keys[name]


def _ask(live: Live, operation_id: str, key: str | None, named: dict[str, str]) -> httpx2.Response:
    path, method = next(_places(operation_id))
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    # A stream is asked for what there is by now; without that it would not end.
    query: dict[str, Any] = {"seconds": 0} if operation_id in STREAMS else {}
    query |= _must_be_given(path, method)
    with httpx2.Client(base_url=live.url, headers=headers) as client:
        address = path.format(**{"seq": "1", **named})
        body_sent = BODIES.get(operation_id)
        return client.request(method, address, params=query, json=body_sent)


def _must_be_given(path: str, method: str) -> dict[str, str]:
    """Parameters that an address does not answer without: a name that is ours alone."""
    described = DOCUMENT["paths"][path][method.lower()].get("parameters", ())
    needed = [each for each in described if each["in"] == "query" and each["required"]]
    return {each["name"]: "secret-agen" for each in needed}


def _places(operation_id: str) -> Iterator[tuple[str, str]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if operation["operationId"] == operation_id:
                yield path, method.upper()

"""`POST /v1/check-action`: the reply, and every way of refusing one."""

from __future__ import annotations

import socket
from typing import Any

import httpx2
import pytest

from gateway.domain.reply import CheckReply
from tests.api.asking import body, check, new_name, problem
from tests.api.live import Live, json

PATH = "/v1/check-action"
KIB = 1024


def test_a_reply_has_every_field_of_the_contract(client: httpx2.Client) -> None:
    """S1-16: the reply names the decision, what to obey, why, under which policy, how durable."""
    reply = check(client, run={"id": new_name()}, id="act-1")

    assert set(reply) == set(CheckReply.__struct_fields__)
    assert reply["action_id"] == "act-1"
    assert reply["decision_id"].startswith("dec_")
    assert reply["run_id"].startswith("run_")
    assert (reply["verdict"], reply["enforced"], reply["mode"]) == ("allow", "allow", "block")
    assert reply["durability"] == "fsync"
    assert reply["elapsed_ms"] > 0
    assert len(reply["policy"]["digest"]) == 64


@pytest.mark.parametrize(
    ("tool", "enforced"),
    [
        ("files.read", "allow"),
        ("iam.grant", "warn"),
        ("stripe.refund", "require_approval"),
        ("files.delete", "block"),
        ("shell.run", "halt"),
    ],
)
def test_a_denial_is_an_answer(client: httpx2.Client, tool: str, enforced: str) -> None:
    """Whatever is decided is told with 200: an error means that nothing was decided."""
    assert check(client, tool, arguments={"amount": 100})["enforced"] == enforced


def test_an_approval_says_where_and_until_when(client: httpx2.Client, live: Live) -> None:
    reply = check(client, "stripe.refund", arguments={"amount": 100})

    assert reply["approval"]["id"].startswith("apr_")
    assert reply["approval"]["url"] == f"{live.url}/v1/approvals/{reply['approval']['id']}"
    assert reply["approval"]["expires_at"].endswith("Z")


def test_the_environment_of_the_key_counts(live: Live) -> None:
    with live.client("staging") as client:
        assert check(client, "files.delete")["mode"] == "warn"


def test_the_same_attempt_gets_the_same_decision(client: httpx2.Client) -> None:
    """D7: a repeated request is answered with the decision that was recorded."""
    call: dict[str, Any] = {"run": {"id": new_name()}, "id": "act-1", "attempt": "one"}

    assert check(client, **call)["decision_id"] == check(client, **call)["decision_id"]


def test_an_id_that_stands_for_another_call_is_a_conflict(client: httpx2.Client) -> None:
    run = {"id": new_name()}
    check(client, run=run, id="act-1", arguments={"path": "a"})

    again = client.post(PATH, json=body(run=run, id="act-1", arguments={"path": "b"}))

    assert problem(again, 409, "action_id_conflict")["errors"][0]["pointer"] == "/action/id"


def test_a_run_of_another_environment_is_a_conflict(live: Live) -> None:
    with live.client("full") as production, live.client("staging") as staging:
        run_id = check(production, run={"id": new_name()})["run_id"]

        response = staging.post(PATH, json=body(run={"id": run_id}))

    problem(response, 409, "run_environment_mismatch")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_only_post_is_answered(client: httpx2.Client, method: str) -> None:
    response = client.request(method, PATH)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("sent", "code", "pointer"),
    [
        (b"", "empty_body", ""),
        (b"\xff", "not_utf8", ""),
        (b'{"action": {"tool": "a"}', "not_json", ""),
        (b"[" * 99 + b"]" * 99, "too_deep", None),
        (b'{"action": {"tool": "a", "arguments": {"a": [' + b"0," * 21_000 + b"0]}}}",
         "too_many_nodes", ""),
        (b'{"action": {"tool": "a", "arguments": {"a": [' + b"1e9," * 30 + b"0]}}}",
         "too_many_exponents", ""),
        (b'{"action": {"tool": "a", "arguments": {"a": 9007199254740992}}}',
         "number_out_of_range", "/action/arguments/a"),
        (b'{"action": {"tool": "a", "arguments": {"' + b"k" * 600 + b'": 1}}}',
         "key_too_long", "/action/arguments"),
        (b'{"action": {"tool": "a", "tool": "b"}}', "duplicate_key", "/action/tool"),
        (b'{"action": {"tool": 1}}', "wrong_type", "/action/tool"),
        (b'{"action": {}}', "missing_field", "/action/tool"),
        (b'{"action": {"tool": "a"}, "fun": 1}', "unknown_field", "/fun"),
        (b'{"action": {"tool": ""}}', "value_out_of_range", "/action/tool"),
        (b'{"action": {"tool": " a"}}', "bad_name", "/action/tool"),
    ],
)  # fmt: skip
def test_a_body_is_refused_with_its_code_and_place(
    client: httpx2.Client, sent: bytes, code: str, pointer: str | None
) -> None:
    """S9: each refusal says what is wrong and where."""
    response = client.post(PATH, content=sent, headers={"content-type": "application/json"})

    errors = problem(response, 400, code)["errors"]
    assert pointer is None or errors[0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unsupported_media_type"),
        ({"content-type": "text/plain"}, "unsupported_media_type"),
        ({"content-type": "application/json; charset=latin-1"}, "unsupported_media_type"),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            "unsupported_content_encoding",
        ),
    ],
)
def test_only_plain_json_is_read(client: httpx2.Client, headers: dict[str, str], code: str) -> None:
    problem(client.post(PATH, content=b'{"action":{"tool":"a"}}', headers=headers), 415, code)


def test_a_body_over_the_limit_is_refused_by_its_header(client: httpx2.Client) -> None:
    """D5: nothing of a body is read whose header promises too much."""
    large = b'{"action": {"tool": "' + b"a" * 256 * KIB + b'"}}'

    response = client.post(PATH, content=large, headers={"content-type": "application/json"})

    problem(response, 413, "body_too_large")


def test_a_body_without_a_length_is_cut_while_it_is_read(client: httpx2.Client) -> None:
    """D5: a sender without end is not heard out."""

    def endless() -> Any:
        yield b'{"action": {"tool": "'
        for _ in range(300):
            yield b"a" * KIB

    response = client.post(PATH, content=endless(), headers={"content-type": "application/json"})

    problem(response, 413, "body_too_large")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "unauthenticated"),
        ("", "unauthenticated"),
        ("Bearer", "unauthenticated"),
        ("Bearer x", "unauthenticated"),
        ("Basic YTpi", "unauthenticated"),
        ("Bearer " + "a" * 5000, "unauthenticated"),
        ("Bearer \u00e4".encode("latin-1"), "unauthenticated"),
        ("key:expired", "key_expired"),
        ("key:revoked", "key_revoked"),
    ],
)
def test_a_key_is_needed(live: Live, authorization: str | bytes | None, code: str) -> None:
    if isinstance(authorization, str) and authorization.startswith("key:"):
        authorization = f"Bearer {live.keys[authorization[4:]]}"
    headers: Any = {} if authorization is None else {"authorization": authorization}
    with live.client(None) as client:
        response = client.post(PATH, json=body(), headers=headers)

    problem(response, 401, code)
    assert response.headers["www-authenticate"] == "Bearer"


def test_two_keys_in_one_request_are_none(live: Live) -> None:
    key = f"Bearer {live.keys['full']}"
    with live.client(None) as client:
        response = client.post(
            PATH, json=body(), headers=[("authorization", key), ("authorization", key)]
        )

    problem(response, 401, "unauthenticated")


def test_a_key_that_may_only_read_checks_nothing(live: Live) -> None:
    with live.client("read") as client:
        problem(client.post(PATH, json=body()), 403, "forbidden")


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_the_callers_request_id_comes_back(client: httpx2.Client, given: str) -> None:
    response = client.post(PATH, json=body(), headers={"x-request-id": given})

    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\u00e9", "a;b", '"', "a{b}"])
def test_a_request_id_that_is_not_fit_for_a_log_is_replaced(
    client: httpx2.Client, given: str
) -> None:
    headers: Any = {"x-request-id": given.encode("latin-1")}
    response = client.post(PATH, json=body(), headers=headers)

    assert response.status_code == 200
    assert response.headers["x-request-id"].startswith("req_")


def test_a_decision_stays_recorded_when_its_caller_goes_away(live: Live) -> None:
    """Nobody waits for the answer any more, and it happened all the same."""
    run = new_name()
    sent = httpx2.Request("POST", live.url + PATH, json=body(run={"id": run})).content
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {live.keys['full']}\r\ncontent-length: {len(sent)}\r\n\r\n"
            .encode() + sent
        )  # fmt: skip

    with live.client() as client:
        types = _types_of(client, run)
        while "decision" not in types:
            types = _types_of(client, run)

    assert types == ["run_started", "decision"]


def _types_of(client: httpx2.Client, run: str) -> list[str]:
    response = client.get(f"/v1/runs/{run}/frames")
    if response.status_code == 404:
        return []
    return [frame["type"] for frame in json(response)["frames"]]

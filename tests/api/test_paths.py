"""Addresses that nobody should ask for, and what they get."""

from __future__ import annotations

import socket

import httpx2
import pytest

from tests.api.asking import new_name, problem
from tests.api.live import Live

HOSTILE = [
    "/", "/v1", "/v1/", "/v2/runs", "/v1/runs/a/b", "/v1/check-action/", "/v1/check-action/x",
    "/v1/Check-Action", "/v1/check%2Daction/", "/v1/..%2f..%2fetc%2fpasswd", "/schema", "/docs",
    "/v1/openapi.json/x", "/%00", "/v1/policies/%2e%2e", "//v1", "/v1/policies", "/" + "a" * 3000,
    "/" + "a" * 30_000, "/v1/runs/x/frames/y", "/%ff%fe", "/v1/decisions",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_an_address_that_is_none_is_not_found(live: Live, path: str) -> None:
    """Asked raw, since a client would tidy the address first."""
    status, head = _ask(live, f"GET {path} HTTP/1.1")

    assert status == 404 or (path.startswith("/v1/check-action") and status == 405)
    assert b"x-request-id" in head
    assert b"application/problem+json" in head


@pytest.mark.parametrize(
    "run", ["%ff", "%c3%28", "%ed%a0%80", "a" * 257, "%F0%9F%92%A3" * 257, "%00" * 300]
)
def test_a_name_that_is_none_is_refused(client: httpx2.Client, run: str) -> None:
    for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/frames"):
        problem(client.get(path), 400, "bad_parameter")


@pytest.mark.parametrize(
    "run",
    ["%00", "%20", "%2F", "%2e%2e%2f", "'%20OR%201=1--", "%F0%9F%92%A3", "%25s", "a" * 256, "%zz"],
)
def test_an_odd_name_is_only_a_name(client: httpx2.Client, run: str) -> None:
    problem(client.get(f"/v1/runs/{run}"), 404, "run_not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/runs", {"GET", "POST"}),
        ("/v1/events", {"POST"}),
        ("/v1/runs/x/frames", {"GET"}),
        ("/livez", {"GET"}),
    ],
)
def test_a_method_that_is_none_is_told_the_ones_there_are(
    client: httpx2.Client, path: str, allowed: set[str]
) -> None:
    response = client.request("DELETE", path)

    document = problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed == set(document["allow"])


@pytest.mark.parametrize("host", ["", "a b", "a/b", "x" * 300, "a,b", "[::1", "\u00e4"])
def test_an_odd_host_is_no_matter_for_the_inside(live: Live, host: str) -> None:
    status, _ = _ask(live, "GET /livez HTTP/1.1", f"host: {host}")

    assert status in (200, 400)


def test_a_run_is_found_by_its_id_and_by_its_name(client: httpx2.Client) -> None:
    name = new_name()
    run_id = client.post("/v1/runs", json={"id": name}).json()["run_id"]

    by_name, by_id = (client.get(f"/v1/runs/{each}").json() for each in (name, run_id))

    assert by_name == by_id


def _ask(live: Live, line: str, host: str = "host: x") -> tuple[int, bytes]:
    """Status and head of the answer to a request line, sent as it is."""
    address, port = live.url.removeprefix("http://").split(":")
    authorization = f"authorization: Bearer {live.keys['full']}"
    with socket.create_connection((address, int(port)), timeout=10) as connection:
        text = "\r\n".join([line, host, authorization, "connection: close", "", ""])
        connection.sendall(text.encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head = received.partition(b"\r\n\r\n")[0]
    return int(head.split(b" ", 2)[1]), head

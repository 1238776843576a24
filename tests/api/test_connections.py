"""Connections of people without a key: bounded in number, in what they say, and in time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from gateway.api.http_protocol import BoundedHttp
from tests.api.asking import check
from tests.api.live import Live, live_gateway


class _Small(BoundedHttp):
    """The bounds of production, smaller."""

    connections_max = 4
    head_seconds = 0.3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("small"), http=_Small) as live:
        yield live


@pytest.mark.parametrize(
    "endless",
    [b"x-a: " + b"a" * 60_000, b"x-" + b"a" * 1000 + b": a\r\n", b"x: y\r\n"],
    ids=["one long value", "long names", "many headers"],
)
def test_a_head_without_end_is_cut(live: Live, endless: bytes) -> None:
    """D5: what a header may hold is bounded before anybody asks who sends it."""
    with _connected(live) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        sent = _until_refused(connection, endless, at_most=20_000_000)

    assert sent < 10_000_000


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nx-slow: ", b"\r\n"])
def test_whoever_does_not_finish_a_head_is_let_go(small: Live, said: bytes) -> None:
    """S18: a connection that says nothing costs its place for a moment only."""
    with _connected(small) as connection:
        connection.sendall(said)

        assert _until_closed(connection) == b""


def test_a_second_head_has_the_same_time(small: Live) -> None:
    with _connected(small) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /livez HTTP/1.1\r\nx: ")

        assert _until_closed(connection).count(b"HTTP/1.1 200") == 1


def test_an_idle_connection_may_be_used_again(small: Live) -> None:
    """The bound is on heads that were begun, not on the pause between two requests."""
    connection = HTTPConnection(small.url.removeprefix("http://"), timeout=10)
    for _ in range(2):
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"alive":true}'
        # The same connection, or none: this client does not connect again.
        time.sleep(2 * _Small.head_seconds)
    connection.close()


def test_connections_beyond_the_bound_are_sent_away(small: Live) -> None:
    with small.client() as client:
        check(client)
        held = [_connected(small) for _ in range(8)]
        answers = [_until_closed(connection) for connection in held]
        for connection in held:
            connection.close()

        assert check(client)["enforced"] == "allow"

    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503")]
    assert len(refused) >= 5
    assert all(b"retry-after: 1" in answer for answer in refused)


def _connected(live: Live) -> socket.socket:
    host, port = live.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _until_refused(connection: socket.socket, said: bytes, at_most: int) -> int:
    """How many bytes could be sent before the other side hung up."""
    sent = 0
    while sent < at_most:
        try:
            connection.sendall(said)
        except ConnectionError:
            break
        sent += len(said)
    return sent


def _until_closed(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received

"""Clients that want to fill a gateway's memory: slow, endless, greedy, or deaf.

Each takes the gateway's port and a key, and an event that is set when it should give up. What they
are told is their own affair; that others go on being answered, and that memory stays bounded, is
what the tests look at.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.reliability.wire import Reply, Wire

SLOW = 100
DEAF = 40
FLOOD_BYTES = 32 << 20
CHECK = "POST /v1/check-action HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def slow_bodies(port: int, key: str, ended: threading.Event) -> None:
    """Whole heads, and then a byte now and then; nobody of them ever finishes."""
    head = f"{CHECK}authorization: Bearer {key}\r\ncontent-length: 5000\r\n\r\n".encode()
    _trickle(port, head + b"{", ended)


def slow_heads(port: int, key: str, ended: threading.Event) -> None:
    """Heads that go on and on, a byte now and then."""
    _trickle(port, CHECK.encode() + b"x-slow: ", ended)


def deaf_readers(port: int, key: str, ended: threading.Event) -> None:
    """Ask for pages of a large run, and never read the answers."""
    head = Wire(port, key).head("GET", "/v1/runs/large/frames?limit=200", 0)
    with _connections(port, DEAF) as connections:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(head)
        ended.wait(60)


def floods(port: int, key: str, ended: threading.Event) -> None:
    """Heads, addresses, trailers, bodies and rows of requests without an end."""
    own = f"authorization: Bearer {key}\r\n"
    chunked = "transfer-encoding: chunked\r\n\r\n"
    header = b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 2000
    noise = b"a" * 65536
    every = [
        (b"GET /livez HTTP/1.1\r\nx-a: ", noise),
        (b"GET /livez HTTP/1.1\r\n", header),
        (b"GET /", noise),
        (f"{CHECK}{chunked}0\r\n".encode(), header),
        (f"{CHECK}{own}{chunked}0\r\n".encode(), header),
        (f"{CHECK}{own}{chunked}".encode(), b"10000\r\n" + noise + b"\r\n"),
        (f"{CHECK}{own}content-length: {1 << 20}\r\n\r\n".encode(), noise),
        (b"", b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n" * 2000),
    ]
    while not ended.is_set():
        for first, then in every:
            _flood(port, first, then, ended)


def _flood(port: int, first: bytes, then: bytes, ended: threading.Event) -> None:
    sent = 0
    with _connections(port, 1) as connections, contextlib.suppress(OSError):
        connections[0].sendall(first)
        while sent < FLOOD_BYTES and not ended.is_set():
            connections[0].sendall(then)
            sent += len(then)


def _trickle(port: int, first: bytes, ended: threading.Event) -> None:
    with _connections(port, SLOW) as connections:
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(first)
        while not ended.wait(0.25):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(b" ")


@contextmanager
def _connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):
                made.append(socket.create_connection(("127.0.0.1", port), timeout=2))
        yield made
    finally:
        for connection in made:
            connection.close()


def large_checks(port: int, key: str, ended: threading.Event) -> None:
    """Bodies as large as they may be, of texts and of very many values, under ids that are kept."""
    wire = Wire(port, key)
    number = 0
    while not ended.is_set():
        number += 1
        for arguments in ({"text": os.urandom(60_000).hex()}, {"values": list(range(19_000))}):
            reply = wire.check(
                run={"id": f"large checks {number // 5}"},
                action={
                    "id": os.urandom(8).hex(),
                    "tool": "email.send",
                    "arguments": {"to": "a@example.com", "bcc": ["b@else.net"], **arguments},
                },
                context=[{"id": f"c{number}", "text": os.urandom(20_000).hex()}],
            )
            assert reply.status == 200 or is_overloaded(reply), reply
    wire.close()


def is_overloaded(reply: Reply) -> bool:
    """A refusal that says so, and when to come back."""
    return (
        reply.status == 503
        and reply.json["code"] == "overloaded"
        and int(reply.headers["retry-after"]) > 0
    )

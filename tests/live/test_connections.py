"""Followers that do not read, and frames that are none: nobody else notices, memory is kept."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Iterator

import pytest
from wsproto.frame_protocol import FrameProtocol, Opcode

from gateway.api.http_protocol import BoundedHttp
from gateway.api.socket_protocol import BoundedSocket
from gateway.live.tail import KEPT_ITEMS
from tests.api.asking import check, new_name
from tests.api.live import Live, live_gateway
from tests.live.followers import followers, until_nobody_follows
from tests.live.reading import TRANSPORTS, Reader, Socket, Sse, handshake
from tests.reliability.process import until

TRANSPORT = pytest.mark.parametrize("connect", TRANSPORTS.values(), ids=TRANSPORTS)
# What asyncio buffers before it makes a writer wait, and one batch on top.
MARK_BYTES = 64 * 1024
BUFFER_BYTES = MARK_BYTES + 64 * 1024
SMALL = 4096


class _Small(BoundedHttp):
    """A socket that the kernel buffers little for, so that a slow reader is felt at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        super().connection_made(transport)


class _Hasty(BoundedSocket):
    """One who does not read is noticed sooner, and has longer to read why."""

    unread_seconds = 0.3
    last_seconds = 60.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("slow"), http=_Small) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("hasty")
    with live_gateway(folder, http=_Small, sockets=_Hasty) as running:
        yield running


def buffered() -> int:
    """The most that any connection of the gateways in this process holds back."""
    return max((each.get_write_buffer_size() for each in _transports()), default=0)


def _transports() -> list[asyncio.Transport]:
    held = [each for each in gc.get_objects() if isinstance(each, BoundedHttp | BoundedSocket)]
    found: list[asyncio.Transport | None] = [each.transport for each in held]
    return [each for each in found if each is not None]


def fill(live: Live, count: int) -> tuple[str, list[int]]:
    """So many messages about a run, all of whose requests were answered: the run and the seqs."""
    run = {"id": new_name()}
    with live.client() as client:
        begun = client.post("/v1/runs", json=run).raise_for_status().json()
        for start in range(0, count - 1, 50):
            ends = [{"type": "run_ended", "status": "paused"}] * min(50, count - 1 - start)
            client.post("/v1/events", json={"run": run, "events": ends}).raise_for_status()
    return str(begun["run_id"]), list(range(1, count + 1))


@TRANSPORT
def test_who_does_not_read_slows_nobody_and_misses_nothing(
    live: Live, connect: type[Sse | Socket]
) -> None:
    """More is told than tail and buffers hold; checks are answered, memory stays, and then the
    reader goes on where it was, out of the ledger."""
    count = 2 * KEPT_ITEMS
    with (
        connect(live.url, live.keys["full"], receive_buffer=SMALL) as slow,
        Sse(live.url, live.keys["full"]) as quick,
    ):
        slow.next()
        quick.next()
        run, begun = fill(live, count)

        quick.take(count)
        until(lambda: buffered() > 0, 30, "the gateway has more than the reader takes")
        assert buffered() <= BUFFER_BYTES
        with live.client() as client:
            assert check(client, "files.read")["enforced"] == "allow"
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        told = slow.take(count + 2)

    assert [each["seq"] for each in told if each["run_id"] == run] == begun
    assert len({each["id"] for each in told}) == count + 2


def test_a_socket_that_is_not_read_is_closed_with_a_reason(hasty: Live) -> None:
    """And goes on behind the last message that it has."""
    with Socket(hasty.url, hasty.keys["full"], receive_buffer=SMALL) as slow:
        slow.next()
        _, begun = fill(hasty, 1000)
        until(lambda: buffered() > MARK_BYTES, 30, "the gateway waits for the reader")
        time.sleep(3 * _Hasty.unread_seconds)
        told = [each["seq"] for each in slow.rest()]

    assert slow.ended.code == 1008
    assert "resume" in str(slow.ended.reason)
    assert 0 < len(told) < len(begun)
    with Socket(hasty.url, hasty.keys["full"], after=slow.id, seconds=0) as again:
        assert told + [each["seq"] for each in again.rest()[1:]] == begun
    until_nobody_follows(hasty)


def _frame(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    client = FrameProtocol(client=True, extensions=[])
    return bytes(client._serialize_frame(opcode, payload, fin))


HOSTILE = {
    "text": _frame(Opcode.TEXT, b"hello"),
    "binary": _frame(Opcode.BINARY, bytes(100)),
    "the beginning of a text": _frame(Opcode.TEXT, b"x", fin=False),
    "a continuation of nothing": _frame(Opcode.CONTINUATION, b"x"),
    "no mask": bytes([0x81, 5]) + b"hello",
    "a frame of 2**62 bytes": bytes([0x82, 0xFF]) + (2**62).to_bytes(8, "big") + bytes(4) + b"x",
    "a length that is negative": bytes([0x82, 0xFF]) + (2**63).to_bytes(8, "big") + bytes(4),
    "a ping that is too long": bytes([0x89, 0xFE, 0, 200]) + bytes(4) + bytes(200),
    "a ping in pieces": bytes([0x09, 0x80]) + bytes(4),
    "a reserved opcode": bytes([0x83, 0x80]) + bytes(4),
    "reserved bits": bytes([0xF1, 0x80]) + bytes(4),
    "a close of one byte": _frame(Opcode.CLOSE, b"x"),
    "a close that is not UTF-8": _frame(Opcode.CLOSE, b"\x03\xe8\xff\xfe"),
    "a close with a code that is none": _frame(Opcode.CLOSE, (0).to_bytes(2, "big")),
    "http": b"GET /v1/runs HTTP/1.1\r\nhost: x\r\n\r\n",
    "noise": bytes(range(255, 0, -1)) * 300,
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("ahead", [False, True], ids=["after", "with the handshake"])
def test_what_is_no_frame_ends_its_own_connection(live: Live, sent: bytes, ahead: bool) -> None:
    with Reader(live.url) as hostile:
        handshake(hostile.socket, hostile.host, live.keys["full"])
        if not ahead:
            while b"ready" not in hostile.heard:
                assert hostile.receive()
        hostile.socket.sendall(sent)
        if ahead:
            # What comes before the answer is not looked at; the connection is a good one.
            while b"ready" not in hostile.heard and hostile.receive():
                pass
        else:
            _until_closed(hostile)
        with live.client() as client:
            assert check(client, "files.read", run={"id": new_name()})["enforced"] == "allow"

    until_nobody_follows(live)


def test_pings_are_answered_only_while_answers_are_read(live: Live) -> None:
    """A flood of them from one who does not read would else fill the memory."""
    flood = _frame(Opcode.PING, bytes(100)) * 2000
    with Reader(live.url, receive_buffer=SMALL) as hostile:
        handshake(hostile.socket, hostile.host, live.keys["full"])
        while b"ready" not in hostile.heard:
            assert hostile.receive()
        hostile.socket.settimeout(5)
        for _ in range(20):
            hostile.socket.sendall(flood)
        with live.client() as client:
            check(client, "files.read")

        # Up to a read of the server's is answered beyond the mark.
        assert buffered() <= BUFFER_BYTES + 256 * 1024

    until_nobody_follows(live)


def test_a_ping_is_answered(live: Live) -> None:
    with Reader(live.url) as reader:
        handshake(reader.socket, reader.host, live.keys["full"])
        while b"ready" not in reader.heard:
            assert reader.receive()
        reader.socket.sendall(_frame(Opcode.PING, b"are you there"))

        while b"are you there" not in reader.heard:
            assert reader.receive()


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/check-action", "/v1/live/", "/livez", "/"])
def test_a_socket_begins_nowhere_else(live: Live, path: str) -> None:
    """Elsewhere the wish is passed over, as a server may."""
    with Reader(live.url) as reader:
        lines = [
            *(f"GET {path} HTTP/1.1", f"host: {reader.host}", "upgrade: websocket"),
            *("connection: Upgrade", "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="),
            *("sec-websocket-version: 13", f"authorization: Bearer {live.keys['full']}", "", ""),
        ]
        reader.socket.sendall("\r\n".join(lines).encode())
        reader.receive()

    assert reader.heard.startswith(b"HTTP/1.1 ")
    assert not reader.heard.startswith(b"HTTP/1.1 101")


def test_a_handshake_behind_an_answer_that_is_owed_is_refused(live: Live) -> None:
    """Two answers would else be written into each other."""
    with Reader(live.url) as hostile:
        first = f"GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {live.keys['full']}"
        hostile.socket.sendall(f"{first}\r\n\r\n".encode())
        handshake(hostile.socket, hostile.host, live.keys["full"])
        _until_closed(hostile)

    assert b"HTTP/1.1 101" not in hostile.heard
    until_nobody_follows(live)


def test_who_left_is_counted(hasty: Live) -> None:
    until_nobody_follows(hasty)
    ended = hasty.metrics.live_ended
    before = ended.labels("left")._value.get()
    with Sse(hasty.url, hasty.keys["full"]) as reader:
        reader.next()
        until(lambda: followers(hasty) == 1, 30, "it is counted")
    until_nobody_follows(hasty)

    assert ended.labels("left")._value.get() == before + 1


def _until_closed(reader: Reader) -> None:
    try:
        while reader.receive():
            pass
    except ConnectionResetError:
        pass

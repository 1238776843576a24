"""S9 and D5: what a request may cost before its body is whole."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from gateway.api.problems import render
from gateway.checking.body import ClientDisconnected, Receive, check_headers, read_body
from gateway.errors import BadRequest, Problem, TooLarge, UnsupportedMediaType

JSON = (b"content-type", b"application/json")


def messages(*chunks: bytes, ended: bool = True) -> tuple[Receive, list[bytes]]:
    """An ASGI receive that hands out these chunks, and the list of those not yet asked for."""
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting) or not ended}

    return receive, waiting


async def test_a_body_is_read_whole_in_any_number_of_pieces():
    for pieces in ([b"abc"], [b"a", b"", b"bc"], [b"", b"abc"], [b"a", b"b", b"c", b""]):
        receive, _ = messages(*pieces)

        assert await read_body(receive, limit=3) == b"abc"


async def test_an_empty_body_is_read_as_nothing():
    receive, _ = messages(b"")

    assert await read_body(receive) == b""


async def test_reading_stops_at_the_first_piece_past_the_limit():
    receive, waiting = messages(b"ab", b"cd", b"ef", b"gh")

    with pytest.raises(TooLarge) as caught:
        await read_body(receive, limit=3)

    assert caught.value.code == "body_too_large"
    assert waiting == [b"ef", b"gh"]


async def test_one_large_piece_is_refused_as_well():
    receive, _ = messages(b"abcd")

    with pytest.raises(TooLarge):
        await read_body(receive, limit=3)


async def test_a_caller_who_goes_away_gets_no_answer():
    """It is no Problem: nobody is there to read one."""
    receive, _ = messages(b"ab", ended=False)

    with pytest.raises(ClientDisconnected) as caught:
        await read_body(receive)

    assert not isinstance(caught.value, Problem)


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/json;charset=UTF-8",
        b'Application/JSON ; charset="utf-8"',
    ],
)
def test_json_in_utf_8_is_accepted(content_type: bytes):
    check_headers([(b"content-type", content_type), (b"content-length", b"262144")])


@pytest.mark.parametrize(
    ("headers", "refusal", "code"),
    [
        ([], UnsupportedMediaType, "unsupported_media_type"),
        ([JSON, JSON], UnsupportedMediaType, "unsupported_media_type"),
        ([(b"content-type", b"text/plain")], UnsupportedMediaType, "unsupported_media_type"),
        ([(b"content-type", b"application/jsonx")], UnsupportedMediaType, "unsupported_media_type"),
        (
            [(b"content-type", b"application/json; charset=utf-16")],
            UnsupportedMediaType,
            "unsupported_media_type",
        ),
        (
            [JSON, (b"content-encoding", b"gzip")],
            UnsupportedMediaType,
            "unsupported_content_encoding",
        ),
        ([JSON, (b"content-length", b"262145")], TooLarge, "body_too_large"),
        ([JSON, (b"content-length", b"9" * 5000)], TooLarge, "body_too_large"),
        ([JSON, (b"content-length", b"-1")], BadRequest, "bad_header"),
    ],
)
def test_headers_alone_refuse_what_cannot_be_read(
    headers: list[tuple[bytes, bytes]], refusal: type[Problem], code: str
):
    """S10: a compressed body is not unpacked, so there is no bomb."""
    with pytest.raises(refusal) as caught:
        check_headers(headers)

    assert caught.value.code == code


def test_an_identity_encoding_and_leading_zeros_change_nothing():
    check_headers([JSON, (b"content-encoding", b"identity"), (b"content-length", b"0" * 30 + b"7")])


async def application(scope: Any, receive: Any, send: Any) -> None:
    """As a route uses the gate: headers, then the body, and a problem for what is refused."""
    try:
        check_headers(scope["headers"])
        body = await read_body(receive)
        status, headers, answer = 200, [JSON], b"%d" % len(body)
    except Problem as problem:
        status, headers, answer = render(problem, "req_1")
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The port of a real server. It listens before the server starts, so nobody has to wait."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def test_a_sender_without_end_is_answered_in_the_middle():
    """D5: over HTTP, 413 comes although the body never ends."""
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 5)
        answer = await reader.readuntil(b"}")
        writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer

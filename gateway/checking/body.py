"""A request's headers and body, before a byte of the body is looked at.

The body is cut while it is read: memory is bounded by the limit, not by what the sender goes on
sending. How long a slow sender may take is the server's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from gateway.checking.limits import LIMITS
from gateway.errors import BadRequest, CheckreinError, TooLarge, UnsupportedMediaType

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientDisconnected(CheckreinError):
    """The caller went away before the whole body came; nobody waits for an answer."""


def check_headers(headers: Iterable[tuple[bytes, bytes]], limit: int = LIMITS.body_bytes) -> None:
    """Refuse by its headers what could not be read anyway: 413, 415, or 400 for a bad length.

    `headers` are ASGI's: names in lower case. JSON it must be, and as it is: a compressed body is
    refused, since its size is not known before it is unpacked.
    """
    media_types = 0
    for name, value in headers:
        if name == b"content-type":
            media_types += 1
            _check_media_type(value)
        elif name == b"content-length":
            _check_length(value, limit)
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            detail = "Send the body without content encoding."
            raise UnsupportedMediaType("unsupported_content_encoding", detail)
    if media_types != 1:
        raise UnsupportedMediaType(detail="Send one content-type: application/json.")


async def read_body(receive: Receive, limit: int = LIMITS.body_bytes) -> bytes:
    """The whole body. Raises TooLarge at the first byte past `limit`, or ClientDisconnected."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected("The client went away while its body was read.")
        chunk: bytes = message.get("body", b"")
        # Before it is kept, and before more is asked for: a sender without end is not heard out.
        _check_size(len(body) + len(chunk), limit)
        if not message.get("more_body", False):
            return bytes(body + chunk) if body else chunk
        body += chunk


def _check_media_type(value: bytes) -> None:
    media_type, _, parameters = value.lower().partition(b";")
    plain = parameters.strip().replace(b'"', b"")
    if media_type.strip() != b"application/json" or plain not in (b"", b"charset=utf-8"):
        raise UnsupportedMediaType(detail="The content type must be application/json.")


def _check_length(value: bytes, limit: int) -> None:
    if not value.isdigit():
        raise BadRequest("bad_header", "The content-length is not a number.")
    # The count of digits first: turning very many of them into a number is slow work.
    if len(value.lstrip(b"0")) > 18 or int(value) > limit:
        raise _too_large(limit)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"The limit is {limit} bytes.", pointer="")

"""Tickets: for browsers, which can give neither an event stream nor a WebSocket a header.

A ticket stands for the key that asked for it, for a minute, and for following alone: what it lets
in ends when that key does. It is sealed, so nothing of it is stored, and every gateway knows it.

It lets in once: a gateway remembers the tickets that it took until they expire. Others do not learn
of it, so a ticket that somebody read lets in once more at each other gateway process, within its
minute.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Struct

from gateway.api.endpoint import Answer, Call, Endpoint, Operation
from gateway.api.parts import Parts
from gateway.domain import sealing
from gateway.domain.instants import rfc3339
from gateway.errors import Unauthenticated
from gateway.storage.ports import Caller

SECONDS: Final = 60
CHARS_MAX: Final = 512
_SEALED_FOR: Final = b"checkrein/live-ticket/v1"


class LiveTicket(Struct, frozen=True):
    """Give it as `?ticket=`, or to a WebSocket as the subprotocol `checkrein.ticket.<ticket>`."""

    ticket: str
    expires_at: str


class _Ticket(Struct, frozen=True, array_like=True):
    key_id: str
    expires_ns: int


_decoder: Final = msgspec.msgpack.Decoder(_Ticket)


class Taken:
    """The tickets that let somebody in here, until they expire."""

    def __init__(self) -> None:
        # In the order in which they were taken, which is nearly that in which they expire.
        self._until: dict[bytes, int] = {}

    def take(self, ticket: bytes, expires_ns: int, now_ns: int) -> None:
        """Raises Unauthenticated for one that was taken before."""
        while self._until and next(iter(self._until.values())) <= now_ns:
            del self._until[next(iter(self._until))]
        if ticket in self._until:
            detail = "This ticket was used before: POST /v1/live/tickets makes another."
            raise Unauthenticated(detail=detail)
        self._until[ticket] = expires_ns


def caller_of(parts: Parts, taken: Taken, text: str) -> Caller:
    """Who a ticket was made for; it is used with that. Raises Unauthenticated."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        ticket = _decoder.decode(sealing.unseal(_key(parts), raw, _SEALED_FOR))
    except (binascii.Error, ValueError, sealing.SealBroken, msgspec.DecodeError):
        raise Unauthenticated(detail="That is no ticket: POST /v1/live/tickets.") from None
    if ticket.expires_ns <= parts.ambient.now_ns():
        raise Unauthenticated("key_expired", "This ticket has expired: POST /v1/live/tickets.")
    caller = parts.still(ticket.key_id)
    # The sealed bytes and not their text: the same bytes can be written in several ways.
    taken.take(raw, ticket.expires_ns, parts.ambient.now_ns())
    return caller


async def _make_ticket(parts: Parts, call: Call) -> Answer:
    expires_ns = parts.ambient.now_ns() + SECONDS * 1_000_000_000
    ticket = msgspec.msgpack.encode(_Ticket(call.caller.key_id, expires_ns))
    sealed = sealing.seal(_key(parts), ticket, _SEALED_FOR)
    text = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    return Answer(LiveTicket(text, rfc3339(expires_ns)))


def _key(parts: Parts) -> bytes:
    return sealing.derive(parts.cursor_key, "live-tickets")


MAKE_TICKET: Final = Endpoint(
    _make_ticket,
    Operation(
        id="makeLiveTicket",
        method="POST",
        path="/v1/live/tickets",
        scope="read",
        summary="A ticket for following live in a browser",
        description=(
            "A browser gives an EventSource and a WebSocket no header. A ticket stands for the key "
            "for a minute, at `/v1/live` alone, and once at each gateway. A stream that it let in "
            "ends when the key does."
        ),
        reply=LiveTicket,
    ),
)

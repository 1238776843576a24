"""`/v1/live`: a project's events while they happen, as server-sent events or over a WebSocket.

A plain ASGI handler, since both are answers that do not end. What is streamed is the same; how it
is framed, and how each side hangs up, is in `live_framing.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api.endpoint import Operation
from gateway.api.exchange import Scope, Send, authorization_of, refusal, request_id_of
from gateway.api.live_framing import Framing, Socket, Sse
from gateway.api.live_tickets import CHARS_MAX, Taken, caller_of
from gateway.api.parts import Parts
from gateway.api.routing import query_of
from gateway.checking.body import Receive
from gateway.domain.run_ids import run_id_of
from gateway.errors import (
    Forbidden,
    MethodNotAllowed,
    NotFound,
    StorageFailure,
    Unauthenticated,
)
from gateway.live.following import Following
from gateway.live.hub import Hub
from gateway.live.messages import LiveMessage, LiveType
from gateway.live.pages import Item
from gateway.live.places import ID_CHARS
from gateway.storage.ports import Caller

# How long a stream goes on without a look at its key, and at whether the gateway stops.
LOOK_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
# A ledger that is away is asked again after this; the stream goes on meanwhile.
AWAY_SECONDS: Final = 1.0
# What was sent and took so long was sent to a slow reader.
SLOW_SECONDS: Final = 5.0
SUBPROTOCOL: Final = "checkrein.live"
TICKET_PROTOCOL: Final = "checkrein.ticket."

After = Annotated[
    str, Meta(max_length=ID_CHARS, description="The id of a message: go on behind it.")
]


class LiveQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to begin, and what to leave out."""

    after: After | UnsetType = UNSET
    run: (
        Annotated[str, Meta(min_length=1, max_length=256, description="Only this run.")] | UnsetType
    ) = UNSET
    seconds: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=86_400,
                description="How long at most; 0 is what there is by now. Without it: for ever.",
            ),
        ]
        | UnsetType
    ) = UNSET
    ticket: (
        Annotated[
            str, Meta(max_length=CHARS_MAX, description="A ticket, where no header can be sent.")
        ]
        | UnsetType
    ) = UNSET


FOLLOW: Final = Operation(
    id="followLive",
    method="GET",
    path="/v1/live",
    scope="read",
    summary="A project's runs and calls, as they happen",
    description=(
        "Server-sent events; with `Upgrade: websocket` the same messages over a WebSocket, one to "
        "a text frame. The first is `ready`; then `run_created`, `run_completed`, `run_failed`, "
        "`run_halted`, `action_created`, `action_completed`, `action_failed`, `action_settled`, "
        "`approval_requested` and `approval_closed`, in the order in which they were recorded, "
        "whichever gateway judged. After an interruption `Last-Event-ID` or `after` goes on behind "
        "the last message, with none lost and none twice; what is more than 20,000 events behind, "
        "or older than a week, is a `gap`. One who reads slowly is waited for by nobody; one who "
        "does not read for 30 seconds is cut off and may resume. A revoked key ends the stream "
        "with `closed`. A browser sends a ticket, which lets in once, as `?ticket=`: to go on it "
        "makes another and says `after`. Or it offers a WebSocket the "
        "subprotocols `checkrein.live` and `checkrein.ticket.<ticket>`; an `Origin` must be the "
        "gateway's own. A WebSocket takes no messages."
    ),
    query=LiveQuery,
    reply=LiveMessage,
    problems=("bad_cursor", "bad_origin"),
    streams=True,
)
PATH: Final = FOLLOW.path


class Live:
    """The ASGI application of this one address, and of WebSockets at any other."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hub = Hub(parts.ledger, parts.cursor_key)
        self._taken = Taken()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope["headers"], self._parts.ambient)
        of_http = scope["type"] == "http"
        framing: Framing = Sse(send, request_id) if of_http else Socket(send, request_id)
        try:
            await self._serve(scope, receive, framing)
        except Exception as error:
            if framing.begun:
                raise
            status, headers, body = refusal(error, request_id, self._parts.metrics)
            await framing.refuse(status, headers, body)

    async def _serve(self, scope: Scope, receive: Receive, framing: Framing) -> None:
        if scope["path"] != PATH:
            raise NotFound(detail="There is nothing at this address.")
        if scope.get("method", "GET") != "GET":
            raise MethodNotAllowed(extra={"allow": ["GET"]})
        _same_origin(scope)
        query: LiveQuery = query_of(FOLLOW, scope["query_string"])
        caller = self._caller(scope, query)
        after = _last_event_id(scope) or query.after or None
        run_id = None
        if query.run is not UNSET:
            run_id = run_id_of(caller.project_id, caller.environment, query.run)
        async with self._hub.following(caller.project_id, after, run_id) as following:
            seconds = None if query.seconds is UNSET else query.seconds
            stream = _Stream(self._parts, caller, following, framing, seconds)
            await stream.run(receive, _subprotocol(scope))

    def _caller(self, scope: Scope, query: LiveQuery) -> Caller:
        header = authorization_of(scope["headers"])
        offered = [
            each.removeprefix(TICKET_PROTOCOL)
            for each in scope.get("subprotocols", ())
            if each.startswith(TICKET_PROTOCOL)
        ]
        tickets = [*offered, *([query.ticket] if isinstance(query.ticket, str) else [])]
        if len(tickets) > 1 or (tickets and header is not None):
            raise Unauthenticated(detail="Send a key or a ticket, once.")
        if tickets:
            caller = caller_of(self._parts, self._taken, tickets[0][: CHARS_MAX + 1])
        else:
            caller = self._parts.authenticate(header)
        if FOLLOW.scope not in caller.scopes:
            raise Forbidden(detail=f"This key lacks the scope {FOLLOW.scope!r}.")
        return caller


class _Stream:
    """One follower's connection, from `ready` to its end."""

    def __init__(
        self,
        parts: Parts,
        caller: Caller,
        following: Following,
        framing: Framing,
        seconds: int | None,
    ) -> None:
        self._parts = parts
        self._caller = caller
        self._following = following
        self._framing = framing
        self._seconds = seconds
        self._began = self._sent = parts.ambient.monotonic()
        self._slow = False

    async def run(self, receive: Receive, subprotocol: str | None) -> None:
        """Stream until the client leaves, the key or the gateway ends, or the time is over."""
        metrics, kind = self._parts.metrics, self._framing.kind
        metrics.live_followers.labels(kind).inc()
        gone = asyncio.create_task(_until_gone(receive))
        gone.add_done_callback(lambda _: self._following.wake())
        why = "failed"
        try:
            await self._framing.begin(subprotocol)
            await self._tell("ready")
            why = await self._until_over(gone)
            if why != "left":
                await self._framing.end(why)
            elif self._slow:
                why = "slow"
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            metrics.live_followers.labels(kind).dec()
            metrics.live_ended.labels(why).inc()
            metrics.live_gaps.inc(self._following.gaps)

    async def _until_over(self, gone: asyncio.Task[None]) -> str:
        """Why the stream is over."""
        while not gone.done():
            ended = self._ended()
            if ended is not None:
                await self._tell("closed", ended)
                return ended
            if self._seconds is not None and self._is_over(self._seconds):
                return "over"
            try:
                items = await self._following.more(LOOK_SECONDS)
            except StorageFailure:
                await asyncio.wait([gone], timeout=AWAY_SECONDS)
                items = ()
            if items:
                await self._send(items)
            elif self._parts.ambient.monotonic() - self._sent >= HEARTBEAT_SECONDS:
                await self._tell("heartbeat")
        return "left"

    def _ended(self) -> str | None:
        if self._parts.stopping():
            return "stopping"
        try:
            caller = self._parts.still(self._caller.key_id)
        except Unauthenticated as ended:
            return ended.code
        return None if FOLLOW.scope in caller.scopes else "key_revoked"

    def _is_over(self, seconds: int) -> bool:
        if seconds == 0:
            return self._following.has_all
        return self._parts.ambient.monotonic() - self._began >= seconds

    async def _tell(self, kind: LiveType, reason: str | None = None) -> None:
        await self._send([self._following.told(LiveMessage(id="", type=kind, reason=reason))])

    async def _send(self, items: Sequence[Item]) -> None:
        monotonic = self._parts.ambient.monotonic
        before = monotonic()
        await self._framing.send(items)
        self._sent = monotonic()
        self._slow = self._sent - before >= SLOW_SECONDS


async def _until_gone(receive: Receive) -> None:
    """Whatever a client sends is passed over, until it leaves."""
    while True:
        message = await receive()
        if message["type"].endswith(".disconnect"):
            return


def _last_event_id(scope: Scope) -> str | None:
    """What a browser that connects again sends by itself; it knows better than the address."""
    for name, value in scope["headers"]:
        if name == b"last-event-id" and value:
            return bytes(value[: ID_CHARS + 1]).decode("latin-1")
    return None


def _same_origin(scope: Scope) -> None:
    """A page of another site must not follow with what a visitor's browser adds by itself."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    own = {scheme + host for host in hosts[:1] for scheme in (b"http://", b"https://")}
    if any(origin.lower() not in {each.lower() for each in own} for origin in origins):
        raise Forbidden("bad_origin")


def _subprotocol(scope: Scope) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None

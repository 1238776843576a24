"""A live stream as a command reads it: one message after the other, over interruptions too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.client import Client, refusal
from gateway.cli.failures import UNREACHABLE, Failure

if TYPE_CHECKING:
    import httpx2

# The gateway says something every fifteen seconds.
SILENCE_SECONDS: Final = 45.0
AGAIN_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
# One message holds names; what is longer is none.
LINE_BYTES: Final = 256 * 1024
_ENDED_BY_KEY: Final = ("key_revoked", "key_expired")

Json = dict[str, Any]


class _Interrupted(Exception):
    """The stream ended although more is to come."""


class Stream:
    """Follows one gateway. What was missed while it was away is read when it is back.

    `on_away` hears why, once for each interruption. Raises Failure when the gateway refuses, or
    cannot be reached the first time.
    """

    def __init__(
        self, client: Client, run: str | None, after: str | None, on_away: Callable[[str], None]
    ) -> None:
        self.after = after
        self._client = client
        self._run = run
        self._on_away = on_away
        self._failed = 0
        self._begun = False

    def __iter__(self) -> Iterator[Json]:
        import httpx2

        while True:
            try:
                yield from self._connected()
            except (httpx2.HTTPError, _Interrupted) as error:
                if not self._begun:
                    text = f"No gateway answers at {self._client.url}: {error}"
                    next_step = "checkrein up, or set CHECKREIN_URL"
                    raise Failure(text, next_step, UNREACHABLE) from error
                if self._failed == 0:
                    self._on_away(str(error) or type(error).__name__)
            time.sleep(AGAIN_SECONDS[min(self._failed, len(AGAIN_SECONDS) - 1)])
            self._failed += 1

    def _connected(self) -> Iterator[Json]:
        import httpx2

        wanted = {"after": self.after, "run": self._run}
        query = {name: value for name, value in wanted.items() if value is not None}
        headers = {"authorization": f"Bearer {self._client.key}"}
        timeout = httpx2.Timeout(self._client.seconds, read=SILENCE_SECONDS)
        with (
            httpx2.Client(timeout=timeout, trust_env=False) as client,
            client.stream(
                "GET", f"{self._client.url}/v1/live", params=query, headers=headers
            ) as reply,
        ):
            self._check(reply)
            self._begun, self._failed = True, 0
            for message in _messages(reply.iter_bytes()):
                self.after = message["id"]
                if message["type"] == "closed":
                    self._closed(message.get("reason", ""))
                elif message["type"] != "heartbeat":
                    yield message
        raise _Interrupted("the connection ended")

    def _check(self, reply: httpx2.Response) -> None:
        if reply.status_code == 200:
            return
        if reply.status_code == 503:
            raise _Interrupted("it has too much to do, or its ledger is away")
        try:
            document = json.loads(reply.read())
        except ValueError:
            document = None
        raise refusal(self._client.url, reply.status_code, document)

    def _closed(self, reason: str) -> None:
        if reason in _ENDED_BY_KEY:
            raise refusal(self._client.url, 401, {"detail": "The key was revoked or has expired."})
        raise _Interrupted("the gateway stops")


def _messages(chunks: Iterator[bytes]) -> Iterator[Json]:
    """The data of each event; of what has none, the id that moves along."""
    fields: dict[bytes, bytes] = {}
    for line in _lines(chunks):
        if line:
            name, _, value = line.partition(b": ")
            fields[name] = value
        elif fields:
            message = _message(fields)
            if message is not None:
                yield message
            fields = {}


def _message(fields: dict[bytes, bytes]) -> Json | None:
    try:
        if b"data" in fields:
            message: Json = json.loads(fields[b"data"])
            return {**message, "id": str(message["id"]), "type": str(message["type"])}
        if b"id" in fields:
            return {"id": fields[b"id"].decode("ascii"), "type": "heartbeat"}
    except (KeyError, TypeError, ValueError):
        raise _Interrupted("it says what cannot be understood") from None
    return None


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines end at a newline and nowhere else, whatever a name holds."""
    left = b""
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        yield from whole
        if len(left) > LINE_BYTES:
            raise _Interrupted("it says what cannot be understood")

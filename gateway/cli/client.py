"""A running gateway, asked over HTTP with the key in CHECKREIN_API_KEY."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from gateway.cli.failures import ABSENT, FOUND, UNREACHABLE, USAGE, Failure

if TYPE_CHECKING:
    import httpx2

URL = "http://127.0.0.1:8400"
TIMEOUT_SECONDS = 10.0
_NEXT = {
    401: "checkrein keys create, then export CHECKREIN_API_KEY=...",
    403: "checkrein keys create --scope read, then export CHECKREIN_API_KEY=...",
    404: "checkrein runs list",
    503: "checkrein doctor",
}
_CODES = {401: UNREACHABLE, 403: UNREACHABLE, 404: ABSENT, 503: UNREACHABLE}


def url() -> str:
    """Where the gateway is."""
    return os.environ.get("CHECKREIN_URL", URL).rstrip("/")


def key() -> str:
    """The API key. Raises Failure when there is none, or it cannot be one."""
    found = os.environ.get("CHECKREIN_API_KEY", "")
    if not found:
        text = "CHECKREIN_API_KEY is not set, so no gateway can be asked."
        raise Failure(text, "export CHECKREIN_API_KEY=..., or read a folder with --data", USAGE)
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise Failure("CHECKREIN_API_KEY is no key.", "checkrein keys create", USAGE)
    return found


class Client(Struct, frozen=True):
    """A gateway and the key to ask it with."""

    url: str
    key: str
    seconds: float = TIMEOUT_SECONDS

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """What the gateway answers. Raises Failure that says what to do about it."""
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        return self._ask("GET", path, reads=True, params=wanted)

    def post(self, path: str, body: Mapping[str, Any], *, reads: bool = False) -> Any:
        """The same, of an address that takes a body; what is None in it is left out.

        `reads`: it changes nothing, so it may be asked again.
        """
        sent = {name: value for name, value in body.items() if value is not None}
        return self._ask("POST", path, reads=reads, json=sent)

    def _ask(self, method: str, path: str, *, reads: bool, **sent: Any) -> Any:
        import httpx2

        headers = {"authorization": f"Bearer {self.key}"}
        try:
            # A proxy of the environment has no business between a terminal and its gateway's key.
            with httpx2.Client(timeout=self.seconds, trust_env=False) as client:
                address = self.url + path
                reply = _answered(client, method, address, reads=reads, headers=headers, **sent)
            document = reply.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            text = f"No gateway answers at {self.url}: {error}"
            raise Failure(text, "checkrein up, or set CHECKREIN_URL", UNREACHABLE) from error
        if reply.status_code == 200:
            return document
        raise refusal(self.url, reply.status_code, document)


def _answered(
    client: httpx2.Client, method: str, address: str, *, reads: bool, **sent: Any
) -> httpx2.Response:
    """The reply. What is on its way into the record is waited for, for as long as a reply is."""
    last = time.monotonic() + TIMEOUT_SECONDS
    while True:
        reply = client.request(method, address, **sent)
        wait = reply.headers.get("retry-after", "")
        if not reads or reply.status_code != 503 or not wait.isdecimal():
            return reply
        seconds = max(int(wait[:4]), 0.2)
        if time.monotonic() + seconds > last:
            return reply
        time.sleep(seconds)


def from_environment(seconds: float = TIMEOUT_SECONDS) -> Client:
    """The gateway at CHECKREIN_URL with CHECKREIN_API_KEY. Raises Failure without a key."""
    return Client(url(), key(), seconds)


def segment(name: str) -> str:
    """A part of a path: a run's own name may hold anything."""
    return quote(name, safe="")


def refusal(url: str, status: int, document: Any) -> Failure:
    """What the gateway's refusal means, and the step that follows from it."""
    detail = document.get("detail") if isinstance(document, dict) else None
    text = f"The gateway at {url} refused ({status}): {detail or 'no reason given'}"
    return Failure(text, _NEXT.get(status, "checkrein doctor"), _CODES.get(status, FOUND))

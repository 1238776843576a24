"""The endpoints that may be asked: the operator's, and no others. No address is taken from outside.

The key stands in memory alone. It is sent to its own endpoint, and to nowhere that one points to:
redirects are not followed. Should an answer repeat it, it is taken out before anything is read.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct

from gateway.errors import ConfigInvalid
from gateway.replay.quoting import quoted
from gateway.replay.reexecute.asked import path_of
from gateway.replay.reexecute.recorded import Api
from gateway.replay.reexecute.troubles import Off, Refused, Unreachable, Unreadable

ANSWER_BYTES: Final = 4 * 1024 * 1024
CONNECT_SECONDS: Final = 10.0
DETAIL_CHARS: Final = 200
SCRUBBED: Final = b"[key]"
EndpointName = Literal["openai", "anthropic"]


class _Key:
    """A secret that shows itself to nobody who prints it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "<key>"


class ModelEndpoint(Struct, frozen=True):
    """Where requests of one protocol go."""

    name: EndpointName
    url: str
    key: _Key
    seconds: float

    async def ask(self, api: Api, body: dict[str, Any]) -> bytes:
        """The answer's bytes. Raises Unreachable, Refused or Unreadable."""
        try:
            async with asyncio.timeout(self.seconds):
                return await self._ask(self.url + path_of(api), msgspec.json.encode(body))
        except TimeoutError:
            raise Unreachable(f"no answer within {self.seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unreachable(f"the endpoint was not reached: {type(error).__name__}") from None

    async def _ask(self, url: str, body: bytes) -> bytes:
        limits = httpx2.Timeout(self.seconds, connect=CONNECT_SECONDS)
        async with (
            # A proxy or a key of the environment has no business here.
            httpx2.AsyncClient(timeout=limits, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=self._headers()) as reply,
        ):
            if reply.headers.get("content-encoding", "identity").lower() != "identity":
                raise Unreadable("the endpoint's answer is compressed, which was not asked for")
            data = bytearray()
            async for chunk in reply.aiter_raw():
                data += chunk
                if len(data) > ANSWER_BYTES:
                    raise Unreadable(f"the endpoint's answer is larger than {ANSWER_BYTES} bytes")
        said = bytes(data)
        if self.key.text:
            said = said.replace(self.key.text.encode(), SCRUBBED)
        if reply.status_code != 200:
            raise Refused(_refusal(reply.status_code, said))
        return said

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if self.name == "anthropic":
            headers["anthropic-version"] = "2023-06-01"
        if self.key.text:
            bearer = self.name == "openai"
            name = "authorization" if bearer else "x-api-key"
            headers[name] = f"Bearer {self.key.text}" if bearer else self.key.text
        return headers


class Endpoints:
    """The configured endpoints by name."""

    def __init__(self, known: tuple[ModelEndpoint, ...] = ()) -> None:
        self._known = {each.name: each for each in known}

    def any_or_off(self) -> None:
        """Raises Off when nothing is configured: then nothing is looked up either."""
        if not self._known:
            raise Off("no endpoint is configured: CHECKREIN_REEXECUTE_OPENAI_URL is not set")

    def of(self, api: Api, wanted: EndpointName | None = None) -> ModelEndpoint:
        """The endpoint that speaks this protocol. Raises Off."""
        name: EndpointName = "anthropic" if api == "messages" else "openai"
        if wanted is not None and wanted != name:
            raise Off(f"the step was recorded in the form of {name}, which {wanted} does not speak")
        found = self._known.get(name)
        if found is None:
            setting = f"CHECKREIN_REEXECUTE_{name.upper()}_URL"
            raise Off(f"no endpoint is configured: {setting} is not set")
        return found


def endpoint(name: EndpointName, url: str, key: str | None, seconds: float) -> ModelEndpoint:
    """An endpoint from its settings. Raises ConfigInvalid."""
    setting = f"reexecute_{name}_url"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigInvalid(f"{setting} must be an http or https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigInvalid(f"{setting} must have no user, query or fragment; the key has its own")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ConfigInvalid(f"reexecute_{name}_key is no key")
    return ModelEndpoint(name, url.rstrip("/"), _Key(key or ""), seconds)


def _refusal(status: int, said: bytes) -> str:
    if status in (401, 403):
        # Such answers may repeat a part of the key.
        return f"the endpoint does not accept the gateway's key ({status})"
    if 300 <= status < 400:
        return f"the endpoint points elsewhere ({status}), which is not followed"
    return f"the endpoint refused ({status}): {quoted(_message(said), DETAIL_CHARS)}"


def _message(said: bytes) -> str:
    try:
        error = msgspec.json.decode(said, type=dict[str, Any]).get("error")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return said[:1000].decode("utf-8", "replace")
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else "no reason given"

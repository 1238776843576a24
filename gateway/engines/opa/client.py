"""The client library's connection to OPA, narrowed to one bounded exchange.

The library reads replies of any size, follows redirects, and reads JSON numbers into floats. Its
session, addressing, token and requests are used; its convenience methods are not.
"""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple

import aiohttp
import msgspec
from opa_client.opa_async import AsyncOpaClient

from gateway.engines.opa.address import Address

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
# Also what is nested without end.
NO_JSON = (msgspec.DecodeError, RecursionError)
CHUNK_BYTES = 1 << 16


class Unreachable(Exception):
    """No reply, or one that is no HTTP."""


class ReplyTooLarge(Exception):
    """More bytes came back than were asked for."""


class Complaint(msgspec.Struct, frozen=True):
    """One of the errors in OPA's refusal. `location` has the file and the row."""

    code: str = ""
    message: str = ""
    location: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True):
    """The body with which OPA says no."""

    code: str
    message: str = ""
    errors: list[Complaint] = []


class Reply(NamedTuple):
    """A status, and a body of bounded size."""

    status: int
    body: bytes

    def refusal(self) -> Refusal | None:
        """What OPA says against the request; None when it is not OPA that speaks."""
        try:
            return msgspec.json.decode(self.body, type=Refusal)
        except NO_JSON:
            return None


class Client(AsyncOpaClient):  # type: ignore[misc] # the library has no types
    """One long-lived session. Paths are the engine's own, never made from data."""

    def __init__(
        self, address: Address, connections: int, token: str | None, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(address.host, address.port, ssl=address.tls, token=token, retries=0)
        self._session: aiohttp.ClientSession | None = None
        self._connections = connections
        self._tls = tls
        self._closed = False

    async def _init_session(self) -> None:
        """The library's has no bound of ours, keeps cookies and unpacks whatever comes."""
        self._connector = aiohttp.TCPConnector(
            limit=self._connections, ssl=self._tls if self._tls is not None else True
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            headers={**(self.headers or {}), "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            # The caller has a deadline for all that it does; this one ends what it forgot.
            timeout=aiohttp.ClientTimeout(total=60),
        )

    async def close_connection(self) -> None:
        self._closed = True
        await super().close_connection()

    async def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: dict[str, str] = JSON,
        most: int,
    ) -> Reply:
        """One request below `/v1/` and its reply. Raises Unreachable, ReplyTooLarge."""
        if self._closed:
            raise Unreachable("closed")
        if self._session is None:
            await self._init_session()
        try:
            async with self._request(
                method,
                f"{self.root_url}/{path}",
                data=body,
                headers=headers if body is not None else None,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, await _read(response, most))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RuntimeError) as error:
            # RuntimeError is a session that was closed meanwhile.
            raise Unreachable(type(error).__name__) from error


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, as long as it is not longer than `most`; the rest is never read."""
    if (response.content_length or 0) > most:
        response.close()
        raise ReplyTooLarge
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > most:
            response.close()
            raise ReplyTooLarge
    return bytes(body)

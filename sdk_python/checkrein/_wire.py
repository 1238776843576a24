"""HTTP to the gateway for threads: one deadline that really ends.

Time-outs of an HTTP client are for single operations; name resolution has none, and a peer that
sends one byte a second never trips them. So the exchange runs in a thread of its own and the
caller waits for it until the deadline, not longer. Who leaves early closes the connection, which
nobody else uses: connections are lent one by one.

Nothing is read from the environment here (proxies, netrc): what is sent is the arguments of tool
calls, and it goes to the gateway or nowhere.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpx2

from checkrein._http import Answer, Outgoing
from checkrein._settings import Settings
from checkrein._trouble import Malformed, Trouble, Unreachable
from checkrein._version import __version__

CONNECT_SECONDS = 0.1
ANSWER_BYTES = 1024 * 1024
IDLE_CLIENTS = 16
STUCK_EXCHANGES = 64


class Wire:
    """The way to one gateway. Safe to share between threads, not across a fork."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.url
        self.headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"checkrein-python/{__version__}",
        }
        if settings.api_key:
            self.headers["authorization"] = f"Bearer {settings.api_key}"
        self._tls = _tls(self.url)
        self._places = threading.BoundedSemaphore(STUCK_EXCHANGES)
        # Made now: the first client loads more modules, and no deadline runs yet.
        self._idle = [self._new()]

    def send(self, outgoing: Outgoing, deadline: float) -> Answer:
        """The answer, before `deadline` (a moment of time.monotonic()). Raises `Trouble`."""
        if not self._places.acquire(blocking=False):
            raise Unreachable("too many exchanges are stuck")
        exchange = _Exchange(self, outgoing, deadline)
        try:
            threading.Thread(target=exchange.run, name="checkrein-check", daemon=True).start()
        except RuntimeError:
            # The interpreter is going down and starts no threads any more.
            exchange.run()
        return exchange.result()

    def send_here(self, outgoing: Outgoing, deadline: float) -> Answer:
        """`send` without a thread, for callers whom a late answer does not hurt."""
        client = self.lend()
        try:
            answer = perform(client, outgoing, deadline, connect=2.0)
        except BaseException:
            client.close()
            raise
        self.give_back(client)
        return answer

    def lend(self) -> httpx2.Client:
        with suppress(IndexError):
            return self._idle.pop()
        return self._new()

    def give_back(self, client: httpx2.Client) -> None:
        if len(self._idle) < IDLE_CLIENTS:
            self._idle.append(client)
        else:
            client.close()

    def leave(self) -> None:
        self._places.release()

    def new_async(self) -> httpx2.AsyncClient:
        """A client for an event loop; the caller closes it."""
        return httpx2.AsyncClient(
            base_url=self.url,
            headers=self.headers,
            verify=self._tls,
            trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=IDLE_CLIENTS, keepalive_expiry=30),
        )

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _new(self) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url,
            headers=self.headers,
            verify=self._tls,
            trust_env=False,
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=30),
        )


def _tls(url: str) -> Any:
    """One TLS context for all connections: making one costs 15 ms."""
    return ssl.create_default_context() if url.startswith("https://") else False


class _Exchange:
    """One request on its way, seen from the thread that does it and the one that waits."""

    def __init__(self, wire: Wire, outgoing: Outgoing, deadline: float) -> None:
        self._wire = wire
        self._outgoing = outgoing
        self._deadline = deadline
        self._done = threading.Event()
        self._turn = threading.Lock()
        self._client: httpx2.Client | None = None
        self._abandoned = False
        self._answer: Answer | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        client = None
        try:
            client = self._client = self._wire.lend()
            self._answer = perform(client, self._outgoing, self._deadline)
            with self._turn:
                self._client = None
            if not self._abandoned:
                self._wire.give_back(client)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error
            if client is not None:
                client.close()
        finally:
            self._wire.leave()
            self._done.set()

    def result(self) -> Answer:
        try:
            in_time = self._done.wait(max(0.0, self._deadline - time.monotonic()))
        except BaseException:
            self._abandon()
            raise
        if not in_time:
            self._abandon()
            raise Unreachable("no answer within the deadline")
        if self._answer is None:
            raise self._error or Unreachable("no answer")
        return self._answer

    def _abandon(self) -> None:
        with self._turn, suppress(Exception):
            self._abandoned = True
            if self._client is not None:
                self._client.close()


def perform(
    client: httpx2.Client, outgoing: Outgoing, deadline: float, connect: float = CONNECT_SECONDS
) -> Answer:
    """One exchange on this client. Raises `Trouble`."""
    try:
        with client.stream(
            outgoing.method,
            outgoing.path,
            content=outgoing.body,
            timeout=timeouts(deadline, connect),
        ) as response:
            return Answer(
                response.status_code,
                b"".join(_bounded(response.iter_raw(), deadline)),
                retry_after(response),
            )
    except httpx2.HTTPError as error:
        raise trouble(error) from error


def timeouts(deadline: float, connect: float = CONNECT_SECONDS) -> httpx2.Timeout:
    left = max(0.001, deadline - time.monotonic())
    return httpx2.Timeout(left, connect=min(connect, left))


def trouble(error: httpx2.HTTPError) -> Trouble:
    """Connection failures may be tried again: the same attempt is never judged twice."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Unreachable("cannot connect", retry=True)
    if isinstance(error, httpx2.TimeoutException):
        return Unreachable("no answer within the deadline")
    return Unreachable(f"the connection failed ({type(error).__name__})", retry=True)


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds to wait, when the header holds a plain number; dates are too coarse for us."""
    said = response.headers.get("retry-after", "")
    return float(said) if said.isdecimal() and len(said) < 6 else None


def check_size(total: int) -> None:
    if total > ANSWER_BYTES:
        raise Malformed("the reply was larger than 1 MiB")


def _bounded(chunks: Iterable[bytes], deadline: float) -> Iterable[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        check_size(total)
        if time.monotonic() > deadline:
            raise Unreachable("no answer within the deadline")
        yield chunk

"""Requests and responses as values. Apart from the wire, so that importing checkrein does not load
an HTTP client: that happens with the first run or guarded call, and before its deadline begins."""

from __future__ import annotations

from typing import NamedTuple


class Outgoing(NamedTuple):
    """A request; `body` is JSON."""

    method: str
    path: str
    body: bytes | None = None


class Answer(NamedTuple):
    """A response, whole and within the size limit. `retry_after` is in seconds."""

    status: int
    body: bytes
    retry_after: float | None = None

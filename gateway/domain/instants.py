"""Times as text: RFC 3339 in UTC, as every stored and answered time is written."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(ns: int) -> str:
    """UTC with microseconds: 2026-11-20T12:00:00.000000Z."""
    moment = datetime.fromtimestamp(ns // 1_000_000_000, UTC)
    micros = ns % 1_000_000_000 // 1_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"

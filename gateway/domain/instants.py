"""Times as text: RFC 3339 in UTC, with microseconds, which sorts as it counts."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def rfc3339(ns: int) -> str:
    """Nanoseconds since 1970 as 2026-11-20T12:00:00.000000Z."""
    second, rest = divmod(ns, 1_000_000_000)
    return f"{_second(second)}.{rest // 1_000:06d}Z"


def as_recorded(moment: datetime) -> str:
    """The same form of a moment with an offset. Raises ValueError without, OverflowError."""
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    """The part of a time that many events share."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")

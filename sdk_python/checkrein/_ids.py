"""Identifiers that sort by time: a prefix and a UUIDv7 in 32 hexadecimal digits."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime


def new_id(prefix: str) -> str:
    """`prefix_` and a UUIDv7: 48 bits of milliseconds, then randomness."""
    noise = int.from_bytes(os.urandom(10), "big")
    high = (time.time_ns() // 1_000_000) << 16 | 0x7000 | noise >> 68
    low = 0b10 << 62 | noise & (1 << 62) - 1
    return f"{prefix}_{high << 64 | low:032x}"


def new_attempt() -> str:
    """A random word that one attempt keeps over its transport retries."""
    return os.urandom(8).hex()


def now() -> str:
    """The present as RFC 3339 in UTC, with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

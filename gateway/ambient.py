"""Clock and identifiers: the only places where time and randomness enter.

Apart, so that everything else is a function of its arguments and a test can bring its own.
"""

from __future__ import annotations

import time
from typing import Protocol

import uuid_utils


class Ambient(Protocol):
    """What a component may ask of the world around it."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def new_id(self, prefix: str) -> str:
        """`prefix_` and a UUIDv7 in 32 hexadecimal digits."""
        ...


class SystemAmbient:
    """The real clock, and UUIDv7 identifiers that rise within a process."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{uuid_utils.uuid7().hex}"

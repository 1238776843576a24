"""How many follow a gateway, as its own metrics say."""

from __future__ import annotations

import time

from tests.api.live import Live
from tests.live.reading import TRANSPORTS


def followers(live: Live) -> float:
    gauge = live.metrics.live_followers
    return sum(float(gauge.labels(kind)._value.get()) for kind in TRANSPORTS)


def until_nobody_follows(live: Live) -> None:
    """A gateway notices within a second that one has left."""
    deadline = time.monotonic() + 30
    while followers(live):
        assert time.monotonic() < deadline
        time.sleep(0.02)

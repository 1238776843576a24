"""How fast workers move events from Redis into PostgreSQL, when many have queued."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from benchmarks import body
from benchmarks.installation import Installation
from benchmarks.measuring import PATH
from benchmarks.processes import Server
from benchmarks.saturate import saturate

EVENTS = 20_000
CONNECTIONS = 16
FILL_SECONDS = 5
POLL_SECONDS = 0.05
GUARD_SECONDS = 300


def drained(installation: Installation, server: Server, workers: int) -> dict[str, Any]:
    """Checks are made while no worker runs; then some are started, and the time taken.

    The time counts from when they are ready until no event waits; no check is made meanwhile.
    """
    while installation.waiting() < EVENTS:
        saturate(server, PATH, body.check(), CONNECTIONS, FILL_SECONDS)
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(installation.worker())
        waiting = installation.waiting()
        before, begun = installation.cpu(server), time.perf_counter()
        while installation.waiting():
            if time.perf_counter() - begun > GUARD_SECONDS:
                raise SystemExit("the workers do not drain the journal")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - begun
        after = installation.cpu(server)
    return {
        "events": waiting,
        "seconds": seconds,
        "rate": waiting / seconds,
        "cpu_ms": {part: 1000 * (after[part] - before[part]) / waiting for part in after},
    }

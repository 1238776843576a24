"""Whether a check gets slower as things grow: medians of interleaved pairs, in one run."""

from __future__ import annotations

import json
import statistics
import urllib.request
from typing import Any

from benchmarks import body as bodies
from benchmarks.body import AGENT, USER
from benchmarks.measuring import PATH, warm
from benchmarks.processes import Server
from benchmarks.saturate import saturate

PAIRS = 5
SECONDS = 3


def long_run(server: Server) -> dict[str, Any]:
    """A run of 10,000 events beside runs as they usually are."""
    fill_run(server, "long", 10_000)
    return _told((server, bodies.check()), (server, bodies.check(run_id="long")))


def between(small: Server, large: Server) -> dict[str, Any]:
    """The same check on two servers."""
    for each in (small, large):
        warm(each)
    return _told((small, bodies.check()), (large, bodies.check()))


def _told(small: tuple[Server, bytes], large: tuple[Server, bytes]) -> dict[str, Any]:
    share, pairs = slower(small, large)
    return {"slower_share": share, "pairs_p50_ms": pairs}


def slower(
    small: tuple[Server, bytes], large: tuple[Server, bytes], pairs: int = PAIRS
) -> tuple[float, list[tuple[float, float]]]:
    """How much slower `large` is, as a share, and the median latencies (ms) of each pair.

    One connection, so that it is the check that is measured and not the queue before it.
    """
    seen: list[tuple[float, float]] = []
    for number in range(pairs):
        order = (small, large) if number % 2 == 0 else (large, small)
        loads = [saturate(server, PATH, body, 1, SECONDS) for server, body in order]
        if any(load.errors for load in loads):
            raise SystemExit("some checks were refused: what was measured is not a check")
        found = [load.p50 for load in loads]
        seen.append((found[0], found[1]) if number % 2 == 0 else (found[1], found[0]))
    medians = [statistics.median(side) for side in zip(*seen, strict=True)]
    return medians[1] / medians[0] - 1, seen


def fill_run(server: Server, run_id: str, events: int) -> None:
    """A run of this many events, so that the next check is at the end of a long one."""
    left = events
    while left > 0:
        batch = [{"type": "turn_started", "turn_id": f"turn_{n}"} for n in range(min(left, 1000))]
        run = {"id": run_id, "agent_id": AGENT, "user_id": USER}
        body = json.dumps({"run": run, "events": batch}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{server.url}/v1/events",
            data=body,
            headers={
                "content-type": "application/json",
                "authorization": f"Bearer {server.key}",
            },
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
        left -= len(batch)

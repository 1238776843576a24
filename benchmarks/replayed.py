"""Replay's part: a run's frames, and recorded decisions judged again.

A gateway's own parts record checks of the usual body in process; then the record is read as a
command reads it, with an engine of its own. The Intent Guard is off: what rules cost is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import body, policy
from benchmarks.machine import say
from benchmarks.table import HEADER, markdown, reached
from gateway.ambient import SystemAmbient
from gateway.checking.gate import decode_check
from gateway.config import Settings
from gateway.replay.frames import view
from gateway.replay.openings import Openings
from gateway.replay.rejudging import Rejudging
from gateway.serving.collecting import collect_seldom
from gateway.storage.ports import Caller
from gateway.wiring import backend, open_gateway, open_rejudging, open_worker
from gateway.wiring.stores import RecordStores

DECISIONS = 4_000
RUNS = 64
LONG_RUN = 1_000
AT_ONCE = 32
PAGE = 200
REPEATS = 5
ENVIRONMENT = "production"


def measure(_seconds: int) -> dict[str, Any]:
    """Everything that the table tells."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(base: Path) -> dict[str, Any]:
    settings = Settings(
        data=str(base / "data"),
        policies=str(policy.write(base / "hundred", 100)),
        environment=ENVIRONMENT,
        intent="off",
    )
    say(f"{DECISIONS:,} decisions in {RUNS} runs, and one run of {LONG_RUN:,} events")
    project_id, long_run = await _recorded(settings)
    # As gateways and commands do.
    collect_seldom()
    stores = backend(settings).record_stores(settings, SystemAmbient(), everything=False)
    async with stores as opened, open_rejudging(settings, opened) as judging:
        say("each of them judged again, and the long run's frames")
        await _rejudged(judging, project_id, PAGE)
        rates = [await _rejudged(judging, project_id, None) for _ in range(REPEATS)]
        frames = [await _framed(opened, project_id, long_run) for _ in range(REPEATS)]
    return {"rejudged": sorted(rates), "frames_ms": sorted(frames)}


async def _recorded(settings: Settings) -> tuple[str, str]:
    """Decisions of some runs as the gateway makes them; the project, and the id of a long run."""
    async with open_gateway(settings) as gateway:
        caller = Caller("key_bench", gateway.project_id, ENVIRONMENT, frozenset({"check"}))

        async def check(number: int) -> str:
            data = body.check().replace(body.PLACEHOLDER.encode(), b"%010d" % number)
            started = gateway.parts.ambient.monotonic()
            return (await gateway.parts.checker.check(caller, decode_check(data), started)).run_id

        numbers = [number % RUNS for number in range(DECISIONS)]
        # A run begins with an event of its own.
        numbers += [RUNS] * (LONG_RUN - 1)
        for place in range(0, len(numbers), AT_ONCE):
            runs = await asyncio.gather(*map(check, numbers[place : place + AT_ONCE]))
        async with open_worker(settings) as worker:
            await worker.recorder.drain()
        return gateway.project_id, runs[-1]


async def _rejudged(judging: Rejudging, project_id: str, most: int | None) -> float:
    """Decisions a second, all of which must come out the same."""
    begun, judged, cursor, more = time.perf_counter(), 0, None, True
    openings = Openings()
    while more and (most is None or judged < most):
        page = await judging.of_range(
            project_id, ENVIRONMENT, before=cursor, limit=PAGE, openings=openings
        )
        if any(each.standing != "exact" for each in page.judged):
            raise SystemExit("a decision did not come out the same: this is no measurement")
        judged += len(page.judged)
        cursor, more = page.cursor, page.cursor is not None
    return judged / (time.perf_counter() - begun)


async def _framed(stores: RecordStores, project_id: str, run_id: str) -> float:
    """Milliseconds for the frames of the long run."""
    begun = time.perf_counter()
    found = await view(stores.ledger, stores.keyring.run_secret, project_id, run_id, 0, LONG_RUN)
    if len(found) != LONG_RUN or any(frame.erased or frame.broken for frame in found):
        raise SystemExit("the run is not whole: this is no measurement")
    return 1000 * (time.perf_counter() - begun)


def table(found: dict[str, Any]) -> str:
    """The figures beside what is to be reached; medians, with the least and the most."""
    rate, took = found["rejudged"], found["frames_ms"]
    rows: list[Sequence[str]] = [
        (
            "decisions judged again, a second",
            "",
            _spread(rate),
            "at least 3,000",
            reached(_median(rate) >= 3_000),
        ),
        (
            f"frames of a run of {LONG_RUN:,} events, ms",
            "",
            _spread(took),
            "at most 100",
            reached(_median(took) <= 100),
        ),
    ]
    return markdown(HEADER, rows)


def _median(values: list[float]) -> float:
    return values[len(values) // 2]


def _spread(values: list[float]) -> str:
    return f"{_median(values):,.0f} ({values[0]:,.0f} to {values[-1]:,.0f})"

"""The embedded part: `checkrein up`, one process with SQLite files and its worker."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from benchmarks import body, growth, policy
from benchmarks.machine import say
from benchmarks.measuring import COUNTS, floors, loads, warm
from benchmarks.processes import cpu_seconds, gateway, pss_megabytes
from benchmarks.steady import steady
from benchmarks.table import HEADER, latencies, markdown, reached, saturated

RATE = 500


def measure(seconds: int) -> dict[str, Any]:
    """Everything that the table tells."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        say("floor and whole check, 1 and 16 connections")
        found["floor"] = floors(seconds)
        hundred = policy.write(base / "hundred", 100)
        begun = time.perf_counter()
        with gateway(base / "data", hundred) as server:
            found["ready_seconds"] = time.perf_counter() - begun
            warm(server)
            found["check"] = loads(server, seconds, lambda: cpu_seconds(server.pid))
            say(f"a steady {RATE} a second")
            found["steady"] = asdict(steady(server, body.check(), RATE, 2 + seconds * 2))
            found["pss_megabytes"] = pss_megabytes(server.pid)
            say("a run of 10,000 events beside an empty one")
            found["long_run"] = growth.long_run(server)
        thousands = policy.write(base / "thousands", 2_000)
        say("2,000 rules for other tools beside 100")
        with (
            gateway(base / "data1", hundred) as small,
            gateway(base / "data2", thousands) as large,
        ):
            found["many_rules"] = growth.between(small, large)
    return found


def table(found: dict[str, Any]) -> str:
    """The figures beside what is to be reached."""
    bare, whole, even = found["floor"], found["check"], found["steady"]
    ratio = whole[16]["rate"] / bare[16]["rate"]
    cpu = whole[16]["cpu_ms"]
    path = sum(cost for part, cost in cpu.items() if part != "worker")
    memory = sum(size for part, size in found["pss_megabytes"].items() if part != "worker")
    failed = sum(whole[count]["errors"] for count in COUNTS) + even["failed"]
    lag = even["lag_p99"]
    grown, ruled = found["long_run"]["slower_share"], found["many_rules"]["slower_share"]
    rows: list[Sequence[str]] = [
        *(row for count in COUNTS for row in saturated(bare[count], whole[count], count)),
        _row("throughput at 16, of the floor", f"{ratio:.3f}", "0.12; aim 0.18", ratio >= 0.12),
        _row("CPU a check, gateway and evaluator, ms", f"{path:.3f}", "0.25", path <= 0.25),
        *(_row(f"of it or beside it: {part}, ms", f"{cost:.3f}") for part, cost in cpu.items()),
        _row("p50 at one connection, ms", f"{whole[1]['p50']:.2f}", "1", whole[1]["p50"] <= 1),
        _row(
            f"steady {RATE}/s: p50 / p95 / p99, ms",
            latencies(even),
            "p95 at most 5, p99 at most 15",
            even["p95"] <= 5 and even["p99"] <= 15,
        ),
        _row("steady: generator lag p99, ms", f"{lag:.2f}", "2, else void", not even["void"]),
        _row("10,000 events in the run", f"{grown:+.1%}", "+10 %", grown <= 0.1),
        _row("2,000 rules", f"{ruled:+.1%}", "+10 %", ruled <= 0.1),
        _row("gateway and evaluators, PSS, MB", f"{memory:.0f}", "200", memory <= 200),
        _row("ready after, s", f"{found['ready_seconds']:.2f}", "2", found["ready_seconds"] <= 2),
        _row("failed requests", str(failed), "0", failed == 0),
    ]
    return markdown(HEADER, rows)


def _row(what: str, figure: str, limit: str = "", good: bool | None = None) -> Sequence[str]:
    return (what, "", figure, limit, "" if good is None else reached(good))

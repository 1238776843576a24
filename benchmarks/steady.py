"""A steady number of arrivals a second, sent by Locust as an open model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

from benchmarks.processes import Server

LAG_P99_MS = 2.0
SENDERS = 64


class Steady(Struct, frozen=True):
    """Latencies from the scheduled time, in milliseconds; void when the generator lagged."""

    rate: float
    requests: int
    p50: float
    p95: float
    p99: float
    lag_p99: float
    failed: int
    void: bool


def steady(server: Server, body: bytes, rate: int, seconds: int) -> Steady:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "body.json").write_bytes(body)
        out = Path(folder, "out.json")
        environ = {
            **os.environ,
            "BENCH_RATE": str(rate),
            "BENCH_SECONDS": str(seconds),
            "BENCH_BODY": str(Path(folder, "body.json")),
            "BENCH_KEY": server.key or "",
            "BENCH_OUT": str(out),
        }
        command = [
            *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("arrivals.py"))),
            *("--headless", "-u", str(SENDERS), "-r", str(SENDERS), "--host", server.url),
            *("--only-summary", "--loglevel", "ERROR", "--stop-timeout", "1"),
            *("--run-time", f"{seconds + 5}s"),
        ]
        subprocess.run(command, env=environ, capture_output=True, check=False)
        found = json.loads(out.read_text())
    latencies = sorted(1000 * value for value in found["latencies"])
    lag = quantile(sorted(1000 * value for value in found["lags"]), 0.99)
    return Steady(
        rate=rate,
        requests=len(latencies),
        p50=quantile(latencies, 0.50),
        p95=quantile(latencies, 0.95),
        p99=quantile(latencies, 0.99),
        lag_p99=lag,
        failed=found["failed"],
        void=lag > LAG_P99_MS,
    )


def quantile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered values lie."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

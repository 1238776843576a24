"""`make bench`: the whole table in one run, as text and as JSON.

python -m benchmarks [--short] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import body, growth, policy
from benchmarks.processes import cpu_seconds, floor, gateway, pss_megabytes
from benchmarks.saturate import Load, need_wrk, saturate
from benchmarks.steady import steady

PATH = "/v1/check-action"
WARM_SECONDS = 2


def main() -> None:
    """Measure everything, print the table, write the JSON."""
    options = _options()
    need_wrk()
    seconds = 3 if options.short else 10
    found: dict[str, Any] = {"machine": _machine()}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        _say("floor and whole check, 1 and 16 connections")
        with floor() as bare:
            found["floor"] = {
                count: _asdict(saturate(bare, "/", body.check(), count, seconds))
                for count in (1, 16)
            }
        hundred = policy.write(base / "hundred", 100)
        begun = time.perf_counter()
        with gateway(base / "data", hundred) as server:
            found["ready_seconds"] = time.perf_counter() - begun
            saturate(server, PATH, body.check(), 4, WARM_SECONDS)
            found["check"] = {}
            for count in (1, 16):
                before = cpu_seconds(server.pid)
                load = saturate(server, PATH, body.check(), count, seconds)
                after = cpu_seconds(server.pid)
                found["check"][count] = {
                    **_asdict(load),
                    "cpu_ms": {
                        part: 1000 * (after[part] - before.get(part, 0)) / load.requests
                        for part in after
                    },
                }
            _say("a steady 500 a second")
            found["steady"] = _asdict(steady(server, body.check(), 500, 2 + seconds * 2))
            found["pss_megabytes"] = pss_megabytes(server.pid)
            _say("a run of 10,000 events beside an empty one")
            growth.fill_run(server, "long", 10_000)
            found["long_run"] = _growth((server, body.check()), (server, body.check(run_id="long")))
        thousands = policy.write(base / "thousands", 2_000)
        _say("2,000 rules for other tools beside 100")
        with (
            gateway(base / "data1", hundred) as small,
            gateway(base / "data2", thousands) as large,
        ):
            for each in (small, large):
                saturate(each, PATH, body.check(), 4, WARM_SECONDS)
            found["many_rules"] = _growth((small, body.check()), (large, body.check()))
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    print(_table(found))


def _growth(small: Any, large: Any) -> dict[str, Any]:
    share, pairs = growth.slower(small, large)
    return {"slower_share": share, "pairs_p50_ms": pairs}


def _table(found: dict[str, Any]) -> str:
    """The figures beside what is to be reached."""
    bare, whole, even = found["floor"], found["check"], found["steady"]
    ratio = whole[16]["rate"] / bare[16]["rate"]
    cpu = whole[16]["cpu_ms"]
    path = sum(cost for part, cost in cpu.items() if part != "worker")
    memory = sum(size for part, size in found["pss_megabytes"].items() if part != "worker")
    lines = [
        "| what | floor | check | ratio or limit |",
        "| --- | --- | --- | --- |",
    ]
    for count in (1, 16):
        one, other = bare[count], whole[count]
        lines.append(
            f"| {count} connections: p50 / p95 / p99 ms"
            f" | {one['p50']:.2f} / {one['p95']:.2f} / {one['p99']:.2f}"
            f" | {other['p50']:.2f} / {other['p95']:.2f} / {other['p99']:.2f} | |"
        )
        lines.append(
            f"| {count} connections: checks a second | {one['rate']:,.0f} | {other['rate']:,.0f}"
            f" | {other['rate'] / one['rate']:.3f} |"
        )
    latencies = f"{even['p50']:.2f} / {even['p95']:.2f} / {even['p99']:.2f}"
    void = " (VOID)" if even["void"] else ""
    failed = whole[1]["errors"] + whole[16]["errors"] + even["failed"]
    rows = [
        ("throughput at 16, of the floor", f"{ratio:.3f}", "at least 0.12, aim 0.18"),
        ("CPU a check, gateway and evaluator, ms", f"{path:.3f}", "at most 0.25"),
        *((f"of it or beside it: {part}, ms", f"{cost:.3f}", "") for part, cost in cpu.items()),
        ("p50 at one connection, ms", f"{whole[1]['p50']:.2f}", "at most 1"),
        ("steady 500/s: p50 / p95 / p99, ms", latencies, "p95 at most 5, p99 at most 15"),
        (f"steady 500/s: generator lag p99, ms{void}", f"{even['lag_p99']:.2f}", "at most 2"),
        ("10,000 events in the run", f"{found['long_run']['slower_share']:+.1%}", "at most +10 %"),
        ("2,000 rules", f"{found['many_rules']['slower_share']:+.1%}", "at most +10 %"),
        ("memory of gateway and evaluator, PSS, MB", f"{memory:.0f}", "at most 200"),
        ("ready after, s", f"{found['ready_seconds']:.2f}", "at most 2"),
        ("failed requests", str(failed), "0"),
    ]
    lines += [f"| {what} | | {figure} | {limit} |" for what, figure, limit in rows]
    return "\n".join(lines)


def _machine() -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _asdict(value: Load | Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="three seconds instead of ten each")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def _say(text: str) -> None:
    print(f"  measuring: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

"""How long one assessment takes in process: without context, with context that is new, and again.

`python -m benchmarks.intent.speed` prints a table of p50, p95 and p99 in milliseconds, once of
processor time, which other processes on the machine hardly change, and once by the clock. `cold`
is a check whose texts were never seen, `warm` a second check of the same run, with another call:
request and context are the same. The cases are of all sources. As in the child process, garbage is
collected between checks.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.intent import data
from gateway.intent import evaluator
from gateway.intent.evidence import Evidence, Item

CONTEXT = 4_000
ITEMS = 4
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
CLOCKS: dict[str, Callable[[], float]] = {
    "processor": time.process_time,
    "clock": time.perf_counter,
}


def measure(count: int = 500) -> dict[str, Any]:
    """Quantiles by circumstance and by kind of clock, in milliseconds."""
    current = evaluator.load()
    cases = data.cases()
    chosen = [data.evidence_of_case(case) for case in cases[:: max(1, len(cases) // count)]]
    for evidence in chosen[: count // 10]:
        current.assess(evidence)
    gc.disable()
    found: dict[str, Any] = {}
    for name, context in (("without context", None), (f"{CONTEXT:,} characters", _words(cases))):
        took = []
        for pair in _given(chosen, context):
            gc.collect()
            gc.freeze()
            took.append([_took(current, one) for one in pair])
        for at, state in enumerate(("cold", "warm")):
            found[f"{name}, {state}"] = {
                clock: _quantiles(sorted(pair[at][clock] for pair in took)) for clock in CLOCKS
            }
    gc.enable()
    return found


def _words(cases: list[data.Case]) -> list[str]:
    """What contexts are made of: the sentences of the cases' own, each once."""
    said = {line for case in cases for item in case.context for line in item.text.splitlines()}
    return sorted(line for line in said if len(line) > 20)


def _given(chosen: list[Evidence], lines: list[str] | None) -> Iterator[tuple[Evidence, Evidence]]:
    """Each case in a context of its own, and then the next call of the same run."""
    chance = random.Random(20261127)
    for number, evidence in enumerate(chosen):
        context: tuple[Item, ...] = ()
        if lines:
            text = "\n".join(chance.sample(lines, k=min(len(lines), 80)))[:CONTEXT]
            part = -(-len(text) // ITEMS)
            context = tuple(
                Item(text[part * n : part * (n + 1)], trusted=n % 2 == 0) for n in range(ITEMS)
            )
        # A request that nobody made before, whatever the other cases of its group ask.
        request = f"{evidence.request or ''} (no. {number} of {'two' if lines else 'one'})"
        first = msgspec.structs.replace(evidence, context=context, request=request)
        # The run goes on: the same tool with the arguments of which one has changed.
        name = next(iter(first.arguments), "note")
        arguments = {**first.arguments, name: f"next {number}"}
        yield first, msgspec.structs.replace(first, arguments=arguments)


def _took(current: evaluator.Evaluator, evidence: Evidence) -> dict[str, float]:
    before = {name: read() for name, read in CLOCKS.items()}
    current.assess(evidence)
    return {name: 1000 * (read() - before[name]) for name, read in CLOCKS.items()}


def _quantiles(times: list[float]) -> dict[str, float]:
    return {name: round(times[int(part * len(times))], 3) for name, part in QUANTILES.items()}


def main(argv: list[str]) -> int:
    told = argparse.ArgumentParser(prog="python -m benchmarks.intent.speed")
    told.add_argument("--count", type=int, default=500)
    told.add_argument("--out", type=Path)
    args = told.parse_args(argv)
    found = measure(args.count)
    for name, clocks in found.items():
        for clock, quantiles in clocks.items():
            times = "  ".join(f"{q} {value:7.3f}" for q, value in quantiles.items())
            print(f"{name:24} {clock:10} {times} ms")
    if args.out:
        args.out.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

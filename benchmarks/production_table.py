"""The production part's tables: what is to be reached, and the neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measuring import COUNTS
from benchmarks.table import HEADER, latencies, markdown, rate, reached, saturated

RATE = 300
DRAINING = ("worker", "redis", "postgres")
BESIDE = (
    *("server", "1 connection: p50 / p95 / p99 ms", "a second"),
    *("16 connections: p50 / p95 / p99 ms", "a second", "CPU ms a request", "what it does not do"),
)
NOT_OPA = (
    "keeps no record that survives it (its decision log is sent later, and is off here), knows "
    "nothing of the run (the caller brings the state along), counts no budget, answers a retried "
    "call anew, has no modes, stages, approvals or halts, and asks for no key"
)
NOT_CERBOS = (
    "the same: its audit log is off here and stands in no answer's way; no state, no budgets, no "
    "retries known again, no modes, approvals or halts, no key; and its answer is allow or deny, "
    "without a reason for the agent"
)
NOT_AT_HAND = (
    "not at hand: build it with `go build ./cmd/cerbos` in a checkout of v0.55.0, and name it in "
    "`CHECKREIN_CERBOS`"
)


def table(found: dict[str, Any]) -> str:
    """Both tables."""
    return f"{_limits(found)}\n\n{_beside(found)}"


def _limits(found: dict[str, Any]) -> str:
    bare, whole, even = found["floor"], found["check"], found["steady"]
    ratio = whole[16]["rate"] / bare[16]["rate"]
    cpu = whole[16]["cpu_ms"]
    drain = found["drain"]
    lag = even["lag_p99"]
    grown, ruled = found["long_run"]["slower_share"], found["many_rules"]["slower_share"]
    failed = even["failed"] + sum(
        found[kind][count]["errors"] for kind in ("check", "check_opa") for count in COUNTS
    )
    rows: list[Sequence[str]] = [
        *(row for count in COUNTS for row in saturated(bare[count], whole[count], count)),
        _row("throughput at 16, of the floor", f"{ratio:.3f}", "0.06; aim 0.15", ratio >= 0.06),
        _row("CPU a check at 16, all parts, ms", f"{sum(cpu.values()):.3f}"),
        _row("of it: " + " / ".join(cpu), " / ".join(f"{cost:.3f}" for cost in cpu.values())),
        _row(
            f"steady {RATE}/s: p50 / p95 / p99, ms",
            latencies(even),
            "p95 at most 8, p99 at most 20",
            even["p95"] <= 8 and even["p99"] <= 20,
        ),
        _row("steady: generator lag p99, ms", f"{lag:.2f}", "2, else void", not even["void"]),
        _row(
            f"a worker drains {drain[1]['events']:,} events, a second",
            f"{drain[1]['rate']:,.0f}",
            "4,000",
            drain[1]["rate"] >= 4_000,
        ),
        _row("two workers, a second", f"{drain[2]['rate']:,.0f}"),
        _row(
            "CPU an event: worker / redis / postgres, ms",
            " / ".join(f"{drain[1]['cpu_ms'][part]:.3f}" for part in DRAINING),
        ),
        _row("10,000 events in the run", f"{grown:+.1%}", "+10 %", grown <= 0.1),
        _row("2,000 rules", f"{ruled:+.1%}", "+10 %", ruled <= 0.1),
        _row("failed requests", str(failed), "0", failed == 0),
    ]
    return markdown(HEADER, rows)


def _beside(found: dict[str, Any]) -> str:
    rows = [
        _server("Checkrein, rules in its child process", found["check"], ""),
        _server("Checkrein, rules in an OPA server", found["check_opa"], ""),
        _server("OPA alone", found["opa"], NOT_OPA),
    ]
    if found["cerbos"] is None:
        rows.append(("Cerbos", "", "", "", "", "", NOT_AT_HAND))
    else:
        rows.append(_server("Cerbos", found["cerbos"], NOT_CERBOS))
    return markdown(BESIDE, rows)


def _server(name: str, loads: dict[int, Any], lacks: str) -> Sequence[str]:
    one, many = (loads[count] for count in COUNTS)
    cells = [cell for load in (one, many) for cell in (latencies(load), rate(load))]
    return (name, *cells, f"{sum(many['cpu_ms'].values()):.3f}", lacks)


def _row(what: str, figure: str, limit: str = "", good: bool | None = None) -> Sequence[str]:
    return (what, "", figure, limit, "" if good is None else reached(good))

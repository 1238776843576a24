"""Figures as a Markdown table, ready to be pasted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

HEADER = ("what", "floor", "check", "ratio or limit", "reached")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def reached(good: bool) -> str:
    return "yes" if good else "**no**"


def latencies(load: dict[str, Any]) -> str:
    return f"{load['p50']:.2f} / {load['p95']:.2f} / {load['p99']:.2f}"


def rate(load: dict[str, Any]) -> str:
    """Requests a second, with how many of them failed: then the latencies mean little."""
    failed = f" ({load['errors']:,} failed)" if load["errors"] else ""
    return f"{load['rate']:,.0f}{failed}"


def saturated(bare: dict[str, Any], whole: dict[str, Any], count: int) -> list[Sequence[str]]:
    """Two rows: latencies and throughput at so many connections, beside the floor."""
    name = "1 connection" if count == 1 else f"{count} connections"
    ratio = whole["rate"] / bare["rate"]
    return [
        (f"{name}: p50 / p95 / p99 ms", latencies(bare), latencies(whole), "", ""),
        (
            f"{name}: checks a second",
            rate(bare),
            rate(whole),
            f"{ratio:.3f}",
            "",
        ),
    ]

"""The Intent Guard's part: what an assessment takes, and what checks without evidence pay for it.

Assessments are asked of the child process, one at a time, as a gateway asks for them: over labelled
cases of all sources, without context, with 4,000 characters of it that are new, and with the same
context again, as the next call of a run brings it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from benchmarks import body, growth, policy
from benchmarks.intent import data
from benchmarks.machine import say
from benchmarks.measuring import PATH, warm
from benchmarks.processes import cpu_seconds, gateway
from benchmarks.saturate import saturate
from benchmarks.table import HEADER, latencies, markdown, reached
from gateway.assessing import ChildAssessor, Limits
from gateway.intent.evidence import Evidence, Item

CASES = 400
CHARACTERS = 4_000
PIECES = 4
# An assessment that takes long is to be seen, not cut off.
PATIENT = Limits(cpu=2.0, wall=10.0)


def measure(seconds: int) -> dict[str, Any]:
    """Everything that the table tells."""
    say(f"assessments by the child process, {CASES} cases each")
    found: dict[str, Any] = {"assessment": asyncio.run(_assessments())}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        hundred = policy.write(base / "hundred", 100)
        with (
            gateway(base / "data1", hundred) as without,
            gateway(base / "data2", hundred, intent="on") as guarded,
        ):
            for each in (without, guarded):
                warm(each)
            say("checks without evidence, with the Intent Guard off and on")
            bare = body.check(evidence=False)
            share, pairs = growth.slower((without, bare), (guarded, bare))
            found["without_evidence"] = {"slower_share": share, "pairs_p50_ms": pairs}
            say("the whole check with evidence, off and on, 1 connection")
            for name, server in (("off", without), ("on", guarded)):
                before = cpu_seconds(server.pid)
                load = saturate(server, PATH, body.check(), 1, seconds)
                spent = sum(cpu_seconds(server.pid).values()) - sum(before.values())
                found[name] = {**asdict(load), "cpu_ms": 1000 * spent / load.requests}
    return found


async def _assessments() -> dict[str, Any]:
    assessor = ChildAssessor(PATIENT)
    await assessor.start()
    try:
        cases = list(_cases())
        found: dict[str, Any] = {}
        for case in cases[:40]:
            await assessor.assess(case)
        for name, asked in (
            ("without context", [replace(case, context=()) for case in cases]),
            ("new context", cases),
            ("context seen before", cases),
        ):
            found[name] = await _timed(assessor, asked, again=name == "context seen before")
        return found
    finally:
        await assessor.close()


async def _timed(
    assessor: ChildAssessor, asked: Sequence[Evidence], *, again: bool
) -> dict[str, Any]:
    """Each once, or each a second time, for another call than the first."""
    took = []
    for number, evidence in enumerate(asked):
        if again:
            await assessor.assess(replace(asked[number - 1], context=evidence.context))
        begun = time.perf_counter()
        if await assessor.assess(evidence) is None:
            raise SystemExit("a case was not assessed: what was measured is not an assessment")
        took.append(1000 * (time.perf_counter() - begun))
    took.sort()
    return {f"p{q}": took[int(q / 100 * len(took))] for q in (50, 95, 99)}


def _cases() -> Iterator[Evidence]:
    """Cases of all sources, each with context of other cases, half of it trusted."""
    cases = data.cases()
    text = " ".join(item.text for case in cases for item in case.context)
    for number, case in enumerate(cases[:: len(cases) // CASES][:CASES]):
        begin = number * CHARACTERS % (len(text) - CHARACTERS)
        size = CHARACTERS // PIECES
        pieces = [text[begin + n * size : begin + (n + 1) * size] for n in range(PIECES)]
        items = tuple(Item(piece, trusted=n % 2 == 0) for n, piece in enumerate(pieces))
        yield replace(data.evidence_of_case(case), context=items)


def table(found: dict[str, Any]) -> str:
    """The figures beside what is to be reached."""
    told = found["assessment"]
    bare, new, seen = (told[n] for n in ("without context", "new context", "context seen before"))
    slower = found["without_evidence"]["slower_share"]
    rows: list[Sequence[str]] = [
        _row("assessment without context: p50 / p95 / p99, ms", bare, "p95 at most 1", (1, None)),
        _row("with 4,000 new characters", new, "p95 at most 4, p99 at most 8", (4, 8)),
        _row("with 4,000 characters seen before", seen, "p95 at most 4, p99 at most 8", (4, 8)),
        ("a check without evidence, on beside off", "", f"{slower:+.1%}", "0 %; noise 5 %", ""),
        *(
            (
                f"check with evidence, {name}: p50 / p95 / p99, ms",
                "",
                latencies(found[name]),
                "",
                "",
            )
            for name in ("off", "on")
        ),
        *(
            (f"CPU a check with evidence, {name}, ms", "", f"{found[name]['cpu_ms']:.3f}", "", "")
            for name in ("off", "on")
        ),
    ]
    return markdown(HEADER, rows)


def _row(
    what: str, took: dict[str, Any], limit: str, bounds: tuple[float, float | None]
) -> Sequence[str]:
    p95, p99 = bounds
    good = took["p95"] <= p95 and (p99 is None or took["p99"] <= p99)
    return (what, "", latencies(took), limit, reached(good))

"""How often a call that was meant so has a finding: `python -m tests.lineage.false_alarms`.

The aligned calls of the Intent Guard's data, halved by their ids: the findings of the half `open`
were looked at while the rules were changed, those of `closed` were not. `open` behind the command
prints that half's.
"""

from __future__ import annotations

import hashlib
import lzma
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from benchmarks.intent.data import HERE, evidence_of_case
from benchmarks.intent.data import Case as Labelled
from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.explanation import Explanation
from gateway.replay.lineage.tracing import explain
from gateway.replay.lineage.trail import Trail

HALVES: Final = ("open", "closed")
_TIMES: Final = ("2026-11-27T12:00:00Z",) * 2


class Told(Struct, frozen=True):
    """An aligned call, and what was made of it."""

    case: Labelled
    explained: Explanation

    @property
    def half(self) -> str:
        return HALVES[hashlib.sha256(self.case.id.encode()).digest()[0] & 1]


def told(of: str = "dev") -> Iterator[Told]:
    """Every aligned call of a part of the data that says what was asked."""
    lines = lzma.decompress((HERE / "data" / f"{of}.jsonl.xz").read_bytes()).splitlines()
    for case in map(msgspec.json.Decoder(Labelled).decode, lines):
        if not case.wrong and case.user_request:
            yield Told(case, explain(case.id, _recorded(case)))


def _recorded(case: Labelled) -> Any:
    """The call as a gateway records it: one decision with everything in its frame."""
    seen = evidence_of_case(case)
    plan = {"text": seen.plan_text, "arguments": seen.plan_arguments, "tool": seen.plan_tool}
    frame = {
        "action": {
            "arguments": seen.arguments,
            "description": seen.description,
            "schema": seen.schema,
            "side_effects": seen.side_effects,
        },
        "request": {"user": seen.request, "plan": plan if case.plan else None},
        "context": msgspec.to_builtins(seen.context),
    }
    body: dict[str, Any] = {"action_id": "a", "decision_id": "d", "tool": seen.tool}
    names = ("agent", None, "a", None)
    trail = Trail("a")
    trail.add(
        ReplayFrame(1, 0, "e", "decision", *_TIMES, *names, body, {"frame": frame}, [], [], "", "")
    )
    return trail.case()


def main(shown: str | None, of: str) -> None:
    every = dict.fromkeys(HALVES, 0)
    alarms = dict.fromkeys(HALVES, 0)
    for each in told(of):
        every[each.half] += 1
        alarms[each.half] += bool(each.explained.findings)
        if each.explained.findings and each.half == shown:
            sys.stdout.write(_shown(each))
    for half in HALVES:
        share = alarms[half] / max(1, every[half])
        sys.stdout.write(f"{half:8} {alarms[half]:4} of {every[half]:4}  {share:6.1%}\n")


def _shown(each: Told) -> str:
    case = each.case
    lines = [f"\n## {case.id} {case.kind} {case.tool.name}", f"  asked: {case.user_request!r:.400}"]
    lines += [f"  plan: {case.plan.text!r:.200} {case.plan.arguments}"] if case.plan else []
    lines += [f"  called: {case.arguments}"]
    for finding in each.explained.findings:
        lines.append(f"  -> {finding.aspect}: {finding.why}")
        lines += [
            f"     {s.station} {s.says} {s.value!r} {s.quote[:160]!r}"
            for s in finding.path
            if s.says == "departs" or (finding.flip and s.part == finding.flip.part)
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    wanted = sys.argv[1:]
    main("open" if "open" in wanted else None, "train" if "train" in wanted else "dev")

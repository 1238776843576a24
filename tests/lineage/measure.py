"""How often cause and frame are told rightly: `python -m tests.lineage.measure seen`."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import msgspec
from msgspec import Struct

from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.explanation import Explanation
from gateway.replay.lineage.tracing import explain
from gateway.replay.lineage.trail import Trail
from tests.api.live import json, live_gateway
from tests.lineage.recording import POLICY, Played, play
from tests.lineage.tasks import runs

SEEDS = {"seen": 5, "unseen": 4711}


class Outcome(Struct, frozen=True):
    """A run, and what was made of it."""

    played: Played
    explained: Explanation

    @property
    def said(self) -> tuple[str, str]:
        """The cause and the station that were told for the value which departs."""
        first = self.explained.findings[0] if self.explained.findings else None
        if first is None:
            return "none", "none"
        if not f"{first.pointer}/".startswith(f"{self.played.pointer}/"):
            return f"{first.cause} at {first.pointer}", first.flip.station if first.flip else "none"
        return first.cause, first.flip.station if first.flip else "none"

    @property
    def right(self) -> bool:
        return self.said == (self.played.cause, self.played.station)


def measured(client: httpx2.Client, which: str, each: int) -> list[Outcome]:
    """Every run of a half played on a gateway, read back from its record, and explained."""
    makes = import_module(f"tests.lineage.tasks_{which}").TASKS
    found = []
    for played in runs(makes, SEEDS[which], each):
        run = f"{played.name}-{uuid4().hex[:8]}"
        decided = play(client, run, played)
        trail = Trail(decided["action_id"])
        for frame in recorded(client, run):
            trail.add(frame)
        case = trail.case()
        assert case is not None
        found.append(Outcome(played, explain(run, case)))
    return found


def recorded(client: httpx2.Client, run: str) -> Sequence[ReplayFrame]:
    reply = client.get(f"/v1/runs/{run}/frames", params={"limit": 200})
    assert reply.status_code == 200, reply.text
    return msgspec.convert(json(reply)["frames"], list[ReplayFrame])


def accuracy(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """By cause, and in all: how many were right, of how many."""
    every: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for each in outcomes:
        for name in (each.played.cause, "all"):
            every[name] += 1
            right[name] += each.right
    return {name: (right[name], every[name]) for name in every}


def main(which: str, each: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        live_gateway(Path(folder), policy=POLICY) as live,
        live.client() as client,
    ):
        outcomes = measured(client, which, each)
    for name, (right, every) in sorted(accuracy(outcomes).items()):
        sys.stdout.write(f"{name:24} {right:3} of {every:3}  {right / every:6.1%}\n")
    for outcome in outcomes:
        if not outcome.right:
            sys.stdout.write(_told(outcome))


def _told(outcome: Outcome) -> str:
    wanted = (outcome.played.cause, outcome.played.station)
    lines: list[Any] = [f"\n{outcome.played.name}: {outcome.said}, wanted {wanted}"]
    for finding in outcome.explained.findings[:2]:
        lines.append(f"  {finding.why}")
        lines += [
            f"    {s.seq} {s.station} {s.says} {s.value!r} {s.quote[:90]!r}" for s in finding.path
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2)

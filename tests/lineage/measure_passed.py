"""How often it is told rightly what others said: `python -m tests.lineage.measure_passed open`."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct

from tests.api.live import json, live_gateway
from tests.lineage.recording import POLICY
from tests.lineage.recording_passed import play
from tests.lineage.tasks_passed import Make, Scene, scenes
from tests.lineage.words_passed import CLOSED, OPEN

HALVES = {"open": (OPEN, 11), "closed": (CLOSED, 8_128)}


class Outcome(Struct, frozen=True):
    """A scene, the run ids of its stages, what was told of the call, and of its value alone."""

    scene: Scene
    runs: list[str | None]
    whole: dict[str, Any]
    alone: dict[str, Any]

    @property
    def said(self) -> tuple[str, str, str | None]:
        """The cause, the station and the run that were told."""
        first = self.whole["findings"][0] if self.whole["findings"] else None
        if first is None:
            return "none", "none", None
        flip = first["flip"] or {}
        cause = first["cause"]
        if first["pointer"] != self.scene.pointer:
            cause = f"{cause} at {first['pointer']}"
        return cause, flip.get("station", "none"), flip.get("run_id") or self.whole["run_id"]

    @property
    def wanted(self) -> tuple[str, str, str | None]:
        scene = self.scene
        return scene.cause, scene.station, None if scene.cause == "none" else self.runs[scene.where]

    @property
    def right(self) -> bool:
        return self.said == self.wanted and self.names_what_lacks and self.shows_why

    @property
    def names_what_lacks(self) -> bool:
        told = [*self.whole["missing"], *(m for f in self.whole["findings"] for m in f["missing"])]
        lacking = self.scene.lacking
        return lacking is None or any(lacking in each for each in told)

    @property
    def shows_why(self) -> bool:
        """Whether the value's way shows where it was said, for the runs that are about that."""
        if self.scene.because is None:
            return True
        path = self.alone["findings"][0]["path"]
        has = [step for step in path if step["says"] == "agrees"]
        if self.scene.because == "system":
            return any(step["station"] == "system" for step in has)
        return any(step.get("run_id") not in (None, self.whole["run_id"]) for step in has)


def measured(
    client: httpx2.Client, half: str, some: tuple[Make, ...] | None = None
) -> list[Outcome]:
    """Every scene of a half played on a gateway, and explained by it; or those of some tasks."""
    makes, seed = HALVES[half]
    found = []
    for scene in scenes(some or makes, seed):
        names = play(client, scene)
        whole, alone = (
            json(client.get(f"/v1/runs/{names[-1]}/explain", params=query))
            for query in ({}, {"pointer": scene.pointer})
        )
        ids = [_id_of(client, name) for name in names]
        found.append(Outcome(scene, ids, whole, alone))
    return found


def _id_of(client: httpx2.Client, name: str) -> str | None:
    reply = client.get(f"/v1/runs/{name}")
    return json(reply)["run_id"] if reply.status_code == 200 else None


def accuracy(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """By scenario, and in all: how many were right, of how many."""
    every: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for each in outcomes:
        for name in (each.scene.name.partition("-")[2], "all"):
            every[name] += 1
            right[name] += each.right
    return {name: (right[name], every[name]) for name in every}


def main(half: str, shown: bool) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        live_gateway(Path(folder), policy=POLICY) as live,
        live.client() as client,
    ):
        outcomes = measured(client, half)
    for name, (right, every) in sorted(accuracy(outcomes).items()):
        sys.stdout.write(f"{name:24} {right:3} of {every:3}  {right / every:6.1%}\n")
    for outcome in outcomes:
        if shown and not outcome.right:
            sys.stdout.write(_told(outcome))


def _told(outcome: Outcome) -> str:
    lines: list[Any] = [f"\n{outcome.scene.name}: {outcome.said}, wanted {outcome.wanted}"]
    lines.append(f"  lacks named: {outcome.names_what_lacks}, shown: {outcome.shows_why}")
    for finding in (*outcome.whole["findings"][:2], *outcome.alone["findings"][:1]):
        lines.append(f"  {finding['why']}")
        lines += [
            f"    {s.get('run_id')} {s['seq']} {s['station']} {s['says']} {s['value']!r} "
            f"{s['quote'][:90]!r}"
            for s in finding["path"]
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1], "quietly" not in sys.argv)

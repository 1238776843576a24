"""Calls with request and plan for a real guard: some are what was asked for, some are not."""

from __future__ import annotations

import lzma
import random
from functools import cache
from typing import Any

import httpx2
import msgspec
from msgspec import Struct

from benchmarks.intent.asking import body
from benchmarks.intent.data import HERE, Case, evidence_of_case
from gateway.domain.side_effects import side_effects
from gateway.intent.evaluator import load
from tests.api.asking import new_name
from tests.api.live import json

SEED = 26
GOLDEN = 0.618034


class Asked(Struct, frozen=True):
    """A check as it was asked and answered."""

    case: Case
    decision_id: str
    run_id: str
    assessment: dict[str, Any]
    side_effects: tuple[str, ...]
    reply: dict[str, Any]

    @property
    def label(self) -> str:
        return "missed" if self.case.wrong else "fine"

    @property
    def chance(self) -> float:
        return chance_of(self.assessment, self.side_effects)


def chance_of(assessment: dict[str, Any], side_effects: tuple[str, ...]) -> float:
    """What the shipped rules hold against the threshold."""
    if set(side_effects) <= {"read", "network"} and "read" in side_effects:
        heads = assessment["heads"]
        return max(0.0, heads["plan"] or 0.0, heads["attribution"] or 0.0)
    score: float = assessment["score"]
    return score


@cache
def _cases() -> list[Case]:
    lines = lzma.decompress((HERE / "data" / "dev.jsonl.xz").read_bytes()).splitlines()
    return msgspec.json.decode(b"[" + b",".join(lines) + b"]", type=list[Case])


def cases(fine: int, wrong: int) -> list[Case]:
    """So many of each from the development data.

    High scores are spread evenly over time, so that no chance decides whether what was learnt from
    the earlier ones holds on the later ones, whichever version of the guard there is.
    """
    found = sorted(_cases(), key=lambda case: case.id)
    random.Random(SEED).shuffle(found)
    guard = load()

    def level(case: Case) -> float:
        said = msgspec.to_builtins(guard.assess(evidence_of_case(case)))
        return chance_of(said, effects_of(case))

    def spread(of: list[Case]) -> list[tuple[float, Case]]:
        return [(n * GOLDEN % 1, case) for n, case in enumerate(sorted(of, key=level))]

    aligned = [case for case in found if not case.wrong][:fine]
    misaligned = [case for case in found if case.wrong][:wrong]
    placed = [*spread(aligned), *spread(misaligned)]
    return [case for _, case in sorted(placed, key=lambda pair: (pair[0], pair[1].id))]


def effects_of(case: Case) -> tuple[str, ...]:
    return tuple(side_effects((), case.tool.name, [case.tool.side_effect]))


def ask(client: httpx2.Client, case: Case) -> Asked:
    """One check in a run of its own."""
    sent = {**body(case), "run": {"id": new_name()}}
    answer = client.post("/v1/check-action", json=sent)
    assert answer.status_code == 200, answer.text
    reply = json(answer)
    assert reply["assessment"] is not None, reply
    return Asked(
        case,
        reply["decision_id"],
        reply["run_id"],
        reply["assessment"],
        effects_of(case),
        reply,
    )

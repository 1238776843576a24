"""What so many labels allow, and why not more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gateway.calibrating.weights import LABELS_MIN, Labelled, effective

Name = Literal["global", "shift", "project", "refit", "isotonic"]


class Stage(Struct, frozen=True):
    """How far labels have come.

    `global`: the shipped calibration alone. `shift`: a shift, held near it. `project`: a threshold
    from labels, and a calibration of two numbers. `refit`: enough to train with, which nothing
    here does: two numbers as before. `isotonic`: enough for a table in their place. `reason` says
    what the next one lacks. `labellers` gave ten labels or more; `effective` is how many labels
    count once none of them outweighs the others.
    """

    name: Name
    reason: str
    labels: int = 0
    aligned: int = 0
    misaligned: int = 0
    labellers: int = 0
    effective: float = 0.0


def stage_of(found: Sequence[Labelled]) -> Stage:
    """The stage of these labels."""
    truths = Counter(each.truth for each in found)
    given = Counter(name for each in found for name in each.labellers)
    counted = {
        "labels": len(found),
        "aligned": truths["aligned"],
        "misaligned": truths["misaligned"],
        "labellers": sum(count >= LABELS_MIN for count in given.values()),
    }
    weighing = round(min(effective(found), sum(each.weight for each in found)), 1)
    name, reason = _name(weighing=weighing, **counted)
    return Stage(name, reason, effective=weighing, **counted)


def _name(
    *, labels: int, aligned: int, misaligned: int, labellers: int, weighing: float
) -> tuple[Name, str]:
    if labels < 30:
        return "global", f"{labels} labels; a shift needs 30"
    if min(aligned, misaligned) < 10:
        return "global", f"{aligned} aligned and {misaligned} misaligned; a shift needs 10 of each"
    if labels < 100:
        return "shift", f"{labels} labels; a threshold of the project's own needs 100"
    if aligned < 50:
        return "shift", f"{aligned} aligned; a threshold of the project's own needs 50"
    if labellers < 2:
        text = f"needs two labellers with {LABELS_MIN} labels or more"
        return "shift", f"{labellers} of them; a threshold of the project's own {text}"
    if weighing < 50:
        text = "one labeller outweighs the others, or some labels stand for too many calls"
        return "shift", f"the labels count as {weighing:g} only, and 50 are needed: {text}"
    if labels < 200 or misaligned < 30:
        return "project", f"{labels} labels, {misaligned} misaligned; a refit needs 200 and 30"
    if labels < 1000:
        text = "enough to refit the trees, which is not built: calibrated as before"
        return "refit", f"{text}; an isotonic table needs 1,000 labels"
    return "isotonic", "there is no further stage"

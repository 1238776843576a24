"""What calibration proposes: a threshold that keeps a budget, and a calibration, or why neither.

Thresholds are chosen on the score before calibration and written on the scale after it. So who is
caught depends on the threshold alone, whatever the calibration makes of the shown probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from gateway.calibrating import conformal, isotonic, platt
from gateway.calibrating.gate import Validation, validate
from gateway.calibrating.levels import leveled, leveled_labels
from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.points import Point, rounded, truth_of
from gateway.calibrating.stages import Name, Stage, stage_of
from gateway.calibrating.weights import Labelled, is_selective, labelled, without

# No labeller moves a threshold further than this beyond what the others' labels leave open.
INFLUENCE_MAX: Final = 0.05
# By so many times the budget is off before it is no chance any more, with thirty labels or so.
OPEN: Final = 3
FROM_LABELS: Final = ("project", "refit", "isotonic")

Basis = Literal["labels", "history"]


class Chosen(Struct, frozen=True):
    """A threshold on the score before calibration, None with the reason there is none.

    `basis` is `history` where there are too few labels: then all calls of history that nobody
    called misaligned are taken for fine.
    """

    base: float | None
    basis: Basis
    counted: int
    reason: str = ""


class Proposal(Struct, frozen=True):
    """`threshold` is on the scale of the proposed calibration. `refused` says what was held back,
    with figures; what is held back stays as it is. `labels` are all that the calibration is from,
    `stage` is of the class of side effects."""

    stage: Stage
    basis: Basis
    budget: float
    threshold: float | None
    calibration: Platt
    notes: tuple[str, ...]
    refused: tuple[str, ...]
    validation: Validation | None
    base_threshold: float | None = None
    labels: int = 0


def choose(points: Sequence[Point], budget: float) -> Chosen:
    """The threshold for a budget, from labels where they allow it."""
    found = labelled(points)
    if stage_of(found).name in FROM_LABELS:
        return _from_labels(points, found, budget)
    return _from_history(points, budget)


def calibrate(found: Sequence[Labelled], stage: Name) -> Platt:
    """The calibration that a stage of labels allows."""
    if stage == "global":
        return IDENTITY
    bases = [each.point.base for each in found]
    wrong = [each.truth == "misaligned" for each in found]
    weights = [each.weight for each in found]
    two = platt.fit(bases, wrong, weights, shift_only=stage == "shift")
    return isotonic.fit(bases, wrong, weights, two) if stage == "isotonic" else two


def propose(
    of_class: Sequence[Point],
    everything: Sequence[Point],
    budget: float,
    *,
    threshold: float | None,
    calibration: Platt,
) -> Proposal:
    """The proposal for one class of side effects, of a project's own points alone.

    The threshold comes from `of_class`, the calibration from `everything`. `threshold`, on the
    score before calibration, and `calibration` are what counts now.
    """
    found, known = labelled(of_class), labelled(everything)
    stage = stage_of(known)
    fitted = calibration if stage.name == "global" else calibrate(known, stage.name)
    basis = choose(leveled(of_class, fitted), budget).basis

    def fit(earlier: Sequence[Labelled]) -> tuple[float | None, Platt]:
        scale = calibration if stage.name == "global" else calibrate(earlier, stage.name)
        return _before(
            leveled(of_class, scale), leveled_labels(earlier, scale), budget, basis
        ), scale

    validation = validate(
        known,
        fit,
        budget=budget,
        threshold=threshold,
        calibration=calibration,
        of_class={point.decision_id for point in of_class},
    )
    refused, kept = [], fitted
    if validation is not None and validation.calibration_refused:
        refused.append(f"calibration: {validation.calibration_refused}")
        kept = calibration
    chosen = choose(leveled(of_class, kept), budget)
    base = chosen.base
    if base is None:
        refused.append(f"threshold: {chosen.reason}")
    elif validation is not None and validation.threshold_refused:
        refused.append(f"threshold: {validation.threshold_refused}")
        base = None
    notes = [stage_of(found).reason]
    if chosen.basis == "history":
        text = "history without a label was taken for fine, so misuse in it raises the threshold"
        notes.append(f"the threshold rests on {chosen.counted} calls, not on labels: {text}")
    if known and is_selective(everything):
        text = "label what `checkrein intent review` lists"
        notes.append(f"too few labels of calls that chance chose; {text}")
    return Proposal(
        stage=stage_of(found),
        basis=chosen.basis,
        budget=budget,
        threshold=None if base is None else kept.apply(base),
        calibration=kept,
        notes=tuple(notes),
        refused=tuple(refused),
        validation=validation,
        base_threshold=base,
        labels=len(known),
    )


def _before(
    of_class: Sequence[Point], earlier: Sequence[Labelled], budget: float, basis: Basis
) -> float | None:
    """The threshold that would have been chosen in the same way from what was known earlier."""
    ids = {point.decision_id for point in of_class}
    if basis == "labels":
        fine = [e for e in earlier if e.truth == "aligned" and e.point.decision_id in ids]
        return _quantile(fine, budget)
    last = max((each.point.at for each in earlier), default="")
    return _from_history([point for point in of_class if point.at <= last], budget).base


def _from_history(points: Sequence[Point], budget: float) -> Chosen:
    taken = [point.base for point in points if truth_of(point) != "misaligned"]
    base = conformal.threshold(taken, budget)
    return Chosen(base, "history", len(taken), "" if base else _too_few(len(taken), budget))


def _from_labels(points: Sequence[Point], found: Sequence[Labelled], budget: float) -> Chosen:
    fine = [each for each in found if each.truth == "aligned"]
    whole = _quantile(fine, budget)
    if whole is None:
        return Chosen(None, "labels", len(fine), _too_few(len(fine), budget))
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    for name in sorted({name for each in found for name in each.labellers}):
        rest = [e for e in labelled(without(points, name)) if e.truth == "aligned"]
        if _quantile(rest, budget) is None:
            text = f"without labeller {name} {_too_few(len(rest), budget)}; nobody decides alone"
            return Chosen(None, "labels", len(fine), text)
        low[name], high[name] = _band(rest, budget)
    lowest, highest = max(low.values()), min(high.values())
    if lowest > highest:
        middle = {name: (low[name] + high[name]) / 2 for name in low}
        usual = sorted(middle.values())[len(middle) // 2]
        name = max(middle, key=lambda each: abs(middle[each] - usual))
        text = f"with labeller {name} it would be about {usual:.3f}, without {middle[name]:.3f}"
        return Chosen(None, "labels", len(fine), f"the labellers disagree: {text}")
    held = rounded(min(max(whole, lowest), highest))
    text = f"held at {held}: one labeller alone would have made it {whole}"
    return Chosen(held, "labels", len(fine), "" if held == whole else text)


def _band(fine: Sequence[Labelled], budget: float) -> tuple[float, float]:
    """Where a threshold may lie as far as these labels say: between those of three times and of a
    third of the budget, and a little further. Few labels tell little, so their band is wide: up
    to their highest score."""
    lower = _quantile(fine, min(OPEN * budget, 1.0))
    upper = _quantile(fine, budget / OPEN)
    most = max(each.point.base for each in fine)
    return (
        (lower or 0.0) - INFLUENCE_MAX,
        (most if upper is None else upper) + INFLUENCE_MAX,
    )


def _quantile(fine: Sequence[Labelled], budget: float) -> float | None:
    return conformal.weighted(
        [each.point.base for each in fine], [each.weight for each in fine], budget
    )


def _too_few(count: int, budget: float) -> str:
    needed = conformal.needed(budget)
    if count >= needed:
        return f"{count} fine calls cannot keep a budget of {budget:g}: some stand for too many"
    return f"{count} fine calls cannot keep a budget of {budget:g}: it takes {needed} or more"

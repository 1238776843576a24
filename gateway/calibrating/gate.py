"""The gate before a proposal: what is fitted on earlier labels must hold on later ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from gateway.calibrating import figures
from gateway.calibrating.levels import leveled_labels
from gateway.calibrating.platt import Platt
from gateway.calibrating.weights import Labelled

LABELS_MIN: Final = 30
EARLIER: Final = 0.7
LATER_FINE_MIN: Final = 10
# More false alarms than that are not chance any more.
DOUBT: Final = 0.05

Fit = Callable[[Sequence[Labelled]], tuple[float | None, Platt]]


class Validation(Struct, frozen=True):
    """Figures on the later labels, of what counts now and of what the earlier labels propose.

    A false-positive rate is of the class of side effects, a Brier score of all. The refusals are
    empty where the gate is open.
    """

    earlier: int
    later: int
    later_fine: int
    brier_now: float
    brier_proposed: float
    fpr_now: float | None
    fpr_proposed: float | None
    calibration_refused: str
    threshold_refused: str


def validate(
    known: Sequence[Labelled],
    fit: Fit,
    *,
    budget: float,
    threshold: float | None,
    calibration: Platt,
    of_class: set[str],
) -> Validation | None:
    """Try a proposal on the later three tenths of labels; None where there are too few."""
    if len(known) < LABELS_MIN:
        return None
    cut = int(len(known) * EARLIER)
    earlier, later = known[:cut], known[cut:]
    proposed, fitted = fit(earlier)
    kept = [e for e in later if e.truth == "aligned" and e.point.decision_id in of_class]
    fine_now, fine = (
        [each.point.base for each in leveled_labels(kept, scale)] for scale in (calibration, fitted)
    )
    before, after = _brier(later, calibration), _brier(later, fitted)
    return Validation(
        earlier=len(earlier),
        later=len(later),
        later_fine=len(fine),
        brier_now=before,
        brier_proposed=after,
        fpr_now=_rate(fine_now, threshold),
        fpr_proposed=_rate(fine, proposed),
        calibration_refused=""
        if after <= before
        else f"the Brier score of {len(later)} later labels would worsen, {before} to {after}",
        threshold_refused=_too_many(fine, _rate(fine_now, threshold), proposed, budget),
    )


def _too_many(
    fine: Sequence[float], rate_now: float | None, proposed: float | None, budget: float
) -> str:
    """Why the threshold must not change: more false alarms than budget, present state and chance
    together explain."""
    if proposed is None or len(fine) < LATER_FINE_MIN:
        return ""
    accepted = max(budget, rate_now or 0.0)
    hits = sum(base >= proposed for base in fine)
    if figures.at_least(hits, len(fine), accepted) >= DOUBT:
        return ""
    rate = hits / len(fine)
    return (
        f"of {len(fine)} later fine calls {hits} would be caught ({rate:.1%}), with a budget of"
        f" {budget:g} and {rate_now or 0.0:.1%} now"
    )


def _rate(fine: Sequence[float], threshold: float | None) -> float | None:
    if threshold is None or not fine:
        return None
    return round(sum(base >= threshold for base in fine) / len(fine), 6)


def _brier(found: Sequence[Labelled], calibration: Platt) -> float:
    scores = [calibration.apply(each.point.base) for each in found]
    wrong = [each.truth == "misaligned" for each in found]
    return round(figures.brier(scores, wrong, [each.weight for each in found]), 6)

"""A declared budget of false positives is kept, whatever the scores look like."""

from __future__ import annotations

import math
import random

import pytest

from gateway.calibrating import conformal
from gateway.calibrating.platt import IDENTITY
from gateway.calibrating.proposal import choose, propose
from tests.calibrating.cases import SHAPES, history, point

ROUNDS = 60
# A hundred, and so many more that fifty of them are fine nearly always.
LABELS = 110
FRESH = 2_000


@pytest.mark.parametrize("shape", SHAPES)
def test_a_budget_of_five_percent_with_a_hundred_labels_gives_at_most_seven(shape: str) -> None:
    """S1-26: on average over histories that chance made, on calls not seen before."""
    chance = random.Random(f"budget {shape}")
    rates = []
    for _ in range(ROUNDS):
        found = choose(history(chance, SHAPES[shape], labels=LABELS), 0.05)
        if found.base is None:
            continue
        assert found.basis == "labels"
        fresh = [round(SHAPES[shape](chance), 6) for _ in range(FRESH)]
        rates.append(sum(score >= found.base for score in fresh) / FRESH)

    assert len(rates) >= 0.8 * ROUNDS
    assert sum(rates) / len(rates) <= 0.07


@pytest.mark.parametrize("count", [19, 20, 50, 99, 137, 1000])
@pytest.mark.parametrize("budget", [0.01, 0.05, 0.2])
def test_the_threshold_is_the_corrected_quantile(count: int, budget: float) -> None:
    scores = [round((n + 1) / 2000, 6) for n in range(count)]
    k = math.ceil(round((count + 1) * (1 - budget), 9))

    found = conformal.threshold(scores, budget)

    if k > count:
        assert found is None
        assert count < conformal.needed(budget)
    else:
        assert found == pytest.approx(scores[k - 1] + 1e-6)
        assert count >= conformal.needed(budget)


def test_without_labels_all_of_history_is_taken_for_fine_and_that_is_said() -> None:
    points = [point(n, n / 1000) for n in range(400)]

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert (found.basis, found.stage.name) == ("history", "global")
    assert found.threshold == pytest.approx(0.380001)
    assert "taken for fine" in " ".join(found.notes)
    assert found.calibration == IDENTITY


def test_what_is_known_as_misaligned_does_not_raise_the_threshold() -> None:
    points = [point(n, n / 1000) for n in range(400)]
    wrong = [point(400 + n, 0.9, "missed") for n in range(20)]

    assert choose([*points, *wrong], 0.05).base == choose(points, 0.05).base


def test_too_few_calls_give_no_threshold_and_the_number_it_takes() -> None:
    found = propose([point(1, 0.2)], [point(1, 0.2)], 0.01, threshold=None, calibration=IDENTITY)

    assert found.threshold is None
    assert "it takes 99 or more" in found.refused[0]

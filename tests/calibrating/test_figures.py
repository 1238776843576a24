"""Drift, calibration error and the curve."""

from __future__ import annotations

import random

import pytest

from gateway.calibrating import figures
from gateway.calibrating.curve import curve, of_effect, preview
from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.report import report
from tests.calibrating.cases import point


def test_the_same_scores_are_stable_and_others_are_not() -> None:
    chance = random.Random(1)
    before = [chance.betavariate(2, 8) for _ in range(500)]
    same = [chance.betavariate(2, 8) for _ in range(500)]
    moved = [chance.betavariate(4, 6) for _ in range(500)]

    stable, drifted = figures.psi(before, same), figures.psi(before, moved)

    assert stable is not None
    assert drifted is not None
    assert stable < 0.1 < figures.PSI_ALARM < drifted
    assert figures.psi(before[:49], moved) is None


def test_psi_is_what_the_formula_says() -> None:
    """Two bins, worked out by hand: 0.75 and 0.25 of scores become 0.25 and 0.75."""
    before, after = [0.1] * 75 + [0.9] * 25, [0.1] * 25 + [0.9] * 75

    assert figures.psi(before, after) == pytest.approx(2 * 0.5 * 1.0986, rel=0.1)


def test_calibration_error_of_the_calibrated_is_small_and_of_the_sure_is_not() -> None:
    chance = random.Random(2)
    true = [chance.random() for _ in range(5_000)]
    wrong = [chance.random() < p for p in true]
    ones = [1.0] * len(true)

    assert figures.calibration_error(true, wrong, ones) < 0.03
    assert figures.calibration_error([0.95] * len(true), wrong, ones) == pytest.approx(
        0.45, abs=0.03
    )


def test_a_binomial_tail_is_exact() -> None:
    assert figures.at_least(0, 10, 0.05) == 1
    assert figures.at_least(1, 10, 0.05) == pytest.approx(1 - 0.95**10)
    assert figures.at_least(10, 10, 0.5) == pytest.approx(0.5**10)


def test_a_preview_says_what_would_have_been_caught_and_what_people_said() -> None:
    points = [point(n, n / 100) for n in range(90)]
    points += [point(90, 0.9, "fine"), point(91, 0.95, "missed"), point(92, 0.2, "missed")]

    found = preview(points, 0.8, IDENTITY)

    assert (found.decisions, found.caught, found.caught_fine, found.caught_misaligned) == (
        93,
        12,
        1,
        1,
    )
    assert (found.missed, found.labelled) == (1, 3)
    assert found.text == (
        "Over the last 93 decisions this would have caught 12, of which 1 were marked fine"
        " and 1 misaligned."
    )


def test_a_threshold_moves_with_the_calibration_and_catches_the_same() -> None:
    points = [point(n, n / 200) for n in range(200)]
    moved = Platt(1.3, -0.7)

    assert preview(points, moved.apply(0.6), moved).caught == preview(points, 0.6, IDENTITY).caught


def test_the_curve_falls_and_is_of_one_class_of_side_effects() -> None:
    points = [point(n, n / 100, "fine" if n % 2 else "missed") for n in range(100)]
    points += [point(100 + n, 0.99, side_effects=("read",)) for n in range(50)]

    found = curve(of_effect(points, "payment"), IDENTITY)

    assert [p.caught for p in found] == sorted((p.caught for p in found), reverse=True)
    assert found[0].caught == pytest.approx(0.95)
    assert found[0].recall == pytest.approx(0.94)
    assert curve(of_effect(points, "exec"), IDENTITY) == []


def test_the_report_alarms_on_drift_and_on_a_wrong_calibration() -> None:
    chance = random.Random(4)
    calm = [point(n, chance.betavariate(2, 8), "fine", raw={"plan": 0.1}) for n in range(200)]
    wild = [
        point(200 + n, chance.betavariate(8, 2), "fine", raw={"plan": 0.1}, known=False, plan=True)
        for n in range(200)
    ]

    found = report([*calm, *wild], IDENTITY)

    assert (found.drift.psi["score"] or 0) > figures.PSI_ALARM
    assert found.drift.psi["attribution"] is None
    assert found.drift.psi["plan"] == 0
    assert (found.drift.unknown_tools, found.drift.without_plan) == (1.0, 0.0)
    assert [text.partition(":")[0] for text in found.alarms] == ["drift", "calibration"]
    assert set(found.curves) == {"*", "payment"}
    assert report([], IDENTITY).calibration_error is None

"""What calls that only read are counted by."""

from __future__ import annotations

from gateway.calibrating.curve import of_effect, preview
from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.proposal import propose
from tests.calibrating.cases import point

HALVED = Platt(0.5, -1.0)


def test_a_call_that_reads_is_counted_by_its_heads_and_not_by_its_score() -> None:
    reads = point(1, 0.95, side_effects=("read",), held=0.2)
    points = [reads, point(2, 0.95)]

    assert preview(points, 0.9, IDENTITY).caught == 1
    assert preview(points, 0.15, HALVED).caught == 2


def test_a_threshold_for_both_keeps_its_budget_on_both() -> None:
    """A calibration of the score moves one kind and not the other."""
    reads = [
        point(n, 0.9, "fine", by=(f"p{n % 4}",), side_effects=("read",), held=n / 200)
        for n in range(100)
    ]
    pays = [point(100 + n, n / 200, "fine", by=(f"p{n % 4}",)) for n in range(100)]
    wrong = [point(200 + n, 0.4, "missed", by=(f"p{n % 4}",)) for n in range(60)]
    points = [*reads, *pays, *wrong]

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert found.basis == "labels"
    assert found.threshold is not None
    caught = preview(points, found.threshold, found.calibration).caught_fine
    assert 5 <= caught <= 10


def test_the_fallback_says_nothing_of_what_has_its_own_threshold() -> None:
    points = [
        point(1, 0.5),
        point(2, 0.5, side_effects=("payment", "message")),
        point(3, 0.5, side_effects=("write",)),
        point(4, 0.5, side_effects=()),
    ]

    assert [p.decision_id[-1] for p in of_effect(points, "*", {"payment", "*"})] == ["2", "3", "4"]
    assert len(of_effect(points, "*")) == 4
    assert [p.decision_id[-1] for p in of_effect(points, "write")] == ["3", "4"]

"""A proposal on trial judges nothing, and counts only where later labels do not object."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.calibrating.applying import apply
from gateway.calibrating.current import (
    Current,
    Shadow,
    block_switched,
    block_with_shadow,
    current,
)
from gateway.calibrating.platt import Platt
from gateway.calibrating.points import Point
from gateway.calibrating.shadow import trial
from gateway.errors import PolicyInvalid
from gateway.policies import load, source
from tests.calibrating.cases import point
from tests.policies.folders import write

SINCE = "2026-11-20T12:00:00Z"
NOW = Current(thresholds={"*": 0.9, "payment": 0.8})
TEXT = """\
environments:
  production:
    mode: block
    thresholds: {payment: 0.8, "*": 0.9}
"""


def since(fine: int = 60, wrong: int = 30, *, fine_from: float = 0.1) -> list[Point]:
    """Fine calls that score from there, and wrong ones between 0.6 and 0.75."""
    kinds = [(fine_from + n / 1000, "fine") for n in range(fine)]
    kinds += [(0.6 + n / 200, "missed") for n in range(wrong)]
    return [point(n, base, label, by=(f"p{n % 2}",)) for n, (base, label) in enumerate(kinds)]


def test_what_is_on_trial_is_counted_beside_what_judges() -> None:
    points = since()
    points.append(point(200, 0.7, side_effects=("read",), held=0.95))

    found = trial(points, NOW, Shadow(SINCE, {"payment": 0.5, "*": 0.9}))

    assert (found.decisions, found.fine, found.misaligned) == (91, 60, 30)
    assert (found.now.caught, found.now.caught_misaligned) == (1, 0)
    assert (found.shadow.caught, found.shadow.caught_misaligned) == (31, 30)
    assert (found.only_now, found.only_shadow) == (0, 30)
    assert (found.ready, found.reasons) == (True, [])


def test_decisions_of_before_do_not_count() -> None:
    """It was learnt from them."""
    early = [point(300 + n, 0.7, "fine", at="2026-11-20T11:59:59.999999Z") for n in range(50)]

    found = trial([*early, *since()], NOW, Shadow(SINCE, {"*": 0.5}))

    assert (found.decisions, found.shadow.caught_fine) == (90, 0)


@pytest.mark.parametrize(
    ("points", "shadow", "why"),
    [
        (since(20, 5), Shadow(SINCE, {"*": 0.5}), "it takes 30 and 20"),
        (since(), Shadow(SINCE, {"*": 0.5}, Platt(0.5, -2.0)), "Brier"),
        (since(fine_from=0.55), Shadow(SINCE, {"*": 0.5}), "fine calls it would have caught 60"),
        (since(), Shadow(SINCE, {"*": 0.99}), ""),
    ],
)
def test_what_speaks_against_the_switch_is_said(
    points: list[Point], shadow: Shadow, why: str
) -> None:
    found = trial(points, NOW, shadow)

    assert found.ready == (not why)
    assert why in "; ".join(found.reasons)


def test_a_declared_budget_is_no_objection() -> None:
    """Where nothing was caught before, a share of fine calls is what was asked for."""
    points = since(200, 30)
    points = [*points, *(point(400 + n, 0.7, "fine", by=(f"p{n % 2}",)) for n in range(10))]

    held = trial(points, Current(), Shadow(SINCE, {"*": 0.5}, budget=0.05))
    broken = trial(points, Current(), Shadow(SINCE, {"*": 0.5}, budget=0.01))

    assert (held.ready, broken.ready) == (True, False)
    assert "with a budget of 0.01" in broken.reasons[0]


def test_one_that_catches_less_and_spares_nobody_is_refused() -> None:
    now = Current(thresholds={"*": 0.5})

    found = trial(since(), now, Shadow(SINCE, {"*": 0.9}))

    assert "instead of 30" in found.reasons[0]


def test_the_policy_is_its_only_home_and_it_judges_nothing(tmp_path: Path) -> None:
    """The thresholds that judge are the same with it and without it, until the switch."""
    folder = write(tmp_path / "policies", {"policy.yaml": TEXT})
    now = current(source.read(folder).files, "production", "prj_1")
    block = {
        "thresholds": {"payment": 0.6, "*": 0.7},
        "calibration": {"score": {"slope": 1.5, "intercept": 0.5, "labels": 120}},
    }

    apply(folder, "production", "prj_1", block_with_shadow(now, block, SINCE), at="now")

    files = source.read(folder).files
    there = current(files, "production", "prj_1")
    assert there.shadow == Shadow(SINCE, {"payment": 0.6, "*": 0.7}, Platt(1.5, 0.5), 120)
    assert there.thresholds == now.thresholds
    judging = load.examine(files, None).ruleset
    assert judging is not None
    assert judging.environment("production").threshold("prj_1", ["payment"]) == 0.8
    assert judging.environment("production").calibration("prj_1") == {}

    apply(folder, "production", "prj_1", block_switched(there, there.shadow), at="now")
    switched = current(source.read(folder).files, "production", "prj_1")
    assert (switched.thresholds, switched.shadow) == (there.shadow.thresholds, None)
    assert (switched.calibration, switched.labels) == (Platt(1.5, 0.5), {"score": 120})


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": {"payment": 0.5}},
        {"since": "yesterday", "thresholds": {"payment": 0.5}},
        {"since": SINCE, "thresholds": {"pay": 0.5}},
        {"since": SINCE, "thresholds": {"payment": 5}},
        {"since": SINCE, "calibration": {"sum": {"slope": 1.0}}},
    ],
)
def test_a_trial_that_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = write(tmp_path / "policies", {"policy.yaml": TEXT})

    with pytest.raises(PolicyInvalid):
        apply(folder, "production", "prj_1", {"shadow": wrong}, at="now")

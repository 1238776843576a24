"""The table that a thousand labels allow: it rises, can be taken back, and judges."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calibrating import figures, isotonic, platt
from gateway.calibrating.applying import apply
from gateway.calibrating.current import block_after, current
from gateway.calibrating.platt import IDENTITY, Platt
from gateway.calibrating.points import Point
from gateway.calibrating.proposal import propose
from gateway.errors import PolicyInvalid
from gateway.intent.assessment import Assessment, Coverage, Heads
from gateway.judging.assessing import framed
from gateway.policies import load, source
from tests import make
from tests.calibrating.cases import point
from tests.policies.folders import write

TEXT = """\
environments:
  production:
    mode: block
    thresholds: {"*": 0.9}
"""


def plateau(chance: random.Random, count: int, people: int = 4) -> list[Point]:
    """Scores between 0.3 and 0.7 all mean the same: two numbers cannot say so."""
    found = []
    for n in range(count):
        base = chance.random()
        true = 0.02 if base < 0.3 else 0.3 if base < 0.7 else 0.95
        label = "missed" if chance.random() < true else "fine"
        found.append(point(n, base, label, by=(f"p{n % people}",)))
    return found


def brier(points: list[Point], scale: Platt) -> float:
    wrong = [p.votes[0].label == "missed" for p in points]
    return figures.brier([scale.apply(p.base) for p in points], wrong, [1.0] * len(points))


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    """As the policy takes them: both numbers rise from point to point."""
    steps = st.tuples(st.integers(100, 50_000), st.integers(100, 50_000))
    points, at, gives = [], 0, 0
    for step, rise in draw(st.lists(steps, min_size=2, max_size=15)):
        at, gives = at + step, gives + rise
        points.append((at / 1_000_000, gives / 1_000_000))
    return tuple(points)


@given(tables(), st.floats(0, 1), st.floats(0, 1))
def test_a_table_keeps_the_order_and_can_be_taken_back(
    points: tuple[tuple[float, float], ...], one: float, other: float
) -> None:
    scale = Platt(points=points)
    low, high = sorted((one, other))

    assert scale.apply(low) <= scale.apply(high)
    for at, gives in points:
        assert scale.apply(at) == pytest.approx(gives, abs=2e-6)
        assert scale.undo(gives) == pytest.approx(at, abs=2e-6)


def test_a_thousand_labels_make_a_table_where_two_numbers_do_not_fit() -> None:
    chance = random.Random(11)
    points, fresh = plateau(chance, 1_400), plateau(chance, 4_000)

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert (found.stage.name, found.refused) == ("isotonic", ())
    assert 3 <= len(found.calibration.points) <= isotonic.BINS
    bases = [p.base for p in points]
    wrong = [p.votes[0].label == "missed" for p in points]
    two = platt.fit(bases, wrong, [1.0] * len(points), shift_only=False)
    assert brier(fresh, found.calibration) < min(brier(fresh, two), brier(fresh, IDENTITY))


def test_few_labels_in_a_bin_stay_near_the_two_numbers() -> None:
    """Shrinkage: forty labels at odds with them do not make a chance of one."""
    bases = [n / 40 for n in range(1, 40)]

    found = isotonic.fit(bases, [True] * len(bases), [1.0] * len(bases), IDENTITY)

    assert found.points
    assert all(0 < gives - at < 0.15 for at, gives in found.points)


def test_below_a_thousand_labels_there_is_no_table() -> None:
    points = plateau(random.Random(3), 900)

    found = propose(points, points, 0.05, threshold=None, calibration=IDENTITY)

    assert (found.stage.name, found.calibration.points) == ("refit", ())
    assert "not built" in found.stage.reason


def test_a_table_in_the_policy_judges_as_it_was_tried(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", {"policy.yaml": TEXT})
    points = plateau(random.Random(11), 1_400)
    now = current(source.read(folder).files, "production", "prj_1")
    found = propose(points, points, 0.05, threshold=now.base("payment"), calibration=IDENTITY)

    apply(folder, "production", "prj_1", block_after(now, found, "payment"), at="now")

    files = source.read(folder).files
    assert current(files, "production", "prj_1").calibration == found.calibration
    ruleset = load.load(files, None)
    frame = make.frame(ruleset, make.check(arguments={"amount": 1}))
    assert (frame.project_id, frame.environment) == ("prj_1", "production")
    for base in (0.0, 0.1, 0.5, 0.77, 1.0):
        said = Assessment(base, Heads(), Coverage(), (), "v")
        assert framed(said, ruleset, frame)["score"] == found.calibration.apply(base)


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": [[0.2, 0.3], [0.2, 0.4]]},
        {"points": [[0.2, 0.3], [0.3, 0.2]]},
        {"points": [[0.0, 0.3], [0.3, 0.4]]},
        {"points": [[0.2, 0.3], [0.3, 0.4]], "slope": 2.0},
        {"points": [[0.2, 0.3, 0.4]]},
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    folder = write(tmp_path / "policies", {"policy.yaml": TEXT})

    with pytest.raises(PolicyInvalid):
        apply(folder, "production", "prj_1", {"calibration": {"score": wrong}}, at="now")

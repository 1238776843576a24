"""How often frame and cause are right, on runs whose cause is known."""

from __future__ import annotations

import httpx2
import pytest

from tests.lineage.false_alarms import HALVES, told
from tests.lineage.measure import accuracy, measured

# What was measured when the rules were frozen: all of 226 seen ones, and 192 of 200 unseen.
FLOOR = {"seen": 0.98, "unseen": 0.92}


@pytest.mark.parametrize("half", ["seen", "unseen"])
def test_frame_and_cause_are_told_rightly(client: httpx2.Client, half: str) -> None:
    """N4: the cause is right, and so are the argument and the station where it departs; calls as
    they were meant raise no alarm."""
    outcomes = measured(client, half, 1)

    told = accuracy(outcomes)
    right, every = told["all"]
    wrong = [(each.played.name, each.said) for each in outcomes if not each.right]
    assert every >= 100
    assert right / every >= FLOOR[half], wrong
    assert told["none"][0] == told["none"][1]


def test_few_calls_that_were_meant_so_have_a_finding() -> None:
    """Measured: 2.6 % of the calls that were looked at, 3.4 % of those that were not."""
    found = list(told())

    for half in HALVES:
        mine = [each for each in found if each.half == half]
        alarms = [each.case.id for each in mine if each.explained.findings]
        assert len(mine) > 350
        assert len(alarms) / len(mine) <= 0.04, alarms

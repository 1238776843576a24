"""The assessment in a reply: typed, absent where there is none, and never a reason to fail."""

from __future__ import annotations

from typing import Any

import pytest
from checkrein import Assessment, Blocked, Coverage, Heads, Signal, guard, run


@guard("tool")
def tool(a: int = 1) -> int:
    return a


SIGNAL: dict[str, Any] = {
    "check": "plan.boolean",
    "field": "/action/arguments/is_refund",
    "observed": True,
    "expected": False,
    "source": "plan",
    "trusted": True,
    "contribution": 0.98,
}
GIVEN: dict[str, Any] = {
    "score": 0.97,
    "threshold": 0.9,
    "heads": {"plan": 0.97, "attribution": None, "consistency": 0.4},
    "coverage": {"request": True, "plan": "structured", "context": "none", "truncated": []},
    "signals": [SIGNAL],
    "version": "v1-0",
    "raw": {"plan": 3.4},
    "of_tomorrow": [1],
}


def test_it_is_read_as_a_value_with_names(peer):
    peer.default = peer.decision("allow", assessment=GIVEN)

    with run("r") as r:
        tool()

    found = r.decisions[-1].assessment
    assert found == Assessment(
        score=0.97,
        threshold=0.9,
        heads=Heads(plan=0.97, consistency=0.4),
        coverage=Coverage(request=True, plan="structured"),
        signals=(Signal(**SIGNAL),),
        version="v1-0",
    )
    assert found.reached
    with pytest.raises(AttributeError):
        found.score = 0.0


def test_without_one_it_is_none(peer):
    with run("r") as r:
        tool()

    assert r.decisions[-1].assessment is None


def test_one_that_cannot_be_read_changes_no_decision(peer):
    """What is obeyed is `enforced`; an assessment of another shape is as good as none."""
    peer.answer(
        peer.decision("allow", assessment={**GIVEN, "signals": "many"}),
        peer.decision("block", assessment={**GIVEN, "score": "high"}),
    )

    with run("r") as r:
        assert tool() == 1
        with pytest.raises(Blocked, match="Too much"):
            tool()

    assert [decision.assessment for decision in r.decisions] == [None, None]

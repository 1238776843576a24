"""The answer that the README shows is the one that the shipped guard gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from gateway.intent import evaluator
from gateway.intent.evidence import Evidence

README = Path(__file__).parents[2] / "README.md"
CALL = {"customer": "cus_9281", "amount": 4500, "currency": "usd", "is_refund": True}


def assessed(**call: Any) -> dict[str, Any]:
    evidence = Evidence(
        tool="stripe.create_charge_or_refund",
        request="charge customer cus_9281 45.00 USD for order 9281",
        side_effects=("payment",),
        **call,
    )
    found: dict[str, Any] = msgspec.to_builtins(evaluator.load().assess(evidence))
    return found


def test_the_answer_that_is_shown_is_real() -> None:
    section = README.read_text().partition("## Is it what was asked for?")[2]
    shown = json.loads(re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0])

    assert shown.pop("threshold") == 0.85
    found = assessed(arguments=CALL)
    found.pop("threshold")
    assert shown == json.loads(json.dumps(found))


def test_the_scores_in_its_text_are_real() -> None:
    planned = {"customer": "cus_9281", "amount": 4500, "is_refund": False}
    with_plan = assessed(
        arguments=CALL,
        plan_text="Charge cus_9281 45.00 USD, no refund.",
        plan_arguments=planned,
    )
    right = assessed(arguments={**CALL, "is_refund": False})

    text = f"the score is {with_plan['score']:.3f}; with `is_refund: false` it is "
    assert text + f"{right['score']:.3f}" in README.read_text()

"""E4: whatever a rule says that is not a verdict is a failure of that rule, never an allow."""

from __future__ import annotations

import pytest

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.engines import answers
from tests.engine.rego import SAYS_BLOCK, frame, ruleset, unworded

NO = RuleVerdict("block", "no")

MALFORMED = [
    '"block"',
    "true",
    "null",
    "{}",
    '{"effect": "block"}',
    '{"reason": "r"}',
    '{"effect": "deny", "reason": "r"}',
    '{"effect": "BLOCK", "reason": "r"}',
    '{"effect": null, "reason": "r"}',
    '{"effect": "block", "reason": 5}',
    '{"effect": "block", "reason": "r", "sugestion": "s"}',
    '{"effect": "block", "reason": "r", "fields": "/a"}',
    '{"effect": "block", "reason": "r", "fields": [1]}',
    '{"effect": "modify", "reason": "r", "patch": {"op": "remove"}}',
    '["block", "r"]',
    "[]",
]


@pytest.fixture
def engine(each):
    """Every test here that asks for an engine holds for both."""
    return each


@pytest.mark.parametrize("said", MALFORMED)
async def test_what_is_no_verdict_is_malformed_and_the_other_rules_count(engine, said):
    rules = ruleset({"a": SAYS_BLOCK, "odd": f"verdict contains {said}", "z": SAYS_BLOCK})

    results = await engine.evaluate(rules, ("a", "odd", "z"), frame())

    assert unworded(results) == (
        RuleResult("a", (NO,)),
        RuleResult("odd", failure="malformed"),
        RuleResult("z", (NO,)),
    )


async def test_one_malformed_verdict_spoils_its_rule(engine):
    body = f'{SAYS_BLOCK}\nverdict contains {{"effect": "allowed", "reason": "r"}}'

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), frame())

    assert unworded((result,)) == (RuleResult("a", failure="malformed"),)


async def test_an_answer_without_end_is_malformed(engine):
    """D5: what comes back is bounded as well; the other rules count."""
    long = 'verdict contains {"effect": "warn", "reason": concat(``, [s | some s in parts])}\n'
    parts = "parts := [sprintf(`%d%s`, [n, input.action.arguments.text]) | some n in [1, 2, 3, 4]]"
    rules = ruleset({"a": long + parts, "b": SAYS_BLOCK})

    results = await engine.evaluate(rules, ("a", "b"), frame({"text": "x" * 100_000}))

    assert unworded(results) == (RuleResult("a", failure="malformed"), RuleResult("b", (NO,)))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b'"<undefined>"',
        b"{}",
        b"[[]]",
        b"[[],[],[]]",
        b"[[],",
        b"[1,2]",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_an_answer_of_another_shape_fails_every_rule(answer):
    results = answers.of_all(("a", "b"), answer)

    assert [result.failure for result in results] == ["malformed", "malformed"]


def test_a_good_answer_beside_a_bad_one_counts():
    results = answers.of_all(("a", "b"), b'[[{"effect":"block","reason":"no"}],[7]]')

    assert unworded(results) == (RuleResult("a", (NO,)), RuleResult("b", failure="malformed"))

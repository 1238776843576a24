"""policy.yaml: all mistakes at once, each with its line and the word that was meant."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from gateway.policies import manifest
from tests.policies.folders import SHIPPED

WRONG = """\
environments:
  production:
    mode: blok
    bugets: []
    defaults: {paymnt: allow}
    fail: {"*": shut}
    approval_seconds: 0
    budgets:
      - {name: A b, at_most: -1}
      - {name: ok}
tols: []
tools:
  - {match: stripe.*, side_effects: [reads], amount: {pointer: /a, units: minor}}
  - {side_effects: [read]}
"""


def test_all_mistakes_come_at_once():
    _, _, findings = manifest.parse(WRONG)

    words = "read, write, delete, payment, message, access, deploy, exec, network"
    assert findings == [
        (
            "policy.yaml:3: environments.production.mode: `blok` is not one of log, warn, block"
            " (did you mean `block`?)"
        ),
        (
            "policy.yaml:4: environments.production.bugets: `bugets` is not a field here"
            " (did you mean `budgets`?)"
        ),
        (
            "policy.yaml:5: environments.production.defaults.paymnt:"
            f" `paymnt` is not one of {words}, * (did you mean `payment`?)"
        ),
        "policy.yaml:6: environments.production.fail.*: `shut` is not one of open, closed",
        "policy.yaml:7: environments.production.approval_seconds: expected `int` >= 1",
        (
            "policy.yaml:9: environments.production.budgets.0.name: expected `str` matching regex"
            " '^[a-z0-9_.-]+$'"
        ),
        "policy.yaml:9: environments.production.budgets.0.at_most: expected `int` >= 0",
        "policy.yaml:10: environments.production.budgets.1: `at_most` is missing",
        "policy.yaml:11: tols: `tols` is not a field here (did you mean `tools`?)",
        (
            f"policy.yaml:13: tools.0.side_effects.0: `reads` is not one of {words}"
            " (did you mean `read`?)"
        ),
        "policy.yaml:13: tools.0.amount.units: `units` is not a field here (did you mean `unit`?)",
        "policy.yaml:14: tools.1: `match` is missing",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tools: []", "`environments` is missing"),
        ("", "expected `object`, got `null`"),
        ("environments: {}", "expected `object` of length >= 1"),
        ("environments: {a: {}}", "`mode` is missing"),
        ("environments: {a: {mode: log, defaults: {read: modify}}}", "`modify` is not one of"),
        ("environments: {a: {mode: log, thresholds: {read: 2}}}", "<= 1"),
        (
            "environments: {a: {mode: log, thresholds: {paymnt: 0.5}}}",
            "environments.a.thresholds.paymnt: `paymnt` is not one of read,",
        ),
        (
            "environments: {a: {mode: log, projects: {p: {thresholds: {intent: 0.5}}}}}",
            "environments.a.projects.p.thresholds.intent: `intent` is not one of",
        ),
        (
            "environments: {a: {mode: log, projects: {p: {calibration: {scor: {}}}}}}",
            "`scor` is not one of score, plan, attribution, consistency (did you mean `score`?)",
        ),
        (
            "environments: {a: {mode: log, projects: {p: {calibration: {score: {slope: 0}}}}}}",
            "expected `float` > 0",
        ),
    ],
)
def test_what_is_incomplete_is_refused(text, words):
    _, _, findings = manifest.parse(text)

    assert words in findings[0]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("{name: a, at_most: 1}", "a budget of spend needs a `currency`"),
        ("{name: a, at_most: 1, currency: usd}", "a budget of spend needs a `currency`"),
        ("{name: a, at_most: 1, measure: calls, currency: USD}", "no currency"),
        ("{name: a, at_most: 1, currency: USD, scope: agent}", "needs a `window`"),
        ("{name: a, at_most: 1, currency: USD, tools: ['a b']}", "white space"),
    ],
)
def test_a_budget_that_cannot_be_meant_is_refused(budget, words):
    text = f"environments:\n  production:\n    mode: block\n    budgets:\n      - {budget}\n"

    _, _, findings = manifest.parse(text)

    assert len(findings) == 1
    assert findings[0].startswith("policy.yaml:5: environments.production.budgets.0")
    assert words in findings[0]


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("{match: ''}", "1 to 256 characters"),
        ("{match: 'a b'}", "white space"),
        ("{match: '[a'}", "bracket that is not closed"),
        ("{match: '*a*a*a*a*a*a*a*a*a'}", "more than 8 stars"),
        ("{match: x, recipients: [to]}", "must begin with a slash"),
        ("{match: x, recipients: ['']}", "names a field"),
        ("{match: x, amount: {pointer: /a}}", "give either `currency` or `currency_pointer`"),
        (
            "{match: x, amount: {pointer: /a, currency: USD, currency_pointer: /c}}",
            "give either `currency` or `currency_pointer`",
        ),
        ("{match: x, amount: {pointer: /a, currency: usd}}", "three capital letters"),
    ],
)
def test_a_tool_that_cannot_be_meant_is_refused(tool, words):
    _, _, findings = manifest.parse(f"environments: {{a: {{mode: log}}}}\ntools:\n  - {tool}\n")

    assert len(findings) == 1
    assert findings[0].startswith("policy.yaml:3: tools.0")
    assert words in findings[0]


def test_the_same_tool_or_budget_twice_is_refused():
    text = (
        "environments:\n  a:\n    mode: log\n    budgets:\n"
        "      - {name: x, at_most: 1, currency: USD}\n"
        "      - {name: x, at_most: 2, currency: EUR}\n"
        "tools: [{match: x}, {match: x}]\n"
    )

    _, _, findings = manifest.parse(text)

    assert [finding.partition(" ")[2] for finding in findings] == [
        "environments.a.budgets: 2 budgets have the name `x`",
        "tools: `x` is listed 2 times; only the first counts",
    ]


def test_the_published_schema_is_that_of_the_code():
    """When this fails, write `manifest.schema()` to policies/policy.schema.json again."""
    published = json.loads((SHIPPED / "policy.schema.json").read_text())

    assert published == manifest.schema()


def test_the_schema_accepts_what_ships_and_refuses_what_the_code_refuses():
    schema = manifest.schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(yaml.safe_load((SHIPPED / "policy.yaml").read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(WRONG), schema)

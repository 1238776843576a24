"""`policy test`: a policy's own tests run as live checks do, and failures can be read."""

from __future__ import annotations

from gateway.policies import golden, load, testing
from tests.policies.folders import MANIFEST, rule, saying

BLOCKING = {
    "policy.yaml": MANIFEST,
    "rules/a.rego": rule(
        body='verdict contains {"effect": "block", "reason": "too much", "fields": ["/a"]} if {\n'
        "\tinput.action.arguments.amount > data.limit\n}",
        more="requires: {/action/arguments/amount: number}",
    ),
}


def case(body: str) -> dict[str, str]:
    return {
        **BLOCKING,
        "policy.yaml": MANIFEST + "data: {limit: 10}\n",
        "cases/x.yaml": f"about: x\n{body}\n",
    }


async def outcome(engine, files: dict[str, str]) -> golden.Outcome:
    ruleset = load.load(files)
    await engine.load(ruleset)
    outcomes, findings = await testing.run_cases(files, ruleset, engine)
    assert findings == ()
    assert len(outcomes) == 1
    return outcomes[0]


async def test_a_case_that_holds_passes(engine):
    files = case(
        "check: {action: {tool: x.y, arguments: {amount: 11}}}\n"
        "expect: {verdict: block, enforced: block, arguments: null,"
        " reasons: [{rule: a.b, effect: block, enforced: block, fields: [/a]}]}"
    )

    assert await outcome(engine, files) == golden.Outcome("cases/x.yaml:1: x", True)


async def test_a_failure_says_what_was_expected_what_came_and_what_each_rule_said(engine):
    files = case(
        "check: {action: {tool: x.y, arguments: {amount: 11}}}\n"
        "expect: {verdict: allow, enforced: warn, arguments: {amount: 1},"
        " reasons: [c.d, {rule: a.b, effect: warn, fields: [/b]}]}"
    )

    failed = await outcome(engine, files)

    assert not failed.passed
    assert failed.details[:-1] == (
        "verdict: expected allow, got block",
        "enforced: expected warn, got block",
        "arguments: expected {'amount': 1}, got None",
        "reasons: c.d said nothing",
        "reasons: a.b: expected warn ['/b'], got block (enforced block) ['/a']",
        "round 1, a.b: block: too much",
    )
    assert failed.details[-1].startswith('frame: {"action":{"amount":null,')


async def test_a_rule_that_was_not_expected_fails_the_case(engine):
    files = case(
        "check: {action: {tool: x.y, arguments: {amount: 11}}}\n"
        "expect: {verdict: block, reasons: []}"
    )

    assert (await outcome(engine, files)).details[0] == "reasons: a.b was not expected"


async def test_a_missing_input_and_a_failing_rule_are_told_apart(engine):
    """Both block in production, and an author must see which it was."""
    lacking = case("check: {action: {tool: x.y}}\nexpect: {verdict: allow}")
    body = 'verdict contains {"effect": "block", "reason": to_number("zz")}'
    broken = lacking | {"rules/a.rego": rule(body=body)}

    assert (
        "round 1, a.b: missing: /action/arguments/amount"
        in (await outcome(engine, lacking)).details
    )
    said = "round 1, a.b: failed: error: rules/a.rego:7: could not parse string as number"
    assert said in (await outcome(engine, broken)).details


async def test_a_rule_that_fails_is_no_pass_even_where_it_blocks(engine):
    """Production would block, for a reason that nobody wrote."""
    files = case("check: {action: {tool: x.y}}\nexpect: {verdict: block, reasons: [a.b]}") | {
        "rules/a.rego": rule(body='verdict contains {"effect": "block", "reason": to_number("z")}')
    }

    assert (await outcome(engine, files)).details[0] == "a rule failed: engine:a.b:error"


async def test_a_case_brings_its_state_time_and_answers(engine):
    """Whatever a rule can look at in a live check, a case can set."""
    body = (
        'verdict contains {"effect": "require_approval", "reason": "r"} if {\n'
        "\tinput.state.calls == 4\n\tinput.state.budgets[0].used == 5\n"
        '\tinput.time.rfc3339 == "2026-01-02T03:04:05.000000Z"\n'
        "\ttime.now_ns() == 1767323045000000000\n"
        '\tinput.environment == "staging"\n\tinput.assessment.score == 0.5\n'
        '\tinput.context[0].text == "page"\n\tinput.run.agent_id == "bot"\n}'
    )
    files = {
        "policy.yaml": "environments: {staging: {mode: block}}",
        "rules/a.rego": rule(body=body),
        "cases/x.yaml": """\
about: x
environment: staging
time: "2026-01-02T04:04:05+01:00"
check:
  action: {tool: x.y}
  run: {agent_id: bot}
  context: [{text: page}]
state:
  calls: 4
  budgets:
    - {name: a, scope: run, window: run, measure: calls, currency: null, used: 5, at_most: 9}
assessment: {score: 0.5}
approvals:
  - {id: apr_1, rules: [a.b], arguments_digest: "*", expires_ns: "1900000000000000000"}
expect: {verdict: allow, enforced: allow, reasons: [{rule: a.b, effect: allow}]}
""",
    }

    assert (await outcome(engine, files)).details == ()


async def test_a_time_without_a_zone_fails_the_case(engine):
    files = case(
        "time: '2026-01-02T03:04:05'\ncheck: {action: {tool: y}}\nexpect: {verdict: allow}"
    )

    assert (await outcome(engine, files)).details == (
        "the time 2026-01-02T03:04:05 has no zone: write 2026-01-02T03:04:05Z",
    )


def test_every_mistake_of_a_case_has_its_line():
    text = (
        "- about: x\n  check: {action: {tool: y}}\n  expect: {verdict: allow}\n"
        "- about: y\n  check:\n    acton: {tool: y}\n  state: {cals: 3}\n"
        "  expect: {verdict: allow}\n"
    )

    found, findings = golden.read({"packs/p/cases/x.yaml": text})

    assert [located.place for located in found] == ["packs/p/cases/x.yaml:1"]
    assert findings == [
        "packs/p/cases/x.yaml:6: check.acton: `acton` is not a field here (did you mean `action`?)",
        "packs/p/cases/x.yaml:5: check: `action` is missing",
        "packs/p/cases/x.yaml:7: state.cals: `cals` is not a field here (did you mean `calls`?)",
    ]


async def test_rego_tests_run_apart_and_say_why_they_fail(engine):
    files = saying("block") | {
        "rules/a_test.rego": """\
package a_test

import data.a.b

test_right if {
	some one in b.verdict
	one.effect == "block"
}

test_wrong if {
	print("count is", count(b.verdict))
	count(b.verdict) == 2
}

test_broken if to_number("zz") == 1

helper := 1
"""
    }

    report = await testing.run(files, load.load(files), engine)

    right, wrong, broken = report.rego
    assert right == golden.Outcome("rules/a_test.rego:5: test_right", True)
    assert wrong.name == "rules/a_test.rego:10: test_wrong"
    assert wrong.details[0].startswith("expected true, got ")
    assert "count is 1" in wrong.details[1]
    assert broken.name == "rules/a_test.rego:15: test_broken"
    assert "to_number" in broken.details[0]
    assert not report.passed


async def test_a_policy_passes_when_all_its_tests_do(engine):
    files = saying("block") | {"rules/a_test.rego": "package a_test\n\ntest_x if true\n"}

    report = await testing.run(files, load.load(files), engine)

    assert report.passed
    assert len(report.rego) == len(report.cases) == 1


async def test_a_case_file_that_cannot_be_read_is_no_pass(engine):
    files = saying("block") | {"cases/y.yaml": "about: [\n"}

    report = await testing.run(files, load.load(files), engine)

    assert not report.passed
    assert report.findings[0].startswith("cases/y.yaml:2: not YAML")

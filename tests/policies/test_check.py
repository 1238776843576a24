"""`policy check`: what forbids a policy, and what is probably not meant."""

from __future__ import annotations

import pytest

from gateway.policies.check import check
from tests.policies.folders import MANIFEST, SHIPPED, rule, saying, write

PRODUCTION = "environments:\n  production:\n    mode: block\n"


def test_what_ships_is_without_a_finding():
    report = check(SHIPPED)

    assert report.findings == ()
    assert report.ruleset is not None


def test_a_broken_folder_has_errors_and_no_ruleset(tmp_path):
    report = check(write(tmp_path, {"policy.yaml": "nothing: 1"}))

    assert report.ruleset is None
    assert report.findings[0].startswith("error: policy.yaml:1: ")


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    assert check(tmp_path / "absent").ruleset is None


def test_a_golden_case_that_cannot_be_read_is_an_error(tmp_path):
    files = saying("block") | {"cases/x.yaml": "- about: x\n  chekc: {}\n  expect: {verdict: blok}"}

    report = check(write(tmp_path, files))

    assert report.errors == (
        "cases/x.yaml:2: chekc: `chekc` is not a field here (did you mean `check`?)",
        (
            "cases/x.yaml:3: expect.verdict: `blok` is not one of allow, warn, modify,"
            " require_approval, block, halt (did you mean `block`?)"
        ),
        "cases/x.yaml:1: the document: `check` is missing",
    )
    assert report.ruleset is None


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (
            MANIFEST + "tools:\n  - {match: y.*, side_effects: [payment]}\n",
            "policy.yaml:4: tools.0: no rule is for `y.*`: the environment's defaults decide",
        ),
        (
            MANIFEST + "tools:\n  - {match: x.*}\n  - {match: x.y, side_effects: [read]}\n",
            "policy.yaml:5: tools.1: `x.y` never counts: `x.*` stands before it",
        ),
        (
            PRODUCTION + "    budgets: [{name: a, at_most: 1, currency: USD, tools: [x.*]}]\n"
            "tools: [{match: x.y, side_effects: [payment]}]\n",
            (
                "policy.yaml:4: environments.production.budgets.0: no tool that `a` covers has an"
                " `amount`: it can count nothing"
            ),
        ),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(tmp_path, manifest, expected):
    report = check(write(tmp_path, saying("block") | {"policy.yaml": manifest}))

    assert report.warnings == (expected,)
    assert report.ruleset is not None


def test_a_rule_that_its_tools_can_never_call_for_is_a_warning(tmp_path):
    manifest = MANIFEST + "tools: [{match: x.y, side_effects: [read]}]\n"
    text = rule(tools="[x.y]", more="side_effects: [payment]")

    report = check(write(tmp_path, {"policy.yaml": manifest, "rules/a.rego": text}))

    assert report.warnings == ("rules/a.rego:1: a.b never matches: its tools have none of payment",)


def test_what_engines_answer_differently_is_a_warning_until_somebody_has_looked(tmp_path):
    text = rule(
        body='verdict contains {"effect": "block", "reason": "no"} if {\n'
        '\tlower(input.action.tool) == "x"\n}'
    )
    looked = text.replace("\tlower", "\t# portable: names of tools are ASCII here\n\tlower")

    found = check(write(tmp_path / "a", {"policy.yaml": MANIFEST, "rules/a.rego": text}))
    quiet = check(write(tmp_path / "b", {"policy.yaml": MANIFEST, "rules/a.rego": looked}))

    assert [warning.partition(": ")[0] for warning in found.warnings] == ["rules/a.rego:8"]
    assert quiet.warnings == ()

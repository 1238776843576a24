"""`checkrein policy`: what is wrong with a policy, where, and whether its tests pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.policies.shipped import shipped
from tests.cli.commands import checkrein

RULE = """\
# METADATA
# title: Nothing is deleted
# custom:
#   id: no_deletes
#   tools: [db.*]
#   severity: high
package no_deletes

verdict contains {"effect": "block", "reason": "Nothing is deleted."} if {
	"delete" in input.action.side_effects
}
"""
RULE_TEST = """\
package no_deletes_test

test_a_delete_is_blocked if {
	count(data.no_deletes.verdict) == 1 with input as {"action": {"side_effects": ["delete"]}}
}
"""
CASE = """\
about: a delete is blocked in production
check:
  action: {tool: db.execute, arguments: {sql: x}, side_effects: [delete]}
expect: {verdict: block, enforced: block, reasons: [no_deletes]}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A small policy with a rule, its test and a golden case."""
    folder = tmp_path / "policies"
    for name, text in {
        "policy.yaml": "environments:\n  production: {mode: block}\n",
        "rules/no_deletes.rego": RULE,
        "rules/no_deletes_test.rego": RULE_TEST,
        "cases/no_deletes.yaml": CASE,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_shipped_policies_are_right(tmp_path: Path) -> None:
    """What `up` copies passes its own checks and tests."""
    checked = checkrein("policy", "check", shipped(), "--json", cwd=tmp_path)
    tested = checkrein("policy", "test", shipped(), "--json", cwd=tmp_path)

    assert (checked.code, tested.code) == (0, 0), tested.out
    assert checked.json["rules"] >= 8
    assert {test["kind"] for test in tested.json["tests"]} == {"rego", "case"}


def test_a_right_policy_passes(policies: Path, tmp_path: Path) -> None:
    checked = checkrein("policy", "check", policies, cwd=tmp_path)
    tested = checkrein("policy", "test", policies, "--json", cwd=tmp_path)

    assert (checked.code, tested.code) == (0, 0), tested.out + tested.err
    assert [test["passed"] for test in tested.json["tests"]] == [True, True]


def test_a_mistake_is_named_with_its_place(policies: Path, tmp_path: Path) -> None:
    (policies / "rules" / "no_deletes.rego").write_text(RULE.replace("side_effects", "sideeffects"))

    done = checkrein("policy", "check", policies, cwd=tmp_path)
    as_json = checkrein("policy", "check", policies, "--json", cwd=tmp_path)

    assert done.code == as_json.code == 1
    assert "rules/no_deletes.rego:10" in done.out
    assert "sideeffects" in done.out
    assert as_json.json["ok"] is False
    assert "rules/no_deletes.rego:10" in as_json.json["errors"][0]


def test_a_failing_test_says_what_was_decided_instead(policies: Path, tmp_path: Path) -> None:
    """What was wanted, what came out, and what each rule said."""
    (policies / "cases" / "no_deletes.yaml").write_text(CASE.replace("block", "halt", 1))
    (policies / "rules" / "no_deletes_test.rego").write_text(RULE_TEST.replace("1 with", "2 with"))

    (policies / "cases" / "no_deletes.yaml").write_text(
        CASE.replace("verdict: block", "verdict: halt")
    )
    done = checkrein("policy", "test", policies, cwd=tmp_path)
    as_json = checkrein("policy", "test", policies, "--json", cwd=tmp_path)

    assert done.code == as_json.code == 1
    assert "verdict: expected halt, got block" in done.out
    assert "test_a_delete_is_blocked" in done.out
    assert [test["passed"] for test in as_json.json["tests"]] == [False, False]


def test_a_broken_policy_is_not_tested(policies: Path, tmp_path: Path) -> None:
    (policies / "policy.yaml").write_text("environment: {}\n")

    done = checkrein("policy", "test", policies, "--json", cwd=tmp_path)

    assert done.code == 1
    assert "policy.yaml:1" in done.json["error"]
    assert "policy check" in done.json["next"]


def test_the_folder_at_hand_is_meant(policies: Path, tmp_path: Path) -> None:
    """Without DIR it is ./policies, else the copy in the data folder."""
    here = checkrein("policy", "check", "--json", cwd=tmp_path)
    shutil.move(policies, tmp_path / "elsewhere")
    absent = checkrein("policy", "check", "--json", cwd=tmp_path)
    named = checkrein(
        "policy", "check", "--json", cwd=tmp_path, environ={"CHECKREIN_POLICIES": "elsewhere"}
    )

    assert here.json["folder"] == "policies"
    assert absent.code == 2
    assert named.json["folder"] == "elsewhere"

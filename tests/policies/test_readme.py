"""What policies/README.md shows is what runs."""

from __future__ import annotations

import re

from gateway.domain.frame import FrameAction, FrameBudget, FrameState
from gateway.policies import load, testing
from gateway.policies.metadata import Custom
from tests.policies.folders import MANIFEST, SHIPPED

README = (SHIPPED / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


async def test_the_rule_and_the_golden_case_of_the_readme_hold(engine):
    files = {
        "policy.yaml": MANIFEST,
        "rules/refunds/limit.rego": block("rego"),
        "cases/limit.yaml": block("yaml"),
    }

    report = await testing.run(files, load.load(files), engine)

    assert [outcome for outcome in report.cases if not outcome.passed] == []
    assert len(report.cases) == 1


def test_each_field_of_metadata_is_described():
    missing = [name for name in Custom.__struct_fields__ if f"`custom.{name}`" not in README]

    assert missing == []


def test_the_state_that_rules_see_is_described():
    fields = (*FrameState.__struct_fields__, *FrameBudget.__struct_fields__)

    assert [name for name in fields if not re.search(rf"`{name}(\[\])?`", README)] == []


def test_the_parts_of_an_action_that_rules_use_are_described():
    used = ("tool", "arguments", "side_effects", "amount", "recipients", "description", "schema")

    assert set(used) <= set(FrameAction.__struct_fields__)
    assert [name for name in used if f"`{name}`" not in README] == []

"""One block of policy.yaml is changed, and every other byte of it stays."""

from __future__ import annotations

import pytest

from gateway.errors import PolicyInvalid
from gateway.policies import yaml_text
from gateway.policies.project_block import block_of, with_block
from tests.policies.folders import SHIPPED

BLOCK = {"thresholds": {"*": 0.5, "payment": 0.000001}, "calibration": {"score": {"slope": 1.0}}}
COMMENTED = """\
# On top.
environments:
  production:
    # Why it blocks.
    mode: block  # always
    projects:
      # Ours.
      prj_a:
        thresholds:
          "*": 0.9

      prj_b: {thresholds: {"*": 0.8}}
    fail: {"*": closed}

# What follows.
tools: []
"""
FORMS = [
    "environments:\n  production: {mode: block}\n",
    "environments: {production: {mode: block, projects: {}}}\n",
    "environments:\n  production:\n    mode: block\n",
    "environments:\n  production:\n    projects: {}\n    mode: block\n",
    "environments:\n  production:\n    projects: {prj_b: {}}\n    mode: block\n",
    COMMENTED,
    (SHIPPED / "policy.yaml").read_text(),
]


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("name", ["prj_a", "a b: #", "prj-ü", "true"])
def test_the_block_is_there_and_nothing_else_is_different(text: str, name: str) -> None:
    changed = with_block(text, "production", name, BLOCK)

    assert block_of(changed, "production", name) == BLOCK
    value, before = yaml_text.parse(changed).value, yaml_text.parse(text).value
    for each in (value, before):
        each["environments"]["production"].get("projects", {}).pop(name, None)
        each["environments"]["production"].setdefault("projects", {})
    assert value == before
    again = with_block(changed, "production", name, {"thresholds": {}})
    assert block_of(again, "production", name) == {"thresholds": {}}


def test_comments_and_the_lines_around_stay() -> None:
    changed = with_block(COMMENTED, "production", "prj_a", BLOCK)

    kept = [line for line in COMMENTED.splitlines() if line not in changed.splitlines()]
    assert kept == ["        thresholds:", '          "*": 0.9']


def test_a_new_block_adds_lines_and_changes_none() -> None:
    text = (SHIPPED / "policy.yaml").read_text()

    changed = with_block(text, "staging", "prj_a", BLOCK).splitlines()

    assert [line for line in text.splitlines() if line not in changed] == []
    assert len(changed) == len(text.splitlines()) + 1


def test_what_others_share_is_not_changed() -> None:
    """An environment that is another's by an anchor would change that one too."""
    text = "environments:\n  a: &one {mode: block}\n  production: *one\n"

    with pytest.raises(PolicyInvalid, match="without changing more"):
        with_block(text, "production", "prj_a", BLOCK)


def test_an_environment_that_is_not_described_is_named() -> None:
    with pytest.raises(PolicyInvalid, match="no environment `somewhere`"):
        with_block(COMMENTED, "somewhere", "prj_a", BLOCK)

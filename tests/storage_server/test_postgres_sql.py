"""Every statement on tenants' rows names the project first, as if row-level security were not."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gateway.storage.server.postgres import across as ledger_across
from gateway.storage.server.postgres import feed as ledger_feed
from gateway.storage.server.postgres import filing as ledger_filing
from gateway.storage.server.postgres import finding as ledger_finding
from gateway.storage.server.postgres import known as ledger_known
from gateway.storage.server.postgres import reads as ledger_reads
from gateway.storage.server.postgres import writes as ledger_writes

# Verification looks at every run of every project.
ACROSS_PROJECTS = {"ALL_ROWS", "ALL_DAYS", "ALL_OF_DAY", "ALL_OTHERS"}
MODULES = [
    ledger_across,
    ledger_feed,
    ledger_filing,
    ledger_finding,
    ledger_reads,
    ledger_known,
    ledger_writes,
]
_TABLES = "event|blob|run_secret|run|action|approval|feed|feed_end|run_fact|run_cost|artifact"
TENANT = rf"checkrein\.(?:{_TABLES})\b"
LOOKED_INTO = re.compile(rf"\b(?:FROM|JOIN|UPDATE)\s+{TENANT}(?:\s+AS\s+\w+)?")
CONDITION = re.compile(r"\b(?:WHERE|ON)\s+(?:\w+\.)?(\w+) = ")
ADDED_TO = re.compile(rf"\bINTO\s+{TENANT}\s*\(\s*(\w+)")


def constants(module) -> dict[str, str]:
    """The statements that a module keeps by name."""
    named = {name: value for name, value in vars(module).items() if name.isupper()}
    return {name: text for name, text in named.items() if is_sql(text)}


def is_sql(text: object) -> bool:
    return isinstance(text, str) and bool(LOOKED_INTO.search(text) or ADDED_TO.search(text))


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_a_statement_on_tenants_rows_starts_from_the_project(module):
    """S1 (reliability): the project comes first in every condition and every row."""
    assert constants(module)
    for name, text in constants(module).items():
        if name in ACROSS_PROJECTS:
            continue
        for table in LOOKED_INTO.finditer(text):
            condition = CONDITION.search(text, table.end())
            assert condition is not None, name
            assert condition[1] == "project_id", name
        assert set(ADDED_TO.findall(text)) <= {"project_id"}, name


@pytest.mark.parametrize("module", MODULES)
def test_no_statement_hides_inside_a_function(module):
    """What the check above does not see would not be checked."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
            assert [text for text in texts if is_sql(text)] == [], function.name

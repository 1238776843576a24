"""Every statement on tenants' rows begins with the project: none can reach across."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from gateway.storage import embedded
from gateway.storage.embedded import (
    ledger_across,
    ledger_feed,
    ledger_filing,
    ledger_finding,
    ledger_reads,
    ledger_rows,
    ledger_writes,
)

FOLDER = Path(embedded.__file__).parent
# Verification looks at every run of every project; the end of the feed is that of the file.
ACROSS_PROJECTS = {"ALL_RUNS", "END", "SIZES"}
READING_AND_WRITING = [
    ledger_across,
    ledger_feed,
    ledger_filing,
    ledger_finding,
    ledger_reads,
    ledger_writes,
]
TENANT_TABLES = {"event", "blob", "run_secret", "run", "approval"} | {
    *("run_fact", "run_cost", "artifact")
}
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(\w+)")
FIRST_CONDITION = re.compile(r"\bWHERE\s+(\w+) = \?")
FIRST_COLUMN = re.compile(r"\bINTO\s+\w+\s*\(\s*(\w+)")


def constants(module) -> dict[str, str]:
    """The statements that a module keeps by name."""
    named = {name: value for name, value in vars(module).items() if name.isupper()}
    return {name: text for name, text in named.items() if is_sql(text)}


def is_sql(text: object) -> bool:
    return isinstance(text, str) and bool(TABLE.search(text))


@pytest.mark.parametrize("module", READING_AND_WRITING, ids=lambda m: m.__name__)
def test_a_statement_on_tenants_rows_starts_from_the_project(module):
    """S1 (reliability): the project comes first in every condition and every row."""
    for name, text in constants(module).items():
        if name in ACROSS_PROJECTS or not TENANT_TABLES & set(TABLE.findall(text)):
            continue
        firsts = [*FIRST_CONDITION.findall(text), *FIRST_COLUMN.findall(text)]
        assert firsts, name
        assert set(firsts) == {"project_id"}, name


@pytest.mark.parametrize("module", [*READING_AND_WRITING, ledger_rows])
def test_no_statement_hides_inside_a_function(module):
    """What the check above does not see would not be checked; the one builder is `upsert`."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name != "upsert":
            texts = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
            assert [text for text in texts if is_sql(text)] == [], function.name

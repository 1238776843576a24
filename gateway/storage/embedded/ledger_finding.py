"""What the ledger is asked about runs, agents and artifacts, by row and by fact.

A list is read along one index, newest first: that of its rarest fact, or of a column of the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, get_args

from gateway.domain.facts import Agent, ArtifactRow, Attention, Standing
from gateway.domain.projections import RunRow
from gateway.storage.embedded import ledger_rows
from gateway.storage.embedded.ledger_rows import RUN_COLUMNS
from gateway.storage.wanted import ROW_FIELDS, ArtifactFilter, RunFilter

Cursor = tuple[str, str]

ARTIFACT_COLUMNS = ", ".join(ArtifactRow.__struct_fields__)
RUNS = f"SELECT {RUN_COLUMNS} FROM run WHERE project_id = ?1"
RUNS_BY_FACT = f"""
    SELECT {RUN_COLUMNS} FROM run_fact AS fact CROSS JOIN run
        USING (project_id, run_id, started_at)
    WHERE project_id = ?1 AND fact.kind = {{kind}} AND fact.value = {{value}}
"""
HAS_FACT = """
    EXISTS (SELECT 1 FROM run_fact AS other WHERE project_id = ?1 AND other.kind = {kind}
        AND other.value = {value} AND other.started_at = run.started_at
        AND other.run_id = run.run_id)
"""
COSTS_AT_LEAST = """
    EXISTS (SELECT 1 FROM run_cost WHERE project_id = ?1 AND run_cost.run_id = run.run_id
        AND currency = {currency} AND amount >= {amount})
"""
COSTS = """
    SELECT run_id, currency, amount FROM run_cost WHERE project_id = ?1 AND run_id IN ({marks})
    ORDER BY run_id, currency
"""
ATTENTION = """
    WITH wanted (started_at, run_id) AS (VALUES {pairs})
    SELECT run_id, value FROM wanted CROSS JOIN run_fact USING (started_at, run_id)
    WHERE project_id = ?1 AND kind = 'attention' AND value IN ({words}) ORDER BY run_id, value
"""
# From agent to agent by the index: there are far fewer of them than runs.
AGENTS = """
    WITH RECURSIVE found (agent_id) AS (
        SELECT min(agent_id) FROM run WHERE project_id = ?1 AND agent_id >= ?2
        UNION ALL
        SELECT (SELECT min(agent_id) FROM run
                WHERE project_id = ?1 AND agent_id > found.agent_id)
        FROM found WHERE substr(agent_id, 1, length(?2)) = ?2
    )
    SELECT agent_id, (SELECT max(started_at) FROM run
                      WHERE project_id = ?1 AND agent_id = found.agent_id)
    FROM found WHERE substr(agent_id, 1, length(?2)) = ?2 LIMIT ?3
"""
ARTIFACTS = f"SELECT {ARTIFACT_COLUMNS} FROM artifact WHERE project_id = ?1"

_CONDITIONS = {
    "environment": "run.environment = {}",
    "agent_id": "run.agent_id = {}",
    "status": "run.status = {}",
    "parent_run_id": "run.parent_run_id = {}",
    "started_after": "{along}.started_at > {}",
    "started_before": "{along}.started_at < {}",
}


def runs(
    connection: sqlite3.Connection,
    project_id: str,
    wanted: RunFilter,
    before: Cursor | None,
    limit: int,
) -> list[RunRow]:
    """Newest first, behind the cursor (started_at, run_id)."""
    text, asked = runs_page(project_id, wanted, before, limit)
    return [ledger_rows.run_row(row) for row in connection.execute(text, asked)]


def standing(
    connection: sqlite3.Connection, project_id: str, runs: Sequence[Cursor]
) -> dict[str, Standing]:
    """Cost and attention of a page of runs."""
    if not runs:
        return {}
    found: dict[str, Standing] = {}
    costs = _Asked(project_id)
    text = COSTS.format(marks=", ".join([costs.put(run_id) for _, run_id in runs]))
    for run_id, currency, amount in connection.execute(text, costs.values):
        found.setdefault(run_id, Standing({}, [])).cost[currency] = amount
    asked = _Asked(project_id)
    text = ATTENTION.format(
        pairs=", ".join([f"({asked.put(at)}, {asked.put(run_id)})" for at, run_id in runs]),
        words=", ".join([asked.put(word) for word in get_args(Attention)]),
    )
    for run_id, why in connection.execute(text, asked.values):
        found.setdefault(run_id, Standing({}, [])).attention.append(why)
    return found


def agents(connection: sqlite3.Connection, project_id: str, prefix: str, limit: int) -> list[Agent]:
    return [Agent(*row) for row in connection.execute(AGENTS, (project_id, prefix, limit))]


def artifacts(
    connection: sqlite3.Connection,
    project_id: str,
    wanted: ArtifactFilter,
    before: Cursor | None,
    limit: int,
) -> list[ArtifactRow]:
    """Newest first, behind the cursor of a row."""
    text, asked = artifacts_page(project_id, wanted, before, limit)
    return [ArtifactRow(*row) for row in connection.execute(text, asked)]


def runs_page(
    project_id: str, wanted: RunFilter, before: Cursor | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement of a page of runs, and what it is asked with."""
    asked = _Asked(project_id)
    text, along = RUNS, "run"
    facts = wanted.facts
    if wanted.along_fact:
        along = "fact"
        kind, value = facts.pop(0)
        text = RUNS_BY_FACT.format(kind=asked.put(kind), value=asked.put(value))
    terms = [
        _CONDITIONS[name].format(asked.put(value), along=along)
        for name in ROW_FIELDS
        if (value := getattr(wanted, name)) is not None
    ]
    for kind, value in facts:
        terms.append(HAS_FACT.format(kind=asked.put(kind), value=asked.put(value)))
    if wanted.min_cost:
        currency, amount = asked.put(wanted.currency), asked.put(wanted.min_cost)
        terms.append(COSTS_AT_LEAST.format(currency=currency, amount=amount))
    if before is not None:
        behind = f"{asked.put(before[0])}, {asked.put(before[1])}"
        terms.append(f"({along}.started_at, {along}.run_id) < ({behind})")
    text = " AND ".join([text, *terms])
    text += f" ORDER BY {along}.started_at DESC, {along}.run_id DESC"
    return f"{text} LIMIT {asked.put(limit)}", asked.values


def artifacts_page(
    project_id: str, wanted: ArtifactFilter, before: Cursor | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement of a page of artifacts, and what it is asked with."""
    asked = _Asked(project_id)
    terms = [
        f"{name} = {asked.put(value)}"
        for name in ArtifactFilter.__struct_fields__
        if (value := getattr(wanted, name)) is not None
    ]
    if before is not None:
        epoch, seq, run_id = before[1].split("/", 2)
        marks = [asked.put(value) for value in (before[0], run_id, int(epoch), int(seq))]
        terms.append(f"(recorded_at, run_id, epoch, seq) < ({', '.join(marks)})")
    text = " AND ".join([ARTIFACTS, *terms])
    text += " ORDER BY recorded_at DESC, run_id DESC, epoch DESC, seq DESC"
    return f"{text} LIMIT {asked.put(limit)}", asked.values


class _Asked:
    """Values of a statement, each named where it stands."""

    def __init__(self, project_id: str) -> None:
        self.values: list[Any] = [project_id]

    def put(self, value: Any) -> str:
        self.values.append(value)
        return f"?{len(self.values)}"

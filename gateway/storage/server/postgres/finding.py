"""What the ledger is asked about runs, agents and artifacts, by row and by fact.

A list is read along one index, newest first: that of its rarest fact, or of a column of the row.
Everything else is looked up row by row: a join that hashes would read all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from gateway.domain.facts import ANY, Agent, ArtifactRow, Attention, Standing
from gateway.domain.projections import RunRow
from gateway.storage.server.postgres import rows as ledger_rows
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.rows import RUN_COLUMNS, stored_text, text_of
from gateway.storage.wanted import ROW_FIELDS, ArtifactFilter, RunFilter

Cursor = tuple[str, str]

ARTIFACT_COLUMNS = ", ".join(ArtifactRow.__struct_fields__)
RUNS = f"SELECT {RUN_COLUMNS} FROM checkrein.run AS run WHERE project_id = $1"
RUNS_BY_FACT = f"""
    SELECT {", ".join(f"run.{name}" for name in RunRow.__struct_fields__)}
    FROM checkrein.run_fact AS fact CROSS JOIN LATERAL (
        SELECT {RUN_COLUMNS} FROM checkrein.run
        WHERE project_id = $1 AND run_id = fact.run_id LIMIT 1
    ) AS run
    WHERE fact.project_id = $1 AND fact.kind = {{kind}} AND fact.value = {{value}}
"""
HAS_FACT = """
    (SELECT true FROM checkrein.run_fact AS other
        WHERE other.project_id = $1 AND other.kind = {kind} AND other.value = {value}
            AND other.started_at = run.started_at AND other.run_id = run.run_id LIMIT 1)
"""
COSTS_AT_LEAST = """
    (SELECT true FROM checkrein.run_cost AS c
        WHERE c.project_id = $1 AND c.run_id = run.run_id AND c.currency = {currency}
            AND c.amount >= {amount} LIMIT 1)
"""
COSTS = """
    SELECT run_id, currency, amount FROM checkrein.run_cost
    WHERE project_id = $1 AND run_id = ANY($2::text[]) ORDER BY run_id, currency
"""
ATTENTION = """
    SELECT f.run_id, f.value
    FROM unnest($2::text[], $3::text[]) AS w (started_at, run_id)
    CROSS JOIN LATERAL (
        SELECT true FROM checkrein.run_fact
        WHERE project_id = $1 AND kind = 'attention' AND value = $4
            AND started_at = w.started_at AND run_id = w.run_id
        LIMIT 1
    ) AS hit
    CROSS JOIN unnest($5::text[]) AS a (value)
    CROSS JOIN LATERAL (
        SELECT run_id, value FROM checkrein.run_fact
        WHERE project_id = $1 AND kind = 'attention' AND value = a.value
            AND started_at = w.started_at AND run_id = w.run_id
        LIMIT 1
    ) AS f
    ORDER BY f.run_id, f.value
"""
# From agent to agent by the index: there are far fewer of them than runs.
AGENTS = """
    WITH RECURSIVE found AS (
        (SELECT agent_id FROM checkrein.run WHERE project_id = $1 AND agent_id >= $2
         ORDER BY agent_id LIMIT 1)
        UNION ALL
        SELECT n.agent_id FROM found AS f CROSS JOIN LATERAL (
            SELECT agent_id FROM checkrein.run WHERE project_id = $1 AND agent_id > f.agent_id
            ORDER BY agent_id LIMIT 1
        ) AS n
        WHERE starts_with(f.agent_id, $2)
    )
    SELECT f.agent_id, l.started_at FROM found AS f CROSS JOIN LATERAL (
        SELECT started_at FROM checkrein.run WHERE project_id = $1 AND agent_id = f.agent_id
        ORDER BY started_at DESC LIMIT 1
    ) AS l
    WHERE starts_with(f.agent_id, $2) LIMIT $3
"""
ARTIFACTS = f"SELECT {ARTIFACT_COLUMNS} FROM checkrein.artifact WHERE project_id = $1"

_CONDITIONS = {
    "environment": "run.environment = {}",
    "agent_id": "run.agent_id = {}",
    "status": "run.status = {}",
    "parent_run_id": "run.parent_run_id = {}",
    "started_after": "{along}.started_at > {}",
    "started_before": "{along}.started_at < {}",
}


async def runs(
    connection: Connection, project_id: str, wanted: RunFilter, before: Cursor | None, limit: int
) -> list[RunRow]:
    """Newest first, behind the cursor (started_at, run_id)."""
    text, asked = runs_page(project_id, wanted, before, limit)
    return [ledger_rows.run_row(tuple(row)) for row in await connection.fetch(text, *asked)]


async def standing(
    connection: Connection, project_id: str, runs: Sequence[Cursor]
) -> dict[str, Standing]:
    """Cost and attention of a page of runs."""
    project, times = stored_text(project_id), [stored_text(at) for at, _ in runs]
    ids = [stored_text(run_id) for _, run_id in runs]
    found: dict[str, Standing] = {}
    for row in await connection.fetch(COSTS, project, ids):
        run_id, currency, amount = map(text_of, row)
        found.setdefault(run_id, Standing({}, [])).cost[currency] = amount
    words = list(get_args(Attention))
    for row in await connection.fetch(ATTENTION, project, times, ids, ANY, words):
        found.setdefault(text_of(row[0]), Standing({}, [])).attention.append(row[1])
    return found


async def agents(connection: Connection, project_id: str, prefix: str, limit: int) -> list[Agent]:
    asked = (stored_text(project_id), stored_text(prefix), limit)
    return [Agent(*map(text_of, row)) for row in await connection.fetch(AGENTS, *asked)]


async def artifacts(
    connection: Connection,
    project_id: str,
    wanted: ArtifactFilter,
    before: Cursor | None,
    limit: int,
) -> list[ArtifactRow]:
    """Newest first, behind the cursor of a row."""
    text, asked = artifacts_page(project_id, wanted, before, limit)
    return [ArtifactRow(*map(text_of, row)) for row in await connection.fetch(text, *asked)]


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
        self.values: list[Any] = [stored_text(project_id)]

    def put(self, value: Any) -> str:
        self.values.append(stored_text(value))
        return f"${len(self.values)}"

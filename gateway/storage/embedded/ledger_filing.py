"""By what runs are found: facts, costs and artifacts, written with the events that say them."""

from __future__ import annotations

import sqlite3

import msgspec

from gateway.domain.facts import (
    COST_MAX,
    ArtifactRow,
    Filed,
    FiledOfRun,
    cost_fact,
    decades,
    filed_again,
)
from gateway.storage.embedded import ledger_rows

INSERT_FACT = """
    INSERT INTO run_fact (project_id, kind, value, started_at, run_id) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
ADD_COST = f"""
    INSERT INTO run_cost (project_id, run_id, currency, amount) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, run_id, currency)
    DO UPDATE SET amount = min(amount + excluded.amount, {COST_MAX})
    RETURNING amount
"""
INSERT_ARTIFACT = f"""
    INSERT INTO artifact ({", ".join(ArtifactRow.__struct_fields__)})
    VALUES ({", ".join("?" * len(ArtifactRow.__struct_fields__))})
    ON CONFLICT DO NOTHING
"""


UNFILE = [
    f"DELETE FROM {table} WHERE project_id = ? AND run_id = ?"
    for table in ("run_fact", "run_cost", "artifact")
]
FACTS = "SELECT kind, value, started_at FROM run_fact WHERE project_id = ? AND run_id = ?"
COSTS = "SELECT currency, amount FROM run_cost WHERE project_id = ? AND run_id = ?"
ARTIFACTS = f"""
    SELECT {", ".join(ArtifactRow.__struct_fields__)} FROM artifact
    WHERE project_id = ? AND run_id = ? ORDER BY epoch, seq
"""
RECORDS = "SELECT record FROM event WHERE project_id = ? AND run_id = ? ORDER BY epoch, seq"


def refile(connection: sqlite3.Connection, project_id: str, run_id: str) -> None:
    """File again what a run's events say, in a transaction of its own."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = connection.execute(RECORDS, (project_id, run_id))
        filed = filed_again(ledger_rows.events_of(row[0] for row in rows))
        for statement in UNFILE:
            connection.execute(statement, (project_id, run_id))
        file(connection, filed)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def filed(connection: sqlite3.Connection, project_id: str, run_id: str) -> FiledOfRun:
    """By what a run is found, as it is filed."""
    place = (project_id, run_id)
    return FiledOfRun(
        facts=frozenset(connection.execute(FACTS, place).fetchall()),
        costs=dict(connection.execute(COSTS, place).fetchall()),
        artifacts=tuple(ArtifactRow(*row) for row in connection.execute(ARTIFACTS, place)),
    )


def file(connection: sqlite3.Connection, filed: Filed) -> None:
    """Write what a transaction's events say of their runs."""
    facts = set(filed.facts)
    for (project_id, run_id, currency), amount in filed.costs.items():
        asked = (project_id, run_id, currency, amount)
        (total,) = connection.execute(ADD_COST, asked).fetchone()
        started_at = filed.started[project_id, run_id]
        for reached in decades(total):
            facts.add((project_id, *cost_fact(currency, reached), started_at, run_id))
    if facts:
        connection.executemany(INSERT_FACT, sorted(facts))
    if filed.artifacts:
        connection.executemany(INSERT_ARTIFACT, map(msgspec.structs.astuple, filed.artifacts))

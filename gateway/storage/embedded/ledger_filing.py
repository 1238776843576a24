"""By what runs are found: facts, costs and artifacts, written with the events that say them."""

from __future__ import annotations

import sqlite3

import msgspec

from gateway.domain.facts import COST_MAX, ArtifactRow, Filed, cost_fact, decades

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

"""By what runs are found: facts, costs and artifacts, written with the events that say them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

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
from gateway.storage.server.postgres.batch import Place
from gateway.storage.server.postgres.database import Connection
from gateway.storage.server.postgres.known import columns
from gateway.storage.server.postgres.rows import events_of, stored_text, text_of

INSERT_FACTS = """
    INSERT INTO checkrein.run_fact (project_id, kind, value, started_at, run_id, run_day)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[])
    ON CONFLICT DO NOTHING
"""
ADD_COSTS = f"""
    INSERT INTO checkrein.run_cost AS c (project_id, run_id, currency, amount, run_day)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::date[])
    ON CONFLICT (project_id, run_id, currency)
    DO UPDATE SET amount = least(c.amount + excluded.amount, {COST_MAX})
    RETURNING project_id, run_id, currency, amount
"""
INSERT_ARTIFACTS = f"""
    INSERT INTO checkrein.artifact ({", ".join(ArtifactRow.__struct_fields__)}, run_day)
    SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[],
        $13::text[], $14::date[])
    ON CONFLICT DO NOTHING
"""


RECORDS = """
    SELECT record FROM checkrein.event WHERE project_id = $1 AND run_id = $2 AND run_day = $3
    ORDER BY epoch, seq
"""


FACTS = """
    SELECT kind, value, started_at FROM checkrein.run_fact WHERE project_id = $1 AND run_id = $2
"""
COSTS = "SELECT currency, amount FROM checkrein.run_cost WHERE project_id = $1 AND run_id = $2"
ARTIFACTS = f"""
    SELECT {", ".join(ArtifactRow.__struct_fields__)} FROM checkrein.artifact
    WHERE project_id = $1 AND run_id = $2 ORDER BY epoch, seq
"""
UNFILE = "SELECT checkrein.unfile($1, $2)"


async def filed(connection: Connection, project_id: str, run_id: str) -> FiledOfRun:
    """By what a run is found, as it is filed."""
    place = (stored_text(project_id), stored_text(run_id))
    facts, costs, artifacts = [
        [tuple(map(text_of, row)) for row in await connection.fetch(each, *place)]
        for each in (FACTS, COSTS, ARTIFACTS)
    ]
    return FiledOfRun(
        facts=frozenset(facts),
        costs=dict(costs),
        artifacts=tuple(ArtifactRow(*row) for row in artifacts),
    )


async def refile(connection: Connection, project_id: str, run_id: str, day: date) -> None:
    """File again what a run's events say. The run must be locked against those who record."""
    asked = (stored_text(project_id), stored_text(run_id), day)
    rows = await connection.fetch(RECORDS, *asked)
    again = filed_again(events_of(row[0] for row in rows))
    await connection.execute(UNFILE, *asked[:2])
    await file(connection, again, {(project_id, run_id): day})


async def file(
    connection: Connection,
    filed: Filed,
    days: Mapping[Place, date],
) -> None:
    """Write what a transaction's events say of their runs."""
    facts = set(filed.facts)
    if filed.costs:
        # In one order for all writers, like their locks.
        asked = [(*at, amount, days[at[0], at[1]]) for at, amount in sorted(filed.costs.items())]
        for row in await connection.fetch(ADD_COSTS, *columns(asked, 5)):
            project_id, run_id, currency = map(text_of, row[:3])
            started_at = filed.started[project_id, run_id]
            for reached in decades(row[3]):
                facts.add((project_id, *cost_fact(currency, reached), started_at, run_id))
    if facts:
        rows = [(*fact, days[fact[0], fact[4]]) for fact in sorted(facts)]
        await connection.execute(INSERT_FACTS, *columns(rows, 6))
    if filed.artifacts:
        made = [
            (*msgspec.structs.astuple(each), days[each.project_id, each.run_id])
            for each in filed.artifacts
        ]
        await connection.execute(INSERT_ARTIFACTS, *columns(made, 14))

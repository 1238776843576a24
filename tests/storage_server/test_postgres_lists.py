"""Lists stay quick however many runs there are: a page is read from an index, newest first."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.storage.server.postgres import across
from gateway.storage.server.postgres import finding as ledger_finding
from gateway.storage.server.postgres import reads as ledger_reads
from gateway.storage.wanted import ArtifactFilter, RunFilter
from tests.ledger.events import PROJECT

MANY = 30_000
FILL = f"""
    INSERT INTO checkrein.run (project_id, run_id, run_day, environment, started_at, last_at,
        agent_id, status, events, actions, blocked, warned, approvals, errors, halted, spend)
    SELECT CASE n % 3 WHEN 0 THEN 'prj_2' ELSE '{PROJECT}' END, 'run_' || n, '2026-11-20',
        CASE n % 1000 WHEN 1 THEN 'staging' ELSE 'production' END,
        'T' || lpad(n::text, 9, '0'), 'T',
        'agt_' || n % 500, CASE n % 700 WHEN 1 THEN 'halted' ELSE 'succeeded' END,
        1, 0, 0, 0, 0, 0, false, '{{}}'
    FROM generate_series(1, {MANY}) AS n;
    INSERT INTO checkrein.approval (project_id, approval_id, run_id, environment, action_id,
        decision_id, tool, arguments_digest, policy_digest, rules, requested_at, expires_at, status)
    SELECT '{PROJECT}', 'apr_' || n, 'run', 'production', '', '', '', '', '', '[]',
        'T' || lpad(n::text, 9, '0'), '', CASE n % 900 WHEN 1 THEN 'pending' ELSE 'expired' END
    FROM generate_series(1, {MANY}) AS n;
    INSERT INTO checkrein.action (project_id, decision_id, run_id, epoch, seq, run_day, recorded_at)
    SELECT '{PROJECT}', 'dec_' || n, 'run_' || n, 0, 2, '2026-11-20', 'T' || lpad(n::text, 9, '0')
    FROM generate_series(1, {MANY}) AS n;
    INSERT INTO checkrein.run_fact (project_id, kind, value, started_at, run_id, run_day)
    SELECT r.project_id, f.kind, f.value, r.started_at, r.run_id, r.run_day
    FROM checkrein.run AS r, LATERAL (VALUES ('side_effect', 'write', 1), ('model', 'm-1', 1),
        ('mcp_server', 'files', 40), ('path', 'report.md', 150), ('cost', 'USD:1000', 30))
        AS f (kind, value, every)
    WHERE substr(r.run_id, 5)::integer % f.every = 0;
    INSERT INTO checkrein.run_cost (project_id, run_id, currency, amount, run_day)
    SELECT project_id, run_id, 'USD', substr(run_id, 5)::integer / 30 % 4 * 1000 + 1000, run_day
    FROM checkrein.run WHERE substr(run_id, 5)::integer % 30 = 0;
    INSERT INTO checkrein.artifact (project_id, run_id, epoch, seq, recorded_at, path, digest,
        run_day)
    SELECT project_id, run_id, 0, 3, started_at, 'f' || substr(run_id, 5)::integer % 700, 'd',
        run_day
    FROM checkrein.run;
    ANALYZE checkrein.run_fact;
    ANALYZE checkrein.run_cost;
    ANALYZE checkrein.artifact;
    ANALYZE checkrein.action;
    ANALYZE checkrein.run;
    ANALYZE checkrein.approval;
"""
BEFORE = ("T000015000", "run_15000")
PAGES = {
    "all": ledger_finding.runs_page(PROJECT, RunFilter(), None, 50),
    "further": ledger_finding.runs_page(PROJECT, RunFilter(), BEFORE, 50),
    "agent": ledger_finding.runs_page(PROJECT, RunFilter(agent_id="agt_7"), BEFORE, 50),
    "environment": ledger_finding.runs_page(PROJECT, RunFilter(environment="staging"), None, 50),
    "status": ledger_finding.runs_page(PROJECT, RunFilter(status="halted"), BEFORE, 50),
    "time": ledger_finding.runs_page(
        PROJECT, RunFilter(started_after="T000001000", started_before="T000002000"), None, 50
    ),
    "wrote": ledger_finding.runs_page(PROJECT, RunFilter(side_effect="write"), BEFORE, 50),
    "file": ledger_finding.runs_page(PROJECT, RunFilter(path="report.md"), BEFORE, 50),
    "server and model": ledger_finding.runs_page(
        PROJECT, RunFilter(mcp_server="files", model="m-1"), None, 50
    ),
    "agent that wrote": ledger_finding.runs_page(
        PROJECT, RunFilter(agent_id="agt_7", side_effect="write"), None, 50
    ),
    "cost": ledger_finding.runs_page(PROJECT, RunFilter(min_cost=3000), None, 50),
    "artifacts": ledger_finding.artifacts_page(PROJECT, ArtifactFilter(), None, 50),
    "artifacts of a file": ledger_finding.artifacts_page(
        PROJECT, ArtifactFilter(path="f7"), ("T000015000", "0/3/run_15000"), 50
    ),
    "approvals": ledger_reads.approvals_page(PROJECT, None, BEFORE, 50),
    "decisions": across.decisions_page(PROJECT, "production", None, 50),
    "older decisions": across.decisions_page(PROJECT, "production", BEFORE, 50),
    "pending": ledger_reads.approvals_page(PROJECT, "pending", None, 50),
}


async def test_every_page_is_read_from_an_index_in_its_order(place):
    async with place.superuser() as connection:
        await connection.execute(FILL)
    gateway = await asyncpg.connect(place.gateway)

    for name, (text, asked) in PAGES.items():
        async with gateway.transaction():
            await gateway.execute(f"SET LOCAL checkrein.project = '{PROJECT}'")
            rows = await gateway.fetch(f"EXPLAIN (ANALYZE, BUFFERS OFF) {text}", *asked)
        plan = "\n".join(row[0] for row in rows)
        assert "Sort" not in plan, f"{name}:\n{plan}"
        assert "Seq Scan" not in plan, f"{name}:\n{plan}"
        assert int(removed(plan)) < 100, f"{name}:\n{plan}"
    await gateway.close()


def removed(plan: str) -> str:
    """How many rows were read for nothing."""
    return plan.partition("Rows Removed by Filter: ")[2].partition("\n")[0] or "0"


@pytest.mark.parametrize("limit", [1, 2**40])
async def test_a_page_of_nothing_is_empty(reader, limit):
    assert await reader.runs(PROJECT, RunFilter(), None, limit) == []

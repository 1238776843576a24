"""Lists on a million events: how long a page takes a gateway, over PostgreSQL and its row security.

The events are made by the database itself, as its superuser: what is measured is reading.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from benchmarks.table import markdown, reached
from gateway.domain.facts import Standing
from gateway.storage.server.postgres.ledger import PostgresLedger, open_ledger
from gateway.storage.wanted import ArtifactFilter, RunFilter
from tests.servers import postgres

RUNS = 25_000
EVENTS_EACH = 40
DAYS = 30
PAGE = 50
ROUNDS = 100
LIMIT_MS = 50
PROJECT = "prj_bench"

Ask = Callable[[PostgresLedger, random.Random], Awaitable[Any]]

# A tenth of the runs belong to another project, so that its rows are in the way as well.
FILL = f"""
    CREATE TEMPORARY TABLE made AS
    SELECT n, CASE n % 10 WHEN 0 THEN 'prj_other' ELSE '{PROJECT}' END AS project_id,
        'run_' || lpad(n::text, 32, '0') AS run_id,
        date '2026-10-01' + n * {DAYS} / ({RUNS} + 1) AS run_day,
        to_char(timestamp '2026-10-01' + n * interval '{DAYS} days' / {RUNS},
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS started_at
    FROM generate_series(1, {RUNS}) AS n;
    SELECT checkrein.make_day(day) FROM (SELECT DISTINCT run_day AS day FROM made) AS days;
    INSERT INTO checkrein.run (project_id, run_id, run_day, environment, started_at, last_at, name,
        agent_id, parent_run_id, status, events, actions, blocked, warned, approvals, errors,
        halted, spend)
    SELECT project_id, run_id, run_day,
        CASE n % 50 WHEN 1 THEN 'staging' ELSE 'production' END, started_at, started_at,
        'task ' || n % 1000, 'agent-' || n % 400,
        CASE n % 7 WHEN 1 THEN 'run_' || lpad((n - 1)::text, 32, '0') END,
        CASE n % 40 WHEN 1 THEN 'failed' WHEN 2 THEN 'halted' ELSE 'succeeded' END,
        {EVENTS_EACH}, 13, 0, 0, 0, 0, false, '{{}}'
    FROM made;
    INSERT INTO checkrein.event (project_id, run_day, run_id, seq, epoch, id, type, recorded_at,
        action_id, decision_id, tool, enforced, record, hash, blob_keys)
    SELECT project_id, run_day, run_id, seq, 0, 'evt_' || n || '_' || seq,
        CASE seq % 3 WHEN 0 THEN 'decision' WHEN 1 THEN 'model_call' ELSE 'result' END, started_at,
        'act_' || seq / 3, 'dec_' || n || '_' || seq / 3, 'files.write', 'allow',
        decode(md5(n::text) || repeat(md5(seq::text), 30), 'hex'),
        decode(repeat(md5(n || ' ' || seq), 2), 'hex'), decode(repeat(md5(seq::text), 6), 'hex')
    FROM made, generate_series(1, {EVENTS_EACH}) AS seq;
    INSERT INTO checkrein.action (project_id, decision_id, run_id, epoch, seq, run_day, action_id,
        tool, enforced, recorded_at)
    SELECT project_id, 'dec_' || n || '_' || seq / 3, run_id, 0, seq, run_day, 'act_' || seq / 3,
        'files.write', 'allow', started_at
    FROM made, generate_series(3, {EVENTS_EACH}, 3) AS seq;
    INSERT INTO checkrein.run_fact (project_id, kind, value, started_at, run_id, run_day)
    SELECT project_id, f.kind, f.value, started_at, run_id, run_day
    FROM made, LATERAL (VALUES
        ('side_effect', 'read', n % 1 = 0), ('side_effect', 'write', n % 2 = 0),
        ('side_effect', 'deploy', n % 900 = 1), ('model', 'model-' || n % 3, true),
        ('prompt_version', 'v' || n % 60, true), ('mcp_server', 'server-' || n % 20, n % 4 = 1),
        ('approval', 'requested', n % 15 = 1), ('approval', 'denied', n % 60 = 1),
        ('attention', 'any', n % 20 = 1), ('attention', 'failed', n % 40 = 1),
        ('attention', 'errors', n % 20 = 1), ('path', 'docs/' || n % 800 || '.md', true),
        ('cost', 'USD:1', true), ('cost', 'USD:10', n % 3 > 0), ('cost', 'USD:100', n % 9 > 5),
        ('cost', 'USD:1000', n % 90 = 6)) AS f (kind, value, holds)
    WHERE f.holds;
    INSERT INTO checkrein.run_cost (project_id, run_id, currency, amount, run_day)
    SELECT project_id, run_id, 'USD', CASE WHEN n % 90 = 6 THEN 1000 + n % 4000
        WHEN n % 9 > 5 THEN 100 + n % 900 WHEN n % 3 > 0 THEN 10 + n % 90 ELSE 1 + n % 9 END,
        run_day
    FROM made;
    INSERT INTO checkrein.artifact (project_id, run_id, epoch, seq, recorded_at, path, digest,
        access, action_id, turn_id, agent_id, run_day)
    SELECT project_id, run_id, 0, seq, started_at, 'docs/' || n % 800 || '.md', md5(n::text),
        'written', 'act_1', 'turn_' || seq % 3, 'agent-' || n % 400, run_day
    FROM made, generate_series(2, 5) AS seq;
    INSERT INTO checkrein.approval (project_id, approval_id, run_id, environment, action_id,
        decision_id, tool, arguments_digest, policy_digest, rules, requested_at, expires_at, status)
    SELECT project_id, 'apr_' || n, run_id, 'production', 'act_1', 'dec_' || n || '_1', 't', 'd',
        'd', '[]', started_at, started_at, CASE n % 60 WHEN 1 THEN 'expired' ELSE 'pending' END
    FROM made WHERE n % 15 = 1;
    DROP TABLE made;
"""  # noqa: S608 - put together from the constants above
BEGUN = "VACUUM ANALYZE"


def _runs(**wanted: Any) -> Ask:
    """A page of runs with what is known of them, from anywhere in the list."""

    async def ask(ledger: PostgresLedger, chance: random.Random) -> dict[str, Standing]:
        day = chance.randrange(2, DAYS + 1)
        before = (f"2026-10-{day:02}T12:00:00.000000Z", "run_~") if chance.random() < 0.5 else None
        rows = await ledger.runs(PROJECT, RunFilter(**wanted), before, PAGE + 1)
        places = [(row["started_at"], row["run_id"]) for row in rows]
        return dict(await ledger.standing(PROJECT, places)) if places else {}

    return ask


def _artifacts(of: Callable[[int], dict[str, str]]) -> Ask:
    async def ask(ledger: PostgresLedger, chance: random.Random) -> Any:
        wanted = ArtifactFilter(**of(chance.randrange(1, RUNS)))
        return await ledger.artifacts(PROJECT, wanted, None, PAGE + 1)

    return ask


async def _agents(ledger: PostgresLedger, chance: random.Random) -> Any:
    return await ledger.agents(PROJECT, f"agent-{chance.randrange(1, 40)}", 20)


async def _approvals(ledger: PostgresLedger, _chance: random.Random) -> Any:
    return await ledger.approvals(PROJECT, "pending", None, PAGE + 1)


QUERIES: dict[str, Ask] = {
    "runs": _runs(),
    "by status": _runs(status="failed"),
    "by agent": _runs(agent_id="agent-7"),
    "in a week": _runs(started_after="2026-10-20T00:00:00.000000Z"),
    "in staging": _runs(environment="staging"),
    "at least 20.00 USD": _runs(min_cost=2000),
    "at least 0.05 USD": _runs(min_cost=5),
    "that wrote": _runs(side_effect="write"),
    "that deployed": _runs(side_effect="deploy"),
    "of an agent, that deployed": _runs(side_effect="deploy", agent_id="agent-1"),
    "failed, that wrote": _runs(side_effect="write", status="failed"),
    "with denied approvals": _runs(approval="denied"),
    "that used an MCP server": _runs(mcp_server="server-5"),
    "of a model": _runs(model="model-1"),
    "of a model and prompt": _runs(model="model-1", prompt_version="v7"),
    "critical": _runs(attention="any"),
    "that touched a file": _runs(path="docs/7.md"),
    "below a run": _runs(parent_run_id="run_" + "7".rjust(32, "0")),
    "that match nothing": _runs(model="model-1", mcp_server="none"),
    "nothing of two common facts": _runs(side_effect="write", model="none"),
    "who touched a file": _artifacts(lambda n: {"path": f"docs/{n % 800}.md"}),
    "what came of a turn": _artifacts(
        lambda n: {"run_id": "run_" + f"{n}".rjust(32, "0"), "turn_id": "turn_1"}
    ),
    "artifacts of an agent": _artifacts(lambda n: {"agent_id": f"agent-{n % 400}"}),
    "artifacts by digest": _artifacts(lambda n: {"digest": f"{n:x}"}),
    "agents as one types": _agents,
    "pending approvals": _approvals,
}


def measure(_seconds: int) -> dict[str, Any]:
    """Fill a database, then ask each question many times."""
    server = postgres.PostgresServer()
    try:
        server.start()
        asyncio.run(server.prepare())
        return asyncio.run(_measure(server))
    finally:
        server.remove()


def table(found: dict[str, Any]) -> str:
    """Each question with its latencies."""
    rows: list[Sequence[str]] = [
        (
            name,
            f"{each['p50']:.1f} / {each['p95']:.1f}",
            f"p95 at most {LIMIT_MS}",
            reached(each["p95"] <= LIMIT_MS),
        )
        for name, each in found["queries"].items()
    ]
    made = f"{found['events']:,} events of {RUNS:,} runs, made in {found['fill_seconds']:.0f} s"
    return f"{made}\n\n{markdown(('page of', 'p50 / p95 ms', 'limit', 'reached'), rows)}"


async def _measure(server: postgres.PostgresServer) -> dict[str, Any]:
    begun = time.monotonic()
    connection = await asyncpg.connect(server.url(postgres.TEMPLATE, "postgres"))
    await connection.execute("SET synchronous_commit = off")
    await connection.execute(FILL)
    await connection.execute(BEGUN)
    events = await connection.fetchval("SELECT count(*) FROM checkrein.event")
    await connection.close()
    filled = time.monotonic() - begun
    ledger = await open_ledger(server.url(postgres.TEMPLATE, "checkrein_gateway"))
    try:
        chance = random.Random(5)
        queries = {name: await _timed(ledger, ask, chance) for name, ask in QUERIES.items()}
    finally:
        await ledger.close()
    return {"events": events, "fill_seconds": filled, "queries": queries}


async def _timed(ledger: PostgresLedger, ask: Ask, chance: random.Random) -> dict[str, float]:
    taken = []
    await ask(ledger, chance)
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await ask(ledger, chance)
        taken.append(1000 * (time.perf_counter() - begun))
    taken.sort()
    return {"p50": taken[len(taken) // 2], "p95": taken[int(len(taken) * 0.95)]}

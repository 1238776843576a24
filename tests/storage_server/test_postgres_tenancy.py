"""S1 (reliability): nothing of one project shows in another, whatever is asked and by whom."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.domain.events import Draft
from gateway.errors import StorageFailure
from gateway.storage.ports import KeyRecord
from gateway.storage.server.postgres.control import open_control
from gateway.storage.server.postgres.database import Role, open_database
from gateway.storage.server.postgres.ledger import open_ledger
from gateway.storage.wanted import ArtifactFilter, RunFilter
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, persist
from tests.make import FixedAmbient
from tests.servers import postgres

OTHER = "prj_other"
CANARY = "canary-7f3a"
TABLES = ["event", "blob", "run_secret", "run", "action", "approval", "feed", "feed_end"]
TABLES += ["run_fact", "run_cost", "artifact"]
PARTITIONS = ["event_20261120", "blob_20261120", "event_other", "blob_other"]


def made(name: str) -> list[Draft]:
    """What is filed beside a run's row."""
    cost = {"value": 5, "currency": "USD"}
    return [
        events.observed("model_call", id=name, cost=cost),
        events.observed("artifact", {"name": name}, path=name),
    ]


async def record_canary(ledger) -> None:
    """A run of another project, with the canary in every column an agent can fill."""
    drafts = [
        events.started(name=CANARY, agent_id=CANARY, user_id=CANARY, external_id=CANARY),
        events.decided({"note": CANARY}, decision_id=CANARY, action_id=CANARY, tool=CANARY),
        events.asked(CANARY, tool=CANARY, decision_id=CANARY),
        *made(CANARY),
    ]
    batch = [
        persist(draft, seq, f"run_{CANARY}", project_id=OTHER)
        for seq, draft in enumerate(drafts, 1)
    ]
    await ledger.record(batch, {(OTHER, f"run_{CANARY}"): CANARY.encode()})


@pytest.fixture
async def gateway(place):
    connection = await asyncpg.connect(place.gateway)
    yield connection
    await connection.close()


async def speak_for(connection, project_id: str) -> None:
    await connection.execute("SELECT set_config('checkrein.project', $1, true)", project_id)


async def test_no_answer_of_the_ledger_holds_anything_of_another_project(worker, reader):
    await record_canary(worker)
    run_id = f"run_{CANARY}"
    keys = [key for e in await worker.events(OTHER, run_id) for key in e.blob_keys.values()]
    assert keys
    assert CANARY in str(await reader.run(OTHER, run_id))

    answers = [
        await reader.events(PROJECT, run_id),
        await reader.indexed(PROJECT, run_id),
        await reader.event_by_decision(PROJECT, CANARY),
        await reader.blobs(PROJECT, run_id, keys),
        await reader.secret(PROJECT, run_id),
        await reader.run(PROJECT, run_id),
        await reader.runs(PROJECT, RunFilter(), None, 100),
        await reader.runs(PROJECT, RunFilter(agent_id=CANARY), ("9", "z"), 100),
        await reader.artifacts(PROJECT, ArtifactFilter(), None, 100),
        await reader.agents(PROJECT, "", 100),
        await reader.approvals(PROJECT, None, None, 100),
        await reader.approval(PROJECT, CANARY),
        await reader.last_seq(PROJECT, run_id),
        await reader.knows(PROJECT, run_id),
    ]

    assert answers == [[], [], None, {}, None, None, *([[]] * 5), None, 0, False]
    with pytest.raises(StorageFailure, match="Only a worker"):
        await reader.all_runs()


@pytest.mark.parametrize("table", TABLES)
async def test_sql_of_a_gateway_that_names_no_project_shows_its_own_rows_alone(
    worker, gateway, table
):
    """One guard may be forgotten: the other is in the database."""
    await record_canary(worker)
    await worker.record([persist(events.decided(), 1), persist(events.asked(), 2)], {})
    await worker.record([persist(events.draft(), 3)], {(PROJECT, "run_1"): WRAPPED})
    await worker.record([persist(each, n) for n, each in enumerate(made("a"), 4)], {})

    async with gateway.transaction():
        await speak_for(gateway, PROJECT)
        projects = await gateway.fetch(f"SELECT DISTINCT project_id FROM checkrein.{table}")
        joined = await gateway.fetch(
            f"SELECT 1 FROM checkrein.{table} AS a, checkrein.event AS b"
            " WHERE a.project_id <> b.project_id OR a.project_id = $1",
            OTHER,
        )

    assert [row[0] for row in projects] == [PROJECT]
    assert joined == []


@pytest.mark.parametrize("table", [*TABLES, "wrapped_key"])
async def test_a_gateway_that_speaks_for_nobody_is_refused(worker, gateway, table):
    """Never set is an error, and so is what a transaction with a project leaves behind."""
    await record_canary(worker)
    ask = f"SELECT count(*) FROM checkrein.{table} WHERE project_id <> ''"

    with pytest.raises(asyncpg.UndefinedObjectError):
        await gateway.fetchval(ask)
    async with gateway.transaction():
        await speak_for(gateway, PROJECT)
        await gateway.fetchval(ask)
    with pytest.raises(asyncpg.CheckViolationError):
        await gateway.fetchval(ask)


async def test_nothing_that_was_set_stays_in_a_connection(place):
    database = await open_database(place.gateway, "gateway")
    async with database.tenant(PROJECT) as connection:
        assert await connection.fetchval("SHOW checkrein.project") == PROJECT

    async with database.across() as connection:
        assert await connection.fetchval("SHOW checkrein.project") == ""
    await database.close()


async def test_a_commit_waits_for_the_disk_whatever_the_server_s_default_is():
    async with postgres.place(postgres.shared()) as place:
        async with place.superuser() as connection:
            await connection.execute(f"ALTER DATABASE {place.name} SET synchronous_commit = off")
        roles: tuple[Role, ...] = ("gateway", "worker")
        for role in roles:
            database = await open_database(getattr(place, role), role)
            async with database.tenant(PROJECT) as connection:
                assert await connection.fetchval("SHOW synchronous_commit") == "on"
            await database.close()


HOSTILE = [
    *(f"UPDATE checkrein.{table} SET project_id = 'prj_1'" for table in TABLES),
    *(f"DELETE FROM checkrein.{table}" for table in TABLES),
    *(f"TRUNCATE checkrein.{table}" for table in TABLES),
    *(f"SELECT * FROM checkrein.{partition}" for partition in PARTITIONS),
    *(f"DELETE FROM checkrein.{partition}" for partition in PARTITIONS),
    "DROP TABLE checkrein.event",
    "DROP TABLE checkrein.event_20261120",
    "ALTER TABLE checkrein.event DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE checkrein.event DETACH PARTITION checkrein.event_20261120",
    "CREATE POLICY mine ON checkrein.event USING (true)",
    "CREATE TABLE checkrein.mine (a text)",
    "SELECT checkrein.drop_day('2026-11-20')",
    "SELECT * FROM checkrein.api_key",
    "SELECT * FROM checkrein.project",
    "UPDATE checkrein.api_key SET revoked_at = NULL",
    "UPDATE checkrein.wrapped_key SET wrapped = ''",
    "DELETE FROM checkrein.wrapped_key",
    "UPDATE checkrein.policy_version SET files = '{}'",
    "UPDATE checkrein.retention SET shortest_days = 1",
    "UPDATE checkrein.change SET number = 0",
    "INSERT INTO checkrein.migration (name, digest) VALUES ('9999_x.sql', '')",
    "SET ROLE checkrein_owner",
    "SET SESSION AUTHORIZATION checkrein_owner",
    "COPY checkrein.event TO PROGRAM 'cat'",
]


@pytest.mark.parametrize("role", ["gateway", "worker"])
async def test_what_is_recorded_cannot_be_changed_by_those_who_serve(place, worker, role):
    """D11 (reliability): append-only is a matter of rights, not of good will."""
    await record_canary(worker)
    before = await worker.events(OTHER, f"run_{CANARY}")
    connection = await asyncpg.connect(getattr(place, role))

    for statement in HOSTILE:
        transaction = connection.transaction()
        await transaction.start()
        await speak_for(connection, OTHER)
        await connection.execute("SET LOCAL checkrein.inside = 'on'")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
        await transaction.rollback()

    await connection.close()
    assert await worker.events(OTHER, f"run_{CANARY}") == before


async def test_a_gateway_cannot_write_events(gateway):
    async with gateway.transaction():
        await speak_for(gateway, PROJECT)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await gateway.execute("INSERT INTO checkrein.run_secret VALUES ('prj_1', 'run_1', '')")


async def test_a_key_is_added_for_the_project_spoken_for_alone(gateway):
    row = "('k', 'prj_other', 'production', '', '', '', '')"
    async with gateway.transaction():
        await speak_for(gateway, PROJECT)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await gateway.execute(f"INSERT INTO checkrein.api_key VALUES {row}")


@pytest.mark.parametrize(
    "user", ["postgres", "checkrein_owner", "checkrein_worker", "serves_both", "passes_all"]
)
async def test_nobody_with_more_rights_serves_as_a_gateway(place, user):
    if user in {"serves_both", "passes_all"}:
        async with place.superuser() as connection:
            await connection.execute(f"DROP ROLE IF EXISTS {user}")
            more = "BYPASSRLS" if user == "passes_all" else ""
            roles = "checkrein_gateway" if more else "checkrein_gateway, checkrein_worker"
            await connection.execute(f"CREATE ROLE {user} LOGIN {more} IN ROLE {roles}")

    with pytest.raises(StorageFailure, match="database user"):
        await open_ledger(place.server.url(place.name, user))


async def test_a_member_of_the_role_serves_like_it(place, worker):
    await record_canary(worker)
    async with place.superuser() as connection:
        await connection.execute("DROP ROLE IF EXISTS acme")
        await connection.execute("CREATE ROLE acme LOGIN IN ROLE checkrein_gateway")

    ledger = await open_ledger(place.server.url(place.name, "acme"))

    assert await ledger.run(OTHER, f"run_{CANARY}") is not None
    assert await ledger.runs(PROJECT, RunFilter(), None, 10) == []
    await ledger.close()


async def test_what_a_constraint_says_names_no_row(place):
    """An error's text goes into logs and answers; a row's content goes nowhere."""
    control = await open_control(place.gateway, FixedAmbient())
    key = KeyRecord("k1", OTHER, "production", CANARY, b"d", (), "2026-11-20T12:00:00Z")
    await control.add_key(key)

    with pytest.raises(StorageFailure) as refused:
        await control.add_key(key)

    assert str(refused.value) == "The database refused a statement (SQLSTATE 23505)."
    await control.close()

"""The migration runner for PostgreSQL, and the schema that it makes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import StorageFailure
from gateway.storage.server import postgres as package
from gateway.storage.server.postgres.ledger import open_ledger
from gateway.storage.server.postgres.migrate import Migration, check, migrate, plan, shipped
from tests.ledger import events
from tests.ledger.events import persist
from tests.servers import postgres

FIRST = Migration("0001_first.sql", "-- A table; with a comment.\nCREATE TABLE one (a text);\n")
SECOND = Migration(
    "0002_second.sql", "CREATE TABLE two (a text);\nINSERT INTO two (a)\n  VALUES ('x;y');\n"
)
SCHEMA = Path(package.__file__).with_name("schema.sql")
# How the file was made; a later server's dump is written a little differently.
DUMPED_BY = "15"


@pytest.fixture
async def empty():
    """A database without tables. Its owner is no superuser."""
    async with postgres.place(postgres.shared(), template="empty") as found:
        yield found


async def tables(place) -> set[str]:
    async with place.superuser() as connection:
        found = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
    return {row[0] for row in found}


async def test_what_is_missing_is_applied_once_and_in_order(empty):
    assert await migrate(empty.owner, [FIRST]) == ["0001_first.sql"]
    assert await migrate(empty.owner, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await migrate(empty.owner, [FIRST, SECOND]) == []

    assert await tables(empty) == {"one", "two"}


async def test_planning_changes_nothing(empty):
    assert [each.name for each in await plan(empty.owner)] == [each.name for each in shipped()]
    assert (await check(empty.owner)).state == "behind"
    assert await tables(empty) == set()

    await migrate(empty.owner)

    assert await plan(empty.owner) == []
    assert (await check(empty.owner)).state == "current"


@pytest.mark.parametrize("role", ["gateway", "worker"])
async def test_those_who_serve_may_ask_whether_the_database_suits_them(place, role):
    assert (await check(getattr(place, role))).state == "current"


async def test_an_edited_migration_is_refused(empty):
    await migrate(empty.owner, [FIRST])
    edited = [Migration(FIRST.name, FIRST.sql + " "), SECOND]

    with pytest.raises(StorageFailure, match=r"0001_first\.sql was edited"):
        await migrate(empty.owner, edited)

    assert (await check(empty.owner, edited)).state == "edited"
    assert await tables(empty) == {"one"}


async def test_a_database_of_a_newer_release_is_not_migrated(empty):
    """It goes on serving the release before, whose gateways may still run."""
    await migrate(empty.owner, [FIRST, SECOND])

    with pytest.raises(StorageFailure, match=r"newer release .migration 0002_second\.sql"):
        await migrate(empty.owner, [FIRST])

    assert (await check(empty.owner, [FIRST])).state == "ahead"


async def test_a_migration_cannot_be_slipped_in_before_one_that_ran(empty):
    await migrate(empty.owner, [SECOND])

    with pytest.raises(StorageFailure, match="comes before"):
        await migrate(empty.owner, [FIRST, SECOND])


async def test_a_migration_that_fails_leaves_nothing_of_itself_behind(empty):
    broken = Migration("0003_third.sql", "CREATE TABLE three (a text);\nCREATE TABLE one (a int);")

    with pytest.raises(StorageFailure, match=r'42P07.: relation "one" already exists'):
        await migrate(empty.owner, [FIRST, SECOND, broken])

    assert await tables(empty) == {"one", "two"}
    assert [each.name for each in await plan(empty.owner, [FIRST, SECOND, broken])] == [broken.name]


async def test_runners_that_start_together_apply_each_file_once(empty):
    applied = await asyncio.gather(*(migrate(empty.owner) for _ in range(4)))

    assert sorted(name for names in applied for name in names) == [each.name for each in shipped()]


async def test_a_migration_waits_for_a_lock_no_longer_than_five_seconds(empty):
    """Behind one that waits everybody queues up."""
    await migrate(empty.owner, [FIRST])
    holding = await asyncpg.connect(empty.owner)
    change = Migration("0002_change.sql", "ALTER TABLE one ADD COLUMN b text;")
    async with holding.transaction():
        await holding.execute("SELECT * FROM one")

        with pytest.raises(StorageFailure, match="55P03"):
            await asyncio.wait_for(migrate(empty.owner, [FIRST, change]), 60)

    assert await migrate(empty.owner, [FIRST, change]) == [change.name]
    await holding.close()


async def test_a_gateway_says_what_to_do_about_a_database_without_tables(empty):
    with pytest.raises(StorageFailure, match="checkrein migrate"):
        await open_ledger(empty.gateway)


async def test_a_gateway_of_a_newer_release_waits_for_its_migrations(empty):
    await migrate(empty.owner, shipped()[:-1])

    with pytest.raises(StorageFailure, match="lacks what this release needs"):
        await open_ledger(empty.gateway)


async def test_a_gateway_of_the_release_before_serves_on_a_newer_schema(empty):
    """Gateways are replaced one by one, behind the migration."""
    newer = Migration("9999_newer.sql", "ALTER TABLE checkrein.run ADD COLUMN more text;")
    await migrate(empty.owner, [*shipped(), newer])

    ledger = await open_ledger(empty.gateway)

    assert await ledger.run("prj_1", "run_1") is None
    await ledger.close()


async def test_what_was_recorded_is_untouched_by_migrating_again(place, worker):
    await worker.record([persist(events.started(), 1)], {})

    assert await migrate(place.owner) == []

    assert await worker.last_seq("prj_1", "run_1") == 1


async def test_the_schema_is_the_reviewed_one(place):
    """All migrations replayed give the reviewed file, so a change of the database is seen."""
    if place.server.binaries.parent.name != DUMPED_BY:
        pytest.skip(f"schema.sql is what pg_dump {DUMPED_BY} writes")

    assert dumped(place) == SCHEMA.read_text("utf-8")


def dumped(place) -> str:
    """The schema as text that is the same every time: without comments, settings and days."""
    text = place.server.dump(
        place.name, "--schema-only", "--schema=checkrein", "--exclude-table=checkrein.*_2*"
    )
    lines = [
        line
        for line in text.splitlines()
        if not re.match(r"--|SET |SELECT pg_catalog|\\(un)?restrict ", line)
    ]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    # Write the reviewed file again:  python -m tests.storage_server.test_postgres_migrate
    async def write() -> None:
        async with postgres.place(postgres.shared()) as found:
            SCHEMA.write_text(dumped(found), "utf-8")

    asyncio.run(write())

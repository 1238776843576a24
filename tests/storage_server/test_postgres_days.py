"""Partitions by the day a run began: made ahead or when needed, dropped behind, never missed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from gateway.audit.verify import verify
from gateway.errors import StorageFailure
from gateway.storage.ports import Persist
from gateway.storage.server.postgres import reads as ledger_reads
from gateway.storage.server.postgres.ledger import open_ledger
from gateway.storage.wanted import RunFilter
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persist

PARTITIONS = """
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'checkrein.event'::regclass ORDER BY 1
"""
WHERE = "SELECT tableoid::regclass::text FROM checkrein.event WHERE run_id = $1"
TABLES = ["event", "blob", "run_secret", "run", "action", "approval"]


def today() -> date:
    return datetime.now(UTC).date()


def name(day: date) -> str:
    return f"event_{day:%Y%m%d}"


def at(day: date | str) -> str:
    return f"{day}T12:00:00.000000Z"


def run(run_id: str, day: date | str, *, first: int = 1) -> list[Persist]:
    drafts = [events.started(), events.decided({"n": run_id}), events.asked(f"apr_{run_id}")]
    dated = [replace(draft, recorded_at=at(day)) for draft in drafts]
    return [persist(draft, seq, run_id) for seq, draft in enumerate(dated, first)]


def secret(run_id: str) -> dict[tuple[str, str], bytes]:
    return {(PROJECT, run_id): WRAPPED}


async def partitions(place) -> set[str]:
    async with place.superuser() as connection:
        return {row[0] for row in await connection.fetch(PARTITIONS)}


async def lies_in(place, run_id: str) -> set[str]:
    async with place.superuser() as connection:
        found = await connection.fetch(WHERE, run_id)
    return {row[0].removeprefix("checkrein.") for row in found}


async def test_a_week_is_made_ahead_and_once(place, worker):
    assert await worker.maintain() == (8, 0)
    assert await worker.maintain() == (8, 0)

    assert await partitions(place) == {
        "event_other",
        *(name(today() + timedelta(days=n)) for n in range(8)),
    }


async def test_a_day_that_nobody_made_is_made_when_its_first_run_begins(place, worker):
    day = today() - timedelta(days=3)

    await worker.record(run("run_1", day), secret("run_1"))

    assert await lies_in(place, "run_1") == {name(day)}


async def test_a_run_stays_where_it_began(place, worker):
    """What comes after midnight lies with the run's first event, so that one look finds all."""
    day = today() - timedelta(days=2)
    await worker.record(run("run_1", day), secret("run_1"))

    await worker.record(run("run_1", today(), first=4), secret("run_1"))

    assert await lies_in(place, "run_1") == {name(day)}
    assert len(await worker.events(PROJECT, "run_1")) == 6


@pytest.mark.parametrize("day", ["1970-01-01", "9999-12-31", "2026-02-31", "yesterday", ""])
async def test_a_day_that_no_partition_is_made_for_is_recorded_all_the_same(place, worker, day):
    """A wrong clock must neither lose an event nor make a table for each of its days."""
    await worker.record(run("run_1", day), secret("run_1"))

    assert await lies_in(place, "run_1") == {"event_other"}
    assert (await verify(worker, open_secret)).ok
    assert len(await worker.events(PROJECT, "run_1")) == 3


async def test_a_day_whose_rows_are_already_among_the_others_stays_there(place, worker):
    day = today() - timedelta(days=1)
    async with place.superuser() as connection:
        await connection.execute(
            "REVOKE EXECUTE ON FUNCTION checkrein.make_day(date) FROM checkrein_worker"
        )
    await worker.record(run("run_1", day), secret("run_1"))
    async with place.superuser() as connection:
        await connection.execute(
            "GRANT EXECUTE ON FUNCTION checkrein.make_day(date) TO checkrein_worker"
        )
    other = await open_ledger(place.worker, "worker")

    await other.record(run("run_2", day), secret("run_2"))

    assert await lies_in(place, "run_1") == await lies_in(place, "run_2") == {"event_other"}
    assert (await verify(worker, open_secret)).ok
    await other.close()


async def test_everything_is_kept_unless_a_retention_is_given(place, worker):
    await worker.record(run("run_1", "2026-11-20"), secret("run_1"))

    assert (await worker.maintain())[1] == 0

    assert len(await worker.events(PROJECT, "run_1")) == 3


async def test_days_past_the_retention_are_dropped_with_all_that_began_on_them(place, worker):
    old, kept = today() - timedelta(days=50), today() - timedelta(days=40)
    days: dict[str, date | str] = {"run_old": old, "run_far": "1999-01-01", "run_kept": kept}
    for run_id, day in days.items():
        asked = events.observed("model_call", cost={"value": 5, "currency": "USD"})
        made = events.observed("artifact", {"name": "n"}, path="a.md")
        said = [replace(each, recorded_at=at(day)) for each in (asked, made)]
        more = [persist(each, seq, run_id) for seq, each in enumerate(said, 4)]
        await worker.record([*run(run_id, day), *more], secret(run_id))

    assert (await worker.maintain(keep_days=45))[1] == 2

    assert name(old) not in await partitions(place)
    async with place.superuser() as connection:
        for table in TABLES:
            found = await connection.fetch(f"SELECT DISTINCT project_id FROM checkrein.{table}")
            assert len(found) == 1, table
        for table in ("run_fact", "run_cost", "artifact"):
            found = await connection.fetch(f"SELECT DISTINCT run_id FROM checkrein.{table}")
            assert [row[0] for row in found] == ["run_kept"], table
        rows = await connection.fetch("SELECT run_id FROM checkrein.run_secret")
    assert [row[0] for row in rows] == ["run_kept"]
    listed = await worker.runs(PROJECT, RunFilter(), None, 10)
    assert [row["run_id"] for row in listed] == ["run_kept"]
    assert (await verify(worker, open_secret)).ok


async def test_a_day_is_kept_while_one_of_its_runs_goes_on(place, worker):
    old = today() - timedelta(days=50)
    await worker.record(run("run_1", old), secret("run_1"))
    await worker.record(run("run_1", today(), first=4), secret("run_1"))

    assert (await worker.maintain(keep_days=45))[1] == 0

    assert len(await worker.events(PROJECT, "run_1")) == 6


async def test_a_worker_cannot_drop_more_than_the_owner_allows(place, worker):
    await worker.record(run("run_1", today() - timedelta(days=10)), secret("run_1"))

    for days in (29, 1, 0, -1000):
        with pytest.raises(StorageFailure):
            await worker.maintain(keep_days=days)

    assert len(await worker.events(PROJECT, "run_1")) == 3


async def test_a_partition_asked_by_its_name_shows_nothing(place, worker):
    """Rights on a partition would pass by the policies of its parent."""
    await worker.record(run("run_1", today()), secret("run_1"))
    async with place.superuser() as connection:
        await connection.execute(f"GRANT SELECT ON checkrein.{name(today())} TO checkrein_gateway")
    connection = await asyncpg.connect(place.gateway)

    async with connection.transaction():
        await connection.execute(f"SET LOCAL checkrein.project = '{PROJECT}'")
        assert await connection.fetch(f"SELECT 1 FROM checkrein.{name(today())}") == []
        assert len(await connection.fetch("SELECT 1 FROM checkrein.event")) == 3
    await connection.close()


async def test_verification_finds_runs_on_all_days_also_those_without_a_row(place, worker):
    days = [today() - timedelta(days=n) for n in (0, 1, 5)]
    far = ["1970-01-01", "9999-12-31", str(today() - timedelta(days=3000))]
    names = [f"run_{n}_{at}" for n in range(3) for at in (*days, *far)]
    for run_id in names:
        await worker.record(run(run_id, run_id.partition("_")[2].partition("_")[2]), {})
    other = persist(events.started(), 1, "run_0", project_id="prj_0")
    await worker.record([other], {})
    wanted = [("prj_0", "run_0"), *((PROJECT, run_id) for run_id in sorted(names))]

    assert await worker.all_runs() == wanted

    async with place.superuser() as connection:
        await connection.execute("DELETE FROM checkrein.run")
    assert await worker.all_runs() == wanted


@pytest.mark.parametrize("statement", ["LAST", "PAGE", "BLOBS"])
async def test_a_run_is_looked_for_in_one_partition(place, worker, statement):
    """With a year of days, planning for all of them costs more than the answer."""
    await worker.maintain()
    sql = getattr(ledger_reads, statement).format(columns=ledger_reads.STORED)
    more: dict[str, list[object]] = {"LAST": [], "PAGE": [0, 10], "BLOBS": [[b""]]}

    async with place.superuser() as connection:
        plan = await connection.fetch(f"EXPLAIN {sql}", PROJECT, "run_1", today(), *more[statement])

    named = re.findall(r" on ((?:event|blob)_\w+)", "\n".join(row[0] for row in plan))
    assert {each.partition("_")[2] for each in named} == {f"{today():%Y%m%d}"}

"""A4: whoever has a role of the application changes nothing that was recorded, and an administrator
who does is found out."""

from __future__ import annotations

import asyncpg
import pytest

from gateway.audit.log.growing import checkpoint_now
from gateway.audit.verify import verify
from gateway.storage.server.postgres.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists
from tests.servers import postgres

TABLES = ("event", "blob", "run_secret", "leaves", "wrapped_key", "action")
FORBIDDEN = [
    *(f"DELETE FROM checkrein.{table}" for table in TABLES),
    *(f"TRUNCATE checkrein.{table}" for table in TABLES),
    "UPDATE checkrein.event SET record = 'x'",
    "UPDATE checkrein.event SET hash = hash",
    "UPDATE checkrein.blob SET sealed = 'x'",
    "UPDATE checkrein.run_secret SET wrapped = 'x'",
    "UPDATE checkrein.run_secret SET erased = NULL",
    "UPDATE checkrein.leaves SET hashes = hashes",
    "UPDATE checkrein.leaves SET count = count",
    "UPDATE checkrein.run SET run_id = 'run_2'",
    "UPDATE checkrein.wrapped_key SET wrapped = 'x'",
    "DELETE FROM checkrein.run",
    "ALTER TABLE checkrein.event DISABLE ROW LEVEL SECURITY",
    "DROP TABLE checkrein.leaves",
    "SELECT checkrein.erase_runs('prj_2', ARRAY['run_1'], '{}')",
    "SELECT checkrein.destroy_keys('*', NULL)",
]
# A placed leaf is out of reach of the one statement that places.
UNTOUCHED = "UPDATE checkrein.leaves SET first = first + 1"
EDITS = {
    "a changed record": "UPDATE checkrein.event SET record = replace("
    "convert_from(record, 'UTF8'), 'stripe.refund', 'stripe.charge')::bytea",
    "an event taken out": "DELETE FROM checkrein.event WHERE seq = 2",
    "a cut tail": "DELETE FROM checkrein.event WHERE seq = 3",
    "content of another": "UPDATE checkrein.blob SET sealed = sealed || 'x'",
}


@pytest.fixture
async def place():
    async with postgres.emptied(postgres.shared()) as place:
        ledger = await open_ledger(place.worker, "worker")
        drafts = [events.started(), events.decided({"amount": 1}), events.draft()]
        await ledger.record(persists(drafts), {(PROJECT, "run_1"): WRAPPED})
        await ledger.grow()
        await ledger.close()
        yield place


@pytest.mark.parametrize("role", ["gateway", "worker"])
async def test_no_role_of_the_application_changes_what_was_recorded(place, role):
    connection = await asyncpg.connect(getattr(place, role))
    try:
        await connection.execute(f"SELECT set_config('checkrein.project', '{PROJECT}', false)")
        allowed = []
        for statement in FORBIDDEN:
            try:
                await connection.execute(statement)
                allowed.append(statement)
            except asyncpg.PostgresError:
                continue
        if role == "worker":
            assert await connection.execute(UNTOUCHED) == "UPDATE 0"
    finally:
        await connection.close()

    assert allowed == []


@pytest.mark.parametrize("edit", sorted(EDITS))
async def test_an_administrator_who_edits_is_found_out(place, edit):
    ledger = await open_ledger(place.worker, "worker")
    whole = await verify(ledger, open_secret)
    async with place.superuser() as connection:
        await connection.execute(EDITS[edit])

    touched = await verify(ledger, open_secret)
    await ledger.close()

    assert (whole.ok, touched.ok) == (True, False)


async def test_an_administrator_who_takes_out_a_whole_run_is_found_out_by_the_log(place):
    """And by a witness, when the log is made to fit."""
    ledger = await open_ledger(place.worker, "worker")
    seen, _ = await checkpoint_now(ledger, PROJECT)
    async with place.superuser() as connection:
        for table in ("event", "run", "action", "blob", "run_secret"):
            await connection.execute(f"DELETE FROM checkrein.{table}")
        strays = await ledger.strays(PROJECT)
        await connection.execute("DELETE FROM checkrein.leaves")
    _, gone = await checkpoint_now(ledger, PROJECT, [seen])
    await ledger.close()

    assert strays == 3
    assert gone == [seen]

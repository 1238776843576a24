"""A database that is away, slow or back again: an answer in time, and never for long (D4)."""

from __future__ import annotations

import asyncio
import signal
import socket
import time

import pytest

from gateway.errors import StorageFailure
from gateway.storage.server.postgres.database import Limits, open_database
from gateway.storage.server.postgres.ledger import open_ledger
from gateway.storage.wanted import RunFilter
from tests.ledger import events
from tests.ledger.events import PROJECT, persist
from tests.servers import postgres

# What is waited for here ends in a second or two; a guard only keeps a hanging test from hanging.
GUARD_SECONDS = 30


@pytest.fixture
async def own():
    """A server of the test's own, with a database on it."""
    server = await asyncio.to_thread(postgres.fresh)
    try:
        await server.prepare()
        yield postgres.Place(server, await server.database())
    finally:
        server.remove()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(place):
    database = await open_database(place.gateway, "gateway", limits=Limits(2, 1, 20))

    with pytest.raises(StorageFailure, match="too long over a statement"):
        async with database.tenant(PROJECT) as connection:
            await connection.fetchval("SELECT pg_sleep(60)")

    async with database.tenant(PROJECT) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await database.close()


async def test_a_gateway_s_statements_are_bounded_by_three_seconds(place):
    database = await open_database(place.gateway, "gateway")
    async with database.tenant(PROJECT) as connection:
        assert await connection.fetchval("SHOW statement_timeout") == "3s"
        assert await connection.fetchval("SHOW lock_timeout") == "3s"
    await database.close()


async def test_who_waits_for_a_connection_waits_no_longer_than_for_an_answer(place):
    database = await open_database(place.gateway, "gateway", limits=Limits(1, 20, 2))

    async def hold() -> None:
        async with database.tenant(PROJECT) as connection:
            await connection.fetchval("SELECT pg_sleep(60)")

    outcomes = await asyncio.wait_for(
        asyncio.gather(*(hold() for _ in range(5)), return_exceptions=True), GUARD_SECONDS
    )

    assert {str(each) for each in outcomes} == {"The database did not answer in time."}
    async with database.tenant(PROJECT) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    await database.close()


async def test_a_caller_that_gives_up_leaves_no_transaction_behind(place):
    database = await open_database(place.gateway, "gateway", limits=Limits(1, 20, 20))

    async def hold() -> None:
        async with database.tenant(PROJECT) as connection:
            await connection.fetchval("SELECT pg_sleep(60)")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hold(), 0.3)

    async with database.tenant("prj_2") as connection:
        assert await connection.fetchval("SHOW checkrein.project") == "prj_2"
    await database.close()


async def test_a_stopped_server_costs_a_deadline_and_serves_again_when_it_goes_on(own):
    """A black hole: connected, and no answer ever."""
    ledger = await eventually(lambda: open_ledger(own.gateway, limits=Limits(2, 2, 2)))
    await eventually(lambda: ledger.run(PROJECT, "run_1"))
    own.server.signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            with pytest.raises(StorageFailure, match="in time"):
                await asyncio.wait_for(ledger.run(PROJECT, "run_1"), GUARD_SECONDS)
    finally:
        own.server.signal(signal.SIGCONT)

    assert await eventually(lambda: ledger.run(PROJECT, "run_1")) is None
    await ledger.close()


async def test_a_ledger_serves_again_once_the_server_is_back(own):
    """All connections are dead at once, and the first call after the restart is answered."""
    worker = await open_ledger(own.worker, "worker")
    reader = await open_ledger(own.gateway)
    await worker.record([persist(events.started(), 1)], {})
    await asyncio.gather(*(reader.run(PROJECT, "run_1") for _ in range(8)))

    await asyncio.to_thread(own.server.kill)
    with pytest.raises(StorageFailure):
        await reader.run(PROJECT, "run_1")
    with pytest.raises(StorageFailure):
        await worker.record([persist(events.draft(), 2)], {})
    await asyncio.to_thread(own.server.start)

    assert await reader.last_seq(PROJECT, "run_1") == 1
    assert await worker.record([persist(events.draft(), 2)], {}) == 1
    assert len(await reader.runs(PROJECT, RunFilter(), None, 10)) == 1
    await worker.close()
    await reader.close()


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "nonsense", "postgresql://[/"])
async def test_an_address_where_nobody_answers_is_a_storage_failure(url):
    with pytest.raises(StorageFailure):
        await open_ledger(url)


async def test_a_server_that_accepts_and_is_silent_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(StorageFailure):
            await open_ledger(f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x")
    assert time.monotonic() - began < GUARD_SECONDS


async def eventually(ask):
    deadline = time.monotonic() + GUARD_SECONDS
    while True:
        try:
            return await ask()
        except StorageFailure:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)

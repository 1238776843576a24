"""Behind PgBouncer in transaction mode: many clients, few connections, nobody's settings left."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec
import pytest

from gateway.audit.verify import verify
from gateway.domain.events import Event
from gateway.errors import StorageFailure
from gateway.storage.server.postgres.control import open_control
from gateway.storage.server.postgres.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import WRAPPED, open_secret, persist
from tests.make import FixedAmbient
from tests.servers import pgbouncer

PROJECTS = [f"prj_{n}" for n in range(6)]


@pytest.fixture
def pooled(place):
    """The addresses of the roles through a pooler that has two connections for each."""
    with pgbouncer.pooling(place.server, connections=2) as port:
        address = f"127.0.0.1:{port}/{place.name}"
        yield lambda role: f"postgresql://checkrein_{role}@{address}"


async def test_records_and_answers_pass_through_a_pooler(pooled):
    worker = await open_ledger(pooled("worker"), "worker", prepared=False)
    readers = [await open_ledger(pooled("gateway"), prepared=False) for _ in range(3)]

    async def record(project_id: str) -> None:
        for n in range(5):
            drafts = [events.started(name=project_id), events.decided(), events.asked()]
            batch = [
                persist(draft, seq, f"run_{n}", project_id=project_id)
                for seq, draft in enumerate(drafts, 1)
            ]
            await worker.record(batch, {(project_id, f"run_{n}"): WRAPPED})

    async def read(project_id: str) -> None:
        """Speaking for different projects on the same two connections, each sees its own."""
        for n in range(20):
            ledger = readers[n % 3]
            found = await ledger.run(project_id, f"run_{n % 5}")
            assert found is None or found["name"] == project_id
            stored = await ledger.events(project_id, f"run_{n % 5}")
            seen = [msgspec.json.decode(each.record, type=Event) for each in stored]
            assert {event.project_id for event in seen} <= {project_id}

    await asyncio.gather(*map(record, PROJECTS), *map(read, PROJECTS))
    await asyncio.gather(*map(read, PROJECTS))

    found = await verify(worker, open_secret)
    assert (found.ok, found.runs, found.events) == (True, 30, 90)
    await asyncio.gather(*(each.close() for each in [worker, *readers]))


async def test_control_passes_through_a_pooler(pooled):
    control = await open_control(pooled("gateway"), FixedAmbient(), prepared=False)

    before = await control.changes()
    project_id = await control.project("acme")

    assert await control.changes() == before + 1
    assert await control.put_wrapped_key(project_id, None, b"k") == b"k"
    await control.close()


async def test_prepared_statements_do_not_pass_and_that_is_why_there_is_a_switch(pooled):
    """Were this to succeed one day, the switch could go."""
    with pytest.raises(StorageFailure, match="SQLSTATE"):
        await ask_prepared(pooled("gateway"))


async def ask_prepared(url: str) -> None:
    async with AsyncExitStack() as stack:
        controls = []
        for _ in range(4):
            controls.append(await open_control(url, FixedAmbient(), prepared=True))
            stack.push_async_callback(controls[-1].close)
        for _ in range(20):
            await asyncio.gather(*(each.changes() for each in controls for _ in range(4)))

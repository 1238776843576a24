"""The worker as a child process: it stops in order, outlives its parent to the end of the work,
and never works beside another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys

import pytest

from gateway.audit.verify import verify
from gateway.storage import master_key
from tests.ledger import events
from tests.worker.rig import Rig

PATIENCE = 60


@pytest.fixture
async def gateway(tmp_path):
    """A journal being written to, in the place of a gateway, with the folder's own key."""
    rig = await Rig(tmp_path, master_key.make(tmp_path / "master.key")).open()
    yield rig
    await rig.close()


@contextlib.asynccontextmanager
async def worker(rig: Rig, *, stdin: int = asyncio.subprocess.PIPE):
    """A worker of this folder; whatever happens, it is ended by its id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.serving.worker"),
        env={**os.environ, "CHECKREIN_DATA": str(rig.folder)},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def drained(rig: Rig) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if not await rig.waiting():
                return
            await asyncio.sleep(0.02)


async def append_some(rig: Rig, count: int = 40) -> list[str]:
    drafts = [events.decided({"amount": n}) for n in range(count)]
    for draft in drafts:
        await rig.append("run_1", draft)
    return [draft.id for draft in drafts]


async def test_a_child_records_what_the_gateway_appends_and_stops_when_told(gateway):
    """D8: SIGTERM ends it in order, with everything recorded."""
    async with worker(gateway) as process:
        given = await append_some(gateway)
        await drained(gateway)
        more = await append_some(gateway, 10)
        process.terminate()

        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0

    assert await gateway.stored_ids("run_1") == [*given, *more]
    assert (await verify(gateway.ledger, gateway.keyring.run_secret)).ok


async def test_a_child_whose_parent_died_records_what_is_left_and_ends(gateway):
    """D1: what was acknowledged reaches the ledger even if the gateway never comes back."""
    given = await append_some(gateway, 600)
    async with worker(gateway) as process:
        assert process.stdin is not None
        process.stdin.close()

        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0

    assert await gateway.stored_ids("run_1") == given


async def test_a_killed_worker_is_continued_by_the_next(gateway):
    """D1, D2: kill -9 at any moment; nothing is lost and nothing recorded twice."""
    given: list[str] = []
    for round_ in range(3):
        async with worker(gateway) as process:
            given += await append_some(gateway, 60)
            await asyncio.sleep(0.1 * round_)
            process.send_signal(signal.SIGKILL)
            await process.wait()
    async with worker(gateway):
        await drained(gateway)

    assert await gateway.stored_ids("run_1") == given
    assert (await verify(gateway.ledger, gateway.keyring.run_secret)).ok


async def test_two_workers_never_work_at_once(gateway):
    """The second waits for the lease and takes over when the first is gone, however it went."""
    async with worker(gateway) as first:
        given = await append_some(gateway)
        await drained(gateway)
        async with worker(gateway) as second:
            os.kill(first.pid, signal.SIGSTOP)
            given += await append_some(gateway, 10)
            await asyncio.sleep(0.5)
            assert await gateway.waiting() == 10

            first.kill()
            await drained(gateway)

            assert second.returncode is None
    assert await gateway.stored_ids("run_1") == given


async def test_the_parent_is_told_what_was_recorded(gateway):
    await append_some(gateway, 25)
    lines: list[dict[str, float]] = []
    async with worker(gateway) as process:
        assert process.stdout is not None
        while sum(line["recorded"] for line in lines) < 25:
            read = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            lines.append(json.loads(read))
        process.terminate()
        await process.wait()

    assert sum(line["recorded"] for line in lines) == 25
    assert lines[0].keys() >= {"recorded", "unreadable", "missing", "lag_seconds"}


async def test_a_parent_that_does_not_read_holds_nothing_up(gateway):
    """The child of a gateway that is busy, or stopped, goes on recording."""
    async with worker(gateway) as process:
        given = await append_some(gateway, 30)
        await asyncio.sleep(2.5)
        given += await append_some(gateway, 30)
        await drained(gateway)
        assert process.returncode is None

    assert await gateway.stored_ids("run_1") == given


async def test_control_c_in_the_terminal_is_left_to_the_parent(gateway):
    """D8: the whole group gets the signal; only the gateway decides when recording is over."""
    async with worker(gateway) as process:
        given = await append_some(gateway, 5)
        await drained(gateway)
        process.send_signal(signal.SIGINT)
        given += await append_some(gateway, 5)
        await drained(gateway)
        assert process.returncode is None

    assert await gateway.stored_ids("run_1") == given


async def test_a_wrong_master_key_is_said_and_nothing_is_touched(gateway):
    """A worker with another key would make evidence of garbage out of every event."""
    await append_some(gateway, 3)
    path = gateway.folder / "master.key"
    path.write_bytes(bytes(32))

    async with worker(gateway) as process:
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
        _, errors = await process.communicate()

    assert b"master key does not belong to this data" in errors
    assert await gateway.waiting() == 3


@pytest.mark.parametrize("with_key", [False, True])
async def test_a_folder_without_a_journal_is_refused_and_left_as_it_is(tmp_path, with_key):
    if with_key:
        master_key.make(tmp_path / "master.key")
    before = sorted(tmp_path.iterdir())

    async with worker(Rig(tmp_path)) as process:
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
        _, errors = await process.communicate()

    assert (b"no journal" if with_key else b"master.key") in errors
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "worker.lock"] == before

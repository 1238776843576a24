"""A cluster that changes while appends are under way: no gap, no double, no half-seen run."""

from __future__ import annotations

import asyncio
import time

from gateway.errors import StorageFailure
from gateway.storage.ports import Appended
from tests.contract import appends as make
from tests.servers import redis
from tests.servers.waiting import eventually


async def test_slots_that_move_key_by_key_take_their_runs_along(tmp_path, on):
    """Each move is held open for a while, half of the keys here and half there."""
    with redis.cluster(tmp_path / "cluster", nodes=2) as servers:
        rig = await on(servers[0].url, seconds=1.0).open()
        runs = [f"run_{number}" for number in range(8)]
        places: dict[str, list[int]] = {run: [] for run in runs}
        refused = 0
        stop = asyncio.Event()

        async def work(run_id: str) -> None:
            nonlocal refused
            while not stop.is_set():
                wanted, _ = make.decision(make.new_id("act"), run_id)
                try:
                    outcome = await rig.journal.append(wanted)
                except StorageFailure:
                    refused += 1
                    await asyncio.sleep(0.01)
                    continue
                assert isinstance(outcome, Appended)
                places[run_id].append(outcome.first_seq)
                await asyncio.sleep(0.002)

        working = [asyncio.create_task(work(run)) for run in runs]
        await asyncio.sleep(0.2)
        for run in runs[:4]:
            await asyncio.to_thread(_move, servers, rig.journal._places.of(("prj_1", run)).slot)
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*working)

        for run in runs:
            assert places[run] == list(range(1, len(places[run]) + 1))
            state = (await rig.journal.gather(make.ask(run))).state
            assert state.counters["calls"] == len(places[run]) == state.last_seq
        assert refused > 0
        assert len(await rig.drain.claim(100_000)) == sum(map(len, places.values()))
        await rig.close()


async def test_a_replica_that_takes_over_is_found(tmp_path, on):
    """design 6: the gateway learns of it by itself, and what it had gathered counts no more."""
    with redis.cluster(tmp_path / "cluster", replica=True, node_timeout_ms=1500) as servers:
        rig = await on(servers[1].url, seconds=1.0).open()
        places = rig.journal._places
        lost = next(
            f"run_{number}"
            for number in range(1000)
            if places.of(("prj_1", f"run_{number}")).slot < redis.SLOTS // 3
        )
        await make.done(rig.journal, make.append(lost))
        before = await rig.journal.gather(make.ask(lost))
        with servers[0].client() as client:
            assert client.wait(1, 5000) == 1
        servers[0].kill()

        async def appended():
            try:
                return await rig.journal.append(make.append(lost))
            except StorageFailure:
                return None

        outcome = await eventually(appended, lambda found: found is not None)

        assert outcome == Appended(2, "fsync")
        assert (await rig.journal.gather(make.ask(lost))).generation != before.generation
        assert [claim.seq for claim in await _claimed(rig)] == [1, 2]
        await rig.close()


async def _claimed(rig):
    async def claims():
        try:
            return await rig.drain.claim(10)
        except StorageFailure:
            return []

    return await eventually(claims, lambda found: len(found) == 2)


def _move(servers: list[redis.Server], slot: int) -> None:
    """Move a slot from the node that has it to the other, one key at a time."""
    clients = [server.client() for server in servers]
    names = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
    here = 0 if slot < redis.SLOTS // 2 else 1
    there = 1 - here
    clients[there].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[here])
    clients[here].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[there])
    while keys := clients[here].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
        port = servers[there].port
        clients[here].execute_command("MIGRATE", "127.0.0.1", port, keys[0], 0, 5000)
        time.sleep(0.01)
    for client in (clients[there], clients[here]):
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[there])
        client.close()

"""A cluster that moves slots while appends are under way: no gap, no double, no half-seen run."""

from __future__ import annotations

import asyncio
import time

from gateway.errors import StorageFailure
from gateway.storage.ports import Appended
from tests.contract import appends as make
from tests.servers import redis


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

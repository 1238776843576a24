"""Playing a seed: the world is set up, troubled, calmed, and looked at.

`python -m tests.simulation.play 17` plays seed 17 and says what went wrong.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from gateway.errors import Conflict, StorageFailure
from gateway.storage.server.redis import rows
from tests.contract import appends as make
from tests.simulation import checks
from tests.simulation.loop import VirtualLoop
from tests.simulation.world import AGENTS, BUDGET, RUNS, Agent, World

TROUBLED_SECONDS = 25.0
CALM_SECONDS = 120.0
# Of simulated time: whoever is not done by then never will be.
LONGEST_SECONDS = 1000.0

Changed = Callable[[World], None]


def play(seed: int, changed: Changed = lambda world: None) -> list[str]:
    """What went wrong under this seed. `changed` plants a fault of its own into the world.

    Under every fourth seed Redis also fails over to a replica that lacks what came last.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_play(seed, changed))


async def _play(seed: int, changed: Changed) -> list[str]:
    witness = checks.Witness()
    world = World(seed, witness.seen)
    witness.world = world
    changed(world)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            await world.start()
            for run_id in RUNS:
                await Agent(world).begin(run_id)
            agents = asyncio.gather(*(Agent(world).work() for _ in range(AGENTS)))
            await _trouble(world, witness, agents, failover=seed % 4 == 3)
            await _calm(world)
        return [*witness.wrongs, *checks.wrongs(world)]
    except Conflict as error:
        # Nothing is erased here, and nobody uses an id twice.
        return [*witness.wrongs, f"an append was refused for good: {error}"]
    finally:
        world.stop()
        world.ledger.close()


async def _trouble(
    world: World, witness: checks.Witness, agents: asyncio.Future[Any], *, failover: bool
) -> None:
    """One thing after the other, until the agents are done."""
    chance = world.chance
    ends = world.loop.time() + TROUBLED_SECONDS
    while not agents.done() and world.loop.time() < ends:
        await asyncio.sleep(chance.uniform(0.1, 2.5))
        match chance.choice(
            ["power", "gateway", "worker", "clock", "evict", "evict", "rough", "failover"]
        ):
            case "power":
                await _away(world, witness, _left_by_power_cut(world))
            case "failover" if failover:
                world.failed_over = True
                await _away(world, witness, max(0, world.server.synced - chance.randrange(40)))
            case "gateway":
                await world.replace(chance.randrange(len(world.gateways)), "gateway")
            case "worker":
                await world.replace(chance.randrange(len(world.workers)), "worker")
            case "clock":
                world.server.clock_ahead += chance.choice([-30.0, -1.0, 0.5, 3.0, 10.0])
            case "evict":
                await _evict(world)
            case _:
                world.network.rough = chance.choice([0.01, 0.04, 0.2])
    await agents


def _left_by_power_cut(world: World) -> int:
    """What was synced is left, and of the tail perhaps a part."""
    return world.chance.randint(world.server.synced, len(world.server.file))


async def _away(world: World, witness: checks.Witness, keep: int) -> None:
    for written in world.server.file[keep:]:
        for words in written.effects:
            if words[0] == b"XADD" and world.failed_over:
                world.lost.add(rows.decode_entry(words[4]).event_id)
    world.server.fail(keep)
    await asyncio.sleep(world.chance.choice([0.0, 0.05, 0.5, 2.0]))
    world.server.start()
    witness.again(world.server.file)


async def _evict(world: World) -> None:
    gateway = world.chance.choice(world.gateways)
    if not gateway.process.alive:
        return
    try:
        # However short a run has been idle: it may go whenever it is drained.
        await gateway.journal.evict_idle(2**62, len(RUNS))
    except StorageFailure:
        return


async def _calm(world: World) -> None:
    """No more trouble: everything that was put off is made good."""
    world.network.rough = 0.0
    world.server.steady = True
    await world.start()
    await asyncio.sleep(5.0)
    until = world.loop.time() + CALM_SECONDS
    while any(checks._waiting(world.server.keys)) and world.loop.time() < until:
        for gateway in world.gateways:
            await gateway.journal.tend()
        await asyncio.sleep(1.0)
    # Holds past their deadline are settled by whoever reserves next.
    world.server.clock_ahead += 600.0
    for _ in range(3):
        journal = world.gateways[0].journal
        await journal.gather(make.wish("last", 1, BUDGET, "top"))
        await journal.forget("last")
        await asyncio.sleep(1.0)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        sys.stdout.write(f"{given}: {play(int(given)) or 'nothing is wrong'}\n")

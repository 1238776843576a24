"""Redis killed with -9 in the midst of appends: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio

from gateway.domain.run_state import StateChange
from gateway.errors import StorageFailure
from gateway.storage import record
from gateway.storage.ports import Appended
from tests.contract import appends as make
from tests.servers.waiting import eventually


async def test_nothing_acknowledged_is_lost_when_redis_is_killed(server, on):
    """D1, D2: with appendfsync always; what was not acknowledged leaves no gap and no double."""
    rig = await on(server.url, seconds=1.0).open()
    acknowledged: dict[str, tuple[str, int]] = {}
    sent: set[str] = set()
    stop = asyncio.Event()

    async def work(run_id: str) -> None:
        while not stop.is_set():
            wanted = make.append(run_id, [make.draft(), make.draft()])
            sent.update(draft.id for draft in wanted.drafts)
            try:
                outcome = await rig.journal.append(wanted)
            except StorageFailure:
                await asyncio.sleep(0.01)
                continue
            assert isinstance(outcome, Appended)
            for number, draft in enumerate(wanted.drafts):
                acknowledged[draft.id] = (run_id, outcome.first_seq + number)

    workers = [asyncio.create_task(work(f"run_{number}")) for number in range(16)]
    for _ in range(3):
        await asyncio.sleep(0.4)
        server.kill()
        await asyncio.sleep(0.1)
        await asyncio.to_thread(server.start)
    await asyncio.sleep(0.4)
    stop.set()
    await asyncio.gather(*workers)

    found: dict[str, tuple[str, int]] = {}
    while claims := await rig.drain.claim(500):
        for claim in claims:
            event_id = record.decode(claim.raw)[0].id
            assert event_id not in found
            found[event_id] = (claim.run_id, claim.seq)
        await rig.drain.settle(claims)
    assert len(acknowledged) > 100
    assert acknowledged.items() <= found.items()
    assert found.keys() <= sent
    for number in range(16):
        seqs = [seq for run_id, seq in found.values() if run_id == f"run_{number}"]
        assert seqs == list(range(1, len(seqs) + 1))
    await rig.close()


async def test_a_failover_that_lost_the_end_goes_on_from_what_is_left(server, on, tmp_path):
    """design 4: a seq may then be given out twice, and no gateway believes what it remembers."""
    rig = await on(server.url, seconds=1.0).open()
    for _ in range(3):
        await make.done(rig.journal, make.append(changes=(StateChange(add={"calls": 1}),)))
    log = server.folder / "appendonlydir"
    kept = {path.name: path.read_bytes() for path in log.iterdir()}
    lost, _ = make.decision("act_lost", changes=())
    seen = await rig.journal.gather(make.ask())
    await make.done(rig.journal, lost)
    server.kill()
    for name, data in kept.items():
        (log / name).write_bytes(data)
    await asyncio.to_thread(server.start)

    relying = make.append(gathered_version=3, gathered_generation=seen.generation)

    async def gathered():
        try:
            return await rig.journal.gather(make.ask())
        except StorageFailure:
            return seen

    again = await eventually(gathered, lambda found: found.generation != seen.generation)
    assert await make.refused(rig.journal, relying) == "predicate"
    assert again.state.counters == {"calls": 3}
    assert await make.done(rig.journal, make.append()) == 4
    await rig.close()

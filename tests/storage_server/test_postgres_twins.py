"""Embedded and production give the same answers: both ledgers take the same batches."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from gateway.audit.verify import verify
from gateway.errors import EventRefused, StorageFailure
from gateway.replay.frames import view
from gateway.replay.recalling import Recalling
from gateway.storage.embedded import ledger as embedded
from gateway.storage.embedded.control import EmbeddedControl
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Persist
from gateway.storage.wanted import RunFilter
from tests.ledger import events
from tests.ledger.events import PROJECT, open_secret, persist
from tests.ledger.test_rows import history
from tests.make import FixedAmbient

RUNS = [(project_id, f"run_{n}") for project_id in (PROJECT, "prj_2") for n in range(3)]
SECRETS = {place: f"secret of {place}".encode() for place in RUNS}


@pytest.mark.parametrize("seed", range(4))
async def test_both_ledgers_hold_the_same_after_the_same_batches(tmp_path, worker, reader, seed):
    """Mixed runs, batches sent again, gaps, and seqs given out twice."""
    chance = random.Random(seed)
    twin = await embedded.open_ledger(tmp_path / "ledger.db")
    decisions: set[str] = set()

    for batch in batches(chance, decisions):
        outcomes = []
        for ledger in (worker, twin):
            try:
                outcomes.append(str(await ledger.record(batch, SECRETS)))
            except EventRefused as refused:
                outcomes.append(str(refused))
        assert outcomes[0] == outcomes[1]

    for ledger in (worker, reader):
        assert await answers(ledger, decisions, chance) == await answers(twin, decisions, chance)
    assert list(await worker.all_runs()) == list(await twin.all_runs())
    assert await verify(worker, open_secret) == await verify(twin, open_secret)
    control = EmbeddedControl(tmp_path / "control.db", FixedAmbient())
    keyring = Keyring(control, bytes(32))
    for project_id, run_id in RUNS:
        assert await seen(reader, project_id, run_id) == await seen(twin, project_id, run_id)
        recalled = [
            await Recalling(each, keyring, "").run(project_id, run_id) for each in (reader, twin)
        ]
        assert recalled[0] == recalled[1]
        assert recalled[0] is not None
    await control.close()
    await twin.close()


async def seen(ledger, project_id: str, run_id: str) -> object:
    """What a person sees of a run, when its histories let anybody."""
    try:
        return await view(ledger, open_secret, project_id, run_id)
    except StorageFailure as failure:
        return str(failure)


def batches(chance: random.Random, decisions: set[str]) -> list[list[Persist]]:
    """Pieces of a few histories, some of them again, and some refused."""
    streams = {place: stream(chance, *place, decisions) for place in RUNS}
    cut: list[list[Persist]] = []
    while any(streams.values()):
        batch: list[Persist] = []
        for _ in range(chance.randint(1, 6)):
            left = streams[chance.choice(RUNS)]
            taken = [left.pop(0) for _ in range(min(len(left), chance.randint(1, 8)))]
            batch += taken
        if chance.random() < 0.3 and cut:
            batch = [*chance.choice(cut), *batch]
        if chance.random() < 0.1 and batch:
            at = chance.randrange(len(batch))
            gap = replace(batch[at].event, seq=batch[at].event.seq + 50, id=events.new_id("evt"))
            cut.append([Persist(gap, {})])
        cut.append(batch)
    return cut


def stream(
    chance: random.Random, project_id: str, run_id: str, decisions: set[str]
) -> list[Persist]:
    """A history; by chance another one follows from one of its middle seqs."""
    drafts = history(chance)
    fields = {"project_id": project_id}
    first = [persist(draft, seq, run_id, **fields) for seq, draft in enumerate(drafts, 1)]
    if chance.random() < 0.4 and len(first) > 3:
        again = chance.randint(2, len(first))
        drafts = history(chance)[1:]
        first += [persist(draft, seq, run_id, **fields) for seq, draft in enumerate(drafts, again)]
    for each in first:
        if each.event.type == "decision":
            decisions.add(f"dec_{each.event.id.removeprefix('evt_')}")
            body = bytes(each.event.body).decode()
            decisions.add(body.partition('"decision_id":"')[2].partition('"')[0])
    return first


async def answers(ledger, decisions: set[str], chance: random.Random) -> list[object]:
    """Everything that a ledger can be asked of these runs."""
    found: list[object] = []
    for project_id, run_id in [*RUNS, (PROJECT, "run_none")]:
        found += [
            *await whole(ledger, project_id, run_id, 4),
            await ledger.indexed(project_id, run_id),
            await ledger.run(project_id, run_id),
            await ledger.secret(project_id, run_id),
            await ledger.last_seq(project_id, run_id),
        ]
        keys = [k for e in await ledger.events(project_id, run_id) for k in e.blob_keys.values()]
        found.append(await ledger.blobs(project_id, run_id, [*keys, "0" * 64]))
    for project_id in (PROJECT, "prj_2", "prj_3"):
        for wanted in (RunFilter(), RunFilter(status="halted"), RunFilter(agent_id="a")):
            found.append(list(await ledger.runs(project_id, wanted, None, 3)))
            found.append(list(await ledger.runs(project_id, wanted, (events.NOON, "run_1"), 3)))
        for status in (None, "pending", "expired"):
            found.append(list(await ledger.approvals(project_id, status, None, 50)))
        found += [await ledger.event_by_decision(project_id, each) for each in sorted(decisions)]
    return found


async def whole(ledger, project_id: str, run_id: str, limit: int) -> list[Sequence[object]]:
    pages: list[Sequence[object]] = []
    after = 0
    while page := await ledger.events(project_id, run_id, after, limit):
        pages.append(list(page))
        columns = await ledger.indexed(project_id, run_id, after, limit)
        assert len(columns) == len(page)
        after = columns[-1].seq
    return pages

"""Any order of appends, drains and evictions by two gateways leaves what a fold would leave."""

from __future__ import annotations

import asyncio
import copy
import random

import pytest

from gateway.domain.run_state import RunState, StateChange, apply
from gateway.storage import record
from gateway.storage.ports import Append, Appended, Reloaded
from tests.contract import appends as make
from tests.make import NOON_NS

RUNS = [f"run_{number}" for number in range(4)]
ROUNDS = 60


class Ledger:
    """What a worker would have recorded: a fold of the drained events, run by run."""

    def __init__(self) -> None:
        self.sent: dict[str, Append] = {}
        self.runs: dict[str, Reloaded] = {}

    async def reload(self, _project_id: str, run_id: str) -> Reloaded | None:
        await asyncio.sleep(0)
        return copy.deepcopy(self.runs.get(run_id))

    def take(self, run_id: str, seq: int, event_id: str, secret: bytes) -> None:
        fresh = RunState("prj_1", "production", run_id)
        kept = self.runs.setdefault(run_id, Reloaded(fresh, {}, secret))
        assert (kept.state.last_seq + 1, kept.wrapped_secret) == (seq, secret)
        kept.state.last_seq = seq
        wanted = self.sent.get(event_id)
        for change in wanted.changes if wanted else ():
            apply(kept.state, change)
            if change.action is not None:
                kept.actions[change.action.action_id] = change.action


@pytest.mark.parametrize("seed", range(3))
async def test_two_gateways_drains_and_evictions_in_any_order(everywhere, seed):
    chance = random.Random(seed)
    ledger = Ledger()
    journals = [await everywhere.another_journal(reload=ledger.reload) for _ in range(2)]
    folded = {run: RunState("prj_1", "production", run) for run in RUNS}
    appended: list[tuple[int, Append]] = []

    async def append() -> None:
        run = chance.choice(RUNS)
        seen = await chance.choice(journals).gather(make.ask(run, action_id="act_1"))
        number = chance.randint(1, 70)
        changes = StateChange(
            add={"calls": 1},
            labels=(f"label_{chance.randint(1, 5)}",),
            action=make.record(f"act_{number}", make.new_id("evt")),
        )
        drafts = [make.draft() for _ in range(chance.randint(1, 2))]
        wanted = make.append(run, drafts, changes=(changes,), gathered_version=seen.version)
        ledger.sent[drafts[0].id] = wanted
        outcome = await chance.choice(journals).append(wanted)
        assert isinstance(outcome, Appended)
        appended.append((outcome.first_seq, wanted))

    async def drain() -> None:
        claims = await everywhere.drain.claim(chance.randint(1, 30))
        secrets = await everywhere.drain.secrets({(c.project_id, c.run_id) for c in claims})
        for claim in claims:
            event_id = record.decode(claim.raw)[0].id
            secret = secrets[(claim.project_id, claim.run_id)]
            ledger.take(claim.run_id, claim.seq, event_id, secret)
        await everywhere.drain.settle(claims)

    async def evict() -> None:
        await chance.choice(journals).evict_idle(NOON_NS + 1, 10)

    for _ in range(ROUNDS):
        works = [append() for _ in range(chance.randint(0, 8))]
        works += [drain()] if chance.random() < 0.7 else []
        works += [evict()] if chance.random() < 0.5 else []
        chance.shuffle(works)
        await asyncio.gather(*works)

    for first_seq, wanted in sorted(appended, key=lambda pair: pair[0]):
        state = folded[wanted.run_id]
        assert first_seq == state.last_seq + 1
        state.last_seq += len(wanted.drafts)
        for change in wanted.changes:
            apply(state, change)
    for run, state in folded.items():
        for journal in journals:
            found = (await journal.gather(make.ask(run))).state
            assert found == state
            assert list(found.recent) == list(state.recent)

"""What is stored is what was in memory: after a restart, after a miss, after a fold."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.domain.run_state import ActionRecord, RunState, StateChange, apply
from gateway.storage.ports import Reloaded
from tests.contract import appends as make
from tests.contract.backends import BACKENDS
from tests.make import NOON_NS

NAMES = st.sampled_from(["calls", "denials_in_a_row", "spend:USD", "tool:a", "tool:b"])
ACTIONS = st.sampled_from([f"act_{number}" for number in range(60)])


async def test_a_restart_changes_nothing(hot):
    """D10: state, places, actions and approvals are the same after an orderly restart."""
    await make.done(
        hot.journal, make.starting("run_1", name="Refunds", user_id="u_1", agent_id="agt")
    )
    for number in range(60):
        wanted, _ = make.decision(f"act_{number}")
        await make.done(hot.journal, wanted)
    opened = StateChange(
        labels=("untrusted_context",), approval=make.approval("apr_1"), status="failed"
    )
    await make.done(hot.journal, make.append(changes=(opened,)))
    before = copy.deepcopy((await hot.journal.gather(make.ask())).state)
    waiting = await hot.drain.claim(100)

    await hot.reopen()

    assert (await hot.journal.gather(make.ask())).state == before
    assert before.last_seq == 62
    assert await hot.drain.claim(100) == waiting
    assert await make.done(hot.journal, make.append()) == 63


async def test_the_run_s_secret_is_made_once(hot):
    """design 4: the first wrapped secret is stored; what it sealed opens after a restart."""
    events = [make.draft(content={"frame": f"{number}".encode()}) for number in range(8)]
    await asyncio.gather(
        *(hot.journal.append(make.append(drafts=[event], user_id="u_1")) for event in events)
    )
    before = await hot.drain.secrets({("prj_1", "run_1"), ("prj_1", "run_9")})

    await hot.reopen()
    late = make.draft(content={"frame": b"late"})
    await make.done(hot.journal, make.append(drafts=[late], user_id="u_2"))

    assert await hot.drain.secrets({("prj_1", "run_1")}) == before
    for event in (*events, late):
        entry = await hot.journal.recall("prj_1", "run_1", event.id)
        assert entry.draft.content == event.content


async def test_an_action_that_is_closed_keeps_its_place_among_the_recent(hot):
    made = []
    for number in range(3):
        wanted, record = make.decision(f"act_{number}")
        await make.done(hot.journal, wanted)
        made.append(record)
    closed = structs.replace(made[1], status="executed", outcome="succeeded")
    await make.done(hot.journal, make.append(changes=(StateChange(closed=closed),)))

    before = list((await hot.journal.gather(make.ask())).state.recent.values())
    await hot.reopen()

    assert before == [made[0], closed, made[2]]
    assert list((await hot.journal.gather(make.ask())).state.recent.values()) == before


@st.composite
def _changes(draw) -> StateChange:
    """Any change that an event can make, in any order."""
    judged, closed = draw(st.none() | ACTIONS), draw(st.none() | ACTIONS)
    return StateChange(
        add=draw(st.dictionaries(NAMES, st.integers(-(2**53), 2**53), max_size=3)),
        reset=tuple(draw(st.lists(NAMES, max_size=1))),
        labels=tuple(draw(st.lists(st.text(max_size=5), max_size=2))),
        action=make.record(judged, make.new_id("evt")) if judged else None,
        closed=make.record(closed, "") if closed and not judged else None,
        approval=draw(st.none() | st.builds(make.approval, st.sampled_from(["apr_1", "apr_2"]))),
        halted=draw(st.sampled_from([False] * 9 + [True])),
        status=draw(st.none() | st.sampled_from(["succeeded", "failed"])),
    )


@pytest.mark.parametrize("name", sorted(BACKENDS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(rounds=st.lists(st.lists(_changes(), max_size=4), min_size=1, max_size=30))
def test_the_state_is_a_fold_of_the_changes_in_memory_and_on_disk(name, rounds):
    """design 4: whatever the changes, memory equals the fold, and so does the disk."""
    folded = RunState("prj_1", "production", "run_1", last_seq=len(rounds))
    judged: dict[str, ActionRecord] = {}
    rounds = [_as_sent(changes, judged) for changes in rounds]
    for change in (change for changes in rounds for change in changes):
        apply(folded, change)

    with tempfile.TemporaryDirectory() as folder:
        in_memory, on_disk = asyncio.run(_appended(name, Path(folder), rounds))

    assert in_memory == folded
    assert on_disk == folded
    assert list(on_disk.recent) == list(folded.recent)


async def _appended(name, folder, rounds):
    hot = await BACKENDS[name](folder).open()
    try:
        for changes in rounds:
            await make.done(hot.journal, make.append(changes=changes))
        in_memory = copy.deepcopy((await hot.journal.gather(make.ask())).state)
        await hot.reopen()
        return in_memory, (await hot.journal.gather(make.ask())).state
    finally:
        await hot.close()


def _as_sent(
    changes: list[StateChange], judged: dict[str, ActionRecord]
) -> tuple[StateChange, ...]:
    """An approval is new each time it is asked for, and only what was judged before is closed."""
    now = {change.action.action_id: change.action for change in changes if change.action}
    sent = []
    for change in changes:
        approval, closed = change.approval, change.closed
        if closed is not None:
            before = None if closed.action_id in now else judged.get(closed.action_id)
            closed = before and structs.replace(before, status="in_doubt")
        approval = approval and make.approval(make.new_id("apr"))
        sent.append(structs.replace(change, approval=approval, closed=closed))
    judged.update(now)
    return tuple(sent)


async def test_more_runs_than_the_memory_holds_lose_nothing(backend):
    """A run that left the memory comes back as it was, also while others are being appended."""
    hot = await backend(memory=40).open()
    runs = [f"run_{number}" for number in range(120)]

    places = await asyncio.gather(
        *(make.done(hot.journal, make.append(run)) for run in (*runs, *runs, *runs))
    )

    states = [(await hot.journal.gather(make.ask(run))).state.last_seq for run in runs]
    await hot.close()
    assert places == [1] * 120 + [2] * 120 + [3] * 120
    assert states == [3] * 120


async def test_idle_drained_runs_are_forgotten_and_folded_back_from_the_ledger(backend):
    """design 4: a run is evicted when drained and idle, and loaded back before its next seq."""
    asked: list[str] = []
    ledger: dict[str, Reloaded] = {}

    async def reload(project_id: str, run_id: str) -> Reloaded | None:
        asked.append(run_id)
        await asyncio.sleep(0)
        return copy.deepcopy(ledger.get(run_id))

    hot = await backend(reload=reload).open()
    actions = {}
    for number in range(60):
        wanted, made = make.decision(f"act_{number}", "run_idle")
        actions[made.action_id] = made
        await make.done(hot.journal, wanted)
    wanted, _ = make.decision("act_0", "run_undrained")
    claims = await hot.drain.claim(100)
    await hot.drain.settle(claims)
    await make.done(hot.journal, wanted)
    state = copy.deepcopy((await hot.journal.gather(make.ask("run_idle"))).state)
    wrapped = (await hot.drain.secrets({("prj_1", "run_idle")}))[("prj_1", "run_idle")]
    ledger["run_idle"] = Reloaded(copy.deepcopy(state), actions, wrapped)
    asked.clear()

    assert await hot.journal.evict_idle(NOON_NS, 10) == 0
    assert await hot.journal.evict_idle(NOON_NS + 1, 10) == 1

    assert await hot.journal.last_seq("prj_1", "run_idle") == 0
    assert await hot.journal.last_seq("prj_1", "run_undrained") == 1
    gathered = await hot.journal.gather(make.ask("run_idle", action_id="act_3"))
    assert gathered.state == state
    assert gathered.action == actions["act_3"]
    assert asked == ["run_idle"]

    again, _ = make.decision("act_3", "run_idle")
    assert await make.refused(hot.journal, again) == "action_changed"
    assert await make.done(hot.journal, make.append("run_idle")) == 61
    await hot.reopen()
    gathered = await hot.journal.gather(make.ask("run_idle", action_id="act_3"))
    assert gathered.action == actions["act_3"]
    assert gathered.state.last_seq == 61
    assert list(gathered.state.recent) == list(state.recent)
    await hot.close()


async def test_runs_with_something_open_are_not_forgotten(hot):
    """A pending approval and an unsettled reservation keep their run."""
    opened = StateChange(approval=make.approval("apr_1"))
    await make.done(hot.journal, make.append("run_asked", changes=(opened,)))
    await hot.journal.gather(make.wish("dec_1", 5, run_id="run_held"))
    wanted, _ = make.decision(
        "act_1",
        "run_held",
        reservation_id="dec_1",
        confirm={"daily": 5},
        confirm_deadline_ns=NOON_NS,
    )
    await make.done(hot.journal, wanted)
    await make.done(hot.journal, make.append("run_done"))
    await hot.drain.settle(await hot.drain.claim(10))

    assert await hot.journal.evict_idle(NOON_NS + 1, 10) == 1

    known = [await hot.journal.last_seq("prj_1", f"run_{name}") for name in ("asked", "held")]
    assert known == [1, 1]
    assert await hot.journal.last_seq("prj_1", "run_done") == 0


async def test_appends_and_evictions_at_the_same_time_never_lose_a_place(backend):
    """A run on its way out is folded back before its next seq, whichever comes first."""
    ledger: dict[str, Reloaded] = {}

    async def reload(project_id: str, run_id: str) -> Reloaded | None:
        await asyncio.sleep(0)
        return copy.deepcopy(ledger.get(run_id))

    hot = await backend(reload=reload).open()
    places = []
    for number in range(40):
        event = make.append(changes=(StateChange(add={"calls": 1}),))
        _, place, _ = await asyncio.gather(
            hot.journal.evict_idle(NOON_NS + 1, 10),
            make.done(hot.journal, event),
            hot.journal.evict_idle(NOON_NS + 1, 10) if number % 2 else asyncio.sleep(0),
        )
        places.append(place)
        state = copy.deepcopy((await hot.journal.gather(make.ask())).state)
        wrapped = await hot.drain.secrets({("prj_1", "run_1")})
        if wrapped:
            ledger["run_1"] = Reloaded(state, {}, wrapped[("prj_1", "run_1")])
        await hot.drain.settle(await hot.drain.claim(10))

    await hot.close()
    assert places == list(range(1, 41))
    assert state.counters == {"calls": 40}

"""What an append promises: places without gaps, all or nothing, and only into the world it saw."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.ruleset import CounterReads, LabelReads
from gateway.domain.run_state import StateChange
from gateway.errors import StorageFailure
from gateway.storage import record
from gateway.storage.ports import Appended
from tests.contract import appends as make
from tests.make import NOON_NS


async def test_places_are_contiguous_from_one_under_fifty_concurrent_appends(hot):
    """D10, design 4: seq is contiguous from 1 within a run, assigned atomically."""
    wanted = [
        make.append("run_1", [make.draft() for _ in range(1 + number % 3)]) for number in range(50)
    ]

    outcomes = await asyncio.gather(*(hot.journal.append(each) for each in wanted))

    claims = await hot.drain.claim(1000)
    assert [claim.seq for claim in claims] == list(range(1, sum(len(w.drafts) for w in wanted) + 1))
    stored = {record.decode(claim.raw)[0].id: claim.seq for claim in claims}
    for each, outcome in zip(wanted, outcomes, strict=True):
        assert isinstance(outcome, Appended)
        places = [stored[draft.id] for draft in each.drafts]
        assert places == list(range(outcome.first_seq, outcome.first_seq + len(places)))


async def test_runs_are_counted_apart(hot):
    """Each run begins at 1, also the run of the same name in another project."""
    places = [
        await make.done(hot.journal, make.append("run_1")),
        await make.done(hot.journal, make.append("run_2")),
        await make.done(hot.journal, make.append("run_1", project_id="prj_2")),
        await make.done(hot.journal, make.append("run_1")),
    ]

    assert places == [1, 1, 1, 2]
    assert await hot.journal.last_seq("prj_1", "run_1") == 2
    assert await hot.journal.last_seq("prj_1", "run_9") == 0


async def test_what_is_answered_says_how_durable_it_is(hot):
    outcome = await hot.journal.append(make.append())

    assert isinstance(outcome, Appended)
    assert outcome.durability == (await hot.journal.figures()).durability


@pytest.mark.parametrize(
    ("read", "change"),
    [
        (CounterReads("calls", 1, 1), StateChange(add={"calls": 1})),
        (CounterReads("spend:USD", 100, 150), StateChange(add={"spend:USD": 51})),
        (LabelReads("secret_read"), StateChange(labels=("secret_read",))),
    ],
)
async def test_a_refused_predicate_leaves_nothing(hot, read, change):
    """design 2: append checks again the predicates that were gathered; refused means untouched."""
    await make.done(hot.journal, make.append(changes=(change,)))
    before = await _everything(hot)
    wanted, _ = make.decision("act_1", reads=((read, True),), reservation_id="dec_1")
    await hot.journal.gather(make.wish("dec_1", 5))

    why = await make.refused(hot.journal, wanted)

    await hot.journal.forget("dec_1")
    assert why == "predicate"
    assert await _everything(hot) == before


async def test_a_predicate_that_still_has_its_truth_is_no_hindrance(hot):
    reads = ((CounterReads("calls", 1, 1), True), (LabelReads("secret_read"), True))
    await make.done(hot.journal, make.append(reads=reads))
    wrong_all_along = ((CounterReads("calls", 2, 1), False),)

    assert await make.done(hot.journal, make.append(reads=wrong_all_along)) == 2


async def test_nothing_is_let_through_in_a_halted_run(hot):
    """design 2: after an enforced halt was appended no later append in that run allows."""
    await make.done(hot.journal, make.halting())
    allowed, _ = make.decision("act_1")

    assert await make.refused(hot.journal, allowed) == "halted"
    assert (await hot.journal.gather(make.ask())).halted
    # What stops the call, and what merely tells, is still remembered.
    assert await make.done(hot.journal, make.append(allows=False)) == 2


async def test_nothing_is_let_through_below_a_halted_run(hot):
    """design 2: the halt holds for the runs below, however deep, and from the next append on."""
    for run_id, parent in (("run_a", None), ("run_b", "run_a"), ("run_c", "run_b")):
        await make.done(hot.journal, make.starting(run_id, parent_run_id=parent))
    allowed, _ = make.decision("act_1", "run_c")
    await make.done(hot.journal, allowed)

    await make.done(hot.journal, make.halting("run_a"))

    later, _ = make.decision("act_2", "run_c")
    assert await make.refused(hot.journal, later) == "halted"
    assert (await hot.journal.gather(make.ask("run_c"))).halted
    beside, _ = make.decision("act_3", "run_d")
    assert await make.done(hot.journal, beside) == 1


async def test_a_new_run_below_a_halted_one_does_not_begin_by_allowing(hot):
    await make.done(hot.journal, make.halting("run_a"))
    allowed, _ = make.decision("act_1", "run_b", parent_run_id="run_a")

    assert (await hot.journal.gather(make.ask("run_b", parent_run_id="run_a"))).halted
    assert await make.refused(hot.journal, allowed) == "halted"


async def test_runs_that_are_each_other_s_parents_are_answered(hot):
    """A hostile chain of parents ends."""
    await make.done(hot.journal, make.starting("run_a", parent_run_id="run_b"))
    await make.done(hot.journal, make.starting("run_b", parent_run_id="run_a"))
    for number in range(40):
        await make.done(
            hot.journal, make.starting(f"run_{number}", parent_run_id=f"run_{number + 1}")
        )

    assert not (await hot.journal.gather(make.ask("run_a"))).halted
    assert not (await hot.journal.gather(make.ask("run_24"))).halted
    # With more runs above it than are looked at, a run may be below a halted one.
    assert (await hot.journal.gather(make.ask("run_23"))).halted


@pytest.mark.parametrize("depth", [16, 17, 18, 30])
async def test_no_chain_of_parents_is_long_enough_to_leave_a_halt_behind(hot, depth):
    """design 2: deeper than is looked at, nothing is let through."""
    for number in range(depth + 1):
        parent = f"run_{number - 1}" if number else None
        await make.done(hot.journal, make.starting(f"run_{number}", parent_run_id=parent))
    await make.done(hot.journal, make.halting("run_0"))
    await hot.reopen()

    allowed, _ = make.decision("act_1", f"run_{depth}")
    assert await make.refused(hot.journal, allowed) == "halted"
    stopped, _ = make.decision("act_1", f"run_{depth}", allows=False)
    assert await make.done(hot.journal, stopped) == 2


async def test_an_action_id_is_used_once(hot):
    """design 2: the id is unused, or its record is the one the judgement saw."""
    first, made = make.decision("act_1")
    again, _ = make.decision("act_1")
    await make.done(hot.journal, first)

    assert await make.refused(hot.journal, again) == "action_changed"
    seen = (await hot.journal.gather(make.ask(action_id="act_1"))).action
    assert seen == made

    anew, replaced = make.decision("act_1", expected_event=made.event_id)
    assert await make.done(hot.journal, anew) == 2
    late, _ = make.decision("act_1", expected_event=made.event_id)
    assert await make.refused(hot.journal, late) == "action_changed"
    assert (await hot.journal.gather(make.ask(action_id="act_1"))).action == replaced


async def test_of_fifty_judgements_of_one_action_one_is_appended(hot):
    wanted = [make.decision("act_1")[0] for _ in range(50)]

    outcomes = await asyncio.gather(*(hot.journal.append(each) for each in wanted))

    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
    assert len(await hot.drain.claim(100)) == 1


async def test_an_action_is_found_again_after_many_others(hot):
    """Ids are remembered for as long as the run is hot, not only among the last fifty."""
    first, made = make.decision("act_first")
    await make.done(hot.journal, first)
    for number in range(60):
        await make.done(hot.journal, make.decision(f"act_{number}")[0])

    gathered = await hot.journal.gather(make.ask(action_id="act_first"))

    assert gathered.action == made
    assert "act_first" not in gathered.state.recent
    assert await hot.journal.find_action("prj_1", made.decision_id) == ("run_1", made)
    assert await make.refused(hot.journal, make.decision("act_first")[0]) == "action_changed"


async def test_an_action_is_found_by_the_decision_that_judged_it_last(hot):
    first, made = make.decision("act_1")
    await make.done(hot.journal, first)
    anew, replaced = make.decision("act_1", expected_event=made.event_id)
    await make.done(hot.journal, anew)

    assert await hot.journal.find_action("prj_1", made.decision_id) is None
    assert await hot.journal.find_action("prj_1", replaced.decision_id) == ("run_1", replaced)
    assert await hot.journal.find_action("prj_2", replaced.decision_id) is None


async def test_an_event_is_located_for_as_long_as_the_journal_has_it(hot):
    """By its id alone, within its project: so a replaced decision still leads to its action."""
    appended = make.decision("act_1")[0]
    await make.done(hot.journal, appended)
    event_id = appended.drafts[0].id

    assert await hot.journal.locate("prj_1", event_id) == (
        "run_1",
        appended.environment,
        appended.drafts[0].action_id,
    )
    assert await hot.journal.locate("prj_2", event_id) is None
    assert await hot.journal.locate("prj_1", "evt_unknown") is None

    await hot.drain.settle(await hot.drain.claim(100))

    assert await hot.journal.locate("prj_1", event_id) is None


async def test_of_two_reports_of_one_action_one_is_appended(hot):
    """The second reporter is told to look again: it then sees the first report."""
    first, made = make.decision("act_1")
    await make.done(hot.journal, first)
    report = make.record(
        "act_1",
        made.event_id,
        decision_id=made.decision_id,
        status="executed",
        outcome="succeeded",
        report_digest="r" * 64,
    )
    changes = (StateChange(closed=report),)
    closings = [make.append(changes=changes, settle_action="act_1") for _ in range(2)]

    outcomes = await asyncio.gather(*(hot.journal.append(each) for each in closings))

    assert [type(outcome).__name__ for outcome in outcomes] == ["Appended", "Refused"]
    assert await hot.journal.find_action("prj_1", made.decision_id) == ("run_1", report)


async def test_a_run_starts_once(hot):
    await make.done(hot.journal, make.starting("run_1", name="first"))

    assert (
        await make.refused(hot.journal, make.starting("run_1", name="second")) == "action_changed"
    )
    assert (await hot.journal.gather(make.ask())).state.name == "first"


async def test_an_approval_is_closed_once(hot):
    """Ask, decide and expire are each one step: only one of them ends it."""
    opened = StateChange(approval=make.approval("apr_1"))
    closed = make.append(changes=(StateChange(approval_closed="apr_1"),))
    await make.done(hot.journal, make.append(changes=(opened,)))

    assert await make.done(hot.journal, closed) == 2
    assert await make.refused(hot.journal, closed) == "action_changed"


async def test_pending_approvals_come_due(hot):
    def opened(name: str, seconds: int):
        due = make.approval(name, expires_ns=NOON_NS + seconds * 1_000_000_000)
        return make.append(changes=(StateChange(approval=due),))

    for name, seconds in (("apr_late", 60), ("apr_soon", 5), ("apr_closed", 1)):
        await make.done(hot.journal, opened(name, seconds))
    await make.done(hot.journal, make.append(changes=(StateChange(approval_closed="apr_closed"),)))

    due = await hot.journal.due_approvals(NOON_NS + 10_000_000_000, 10)

    assert [(each.run_id, each.environment, each.approval_id) for each in due] == [
        ("run_1", "production", "apr_soon")
    ]


async def test_a_run_belongs_to_one_environment(hot):
    await make.done(hot.journal, make.append(environment="staging"))

    assert await make.refused(hot.journal, make.append()) == "environment"
    assert (await hot.journal.gather(make.ask())).stored_environment == "staging"


async def test_looking_at_a_run_does_not_make_it(hot):
    """A gather creates nothing lasting, not even the environment of a run to come."""
    gathered = await hot.journal.gather(make.ask(environment="staging"))
    assert (gathered.state.last_seq, gathered.stored_environment) == (0, "staging")

    assert await make.done(hot.journal, make.append(environment="production")) == 1
    assert (await hot.journal.gather(make.ask())).stored_environment == "production"


async def test_an_event_can_be_recalled_until_it_is_settled(hot):
    event = make.draft(content={"frame": b"{}", "decision": b"[1]"}, turn_id="trn_1")
    await make.done(hot.journal, make.append(drafts=[make.draft(), event]))

    entry = await hot.journal.recall("prj_1", "run_1", event.id)

    assert (entry.seq, entry.draft) == (2, event)
    assert await hot.journal.recall("prj_1", "run_2", event.id) is None
    assert await hot.journal.recall("prj_2", "run_1", event.id) is None
    await hot.drain.settle(await hot.drain.claim(10))
    assert await hot.journal.recall("prj_1", "run_1", event.id) is None


@pytest.mark.parametrize(
    "wanted",
    [
        make.append("run_\ud800"),
        make.append(drafts=[make.draft(id="evt_\udfff")]),
        make.decision("act_\ud800")[0],
        make.append(changes=(StateChange(labels=("\ud800",)),)),
        make.append(changes=(StateChange(add={"calls": 2**70}),)),
    ],
)
async def test_what_cannot_be_stored_harms_nobody_else(hot, wanted):
    """Lone surrogates and giant numbers fail alone; the group they would be in does not."""
    outcomes = await asyncio.gather(
        hot.journal.append(make.append("run_other")),
        hot.journal.append(wanted),
        hot.journal.append(make.append("run_other")),
        return_exceptions=True,
    )

    assert [getattr(outcome, "first_seq", None) for outcome in outcomes] == [1, None, 2]
    assert isinstance(outcomes[1], StorageFailure)
    assert await make.done(hot.journal, make.append()) == 1


async def test_counters_stop_at_what_a_frame_can_hold(hot):
    """A run cannot spend its way to a number that no store and no frame holds (S9)."""
    most = 2**53 - 1
    for _ in range(3):
        wanted = make.append(changes=(StateChange(add={"spend:USD": most}),))
        await hot.journal.gather(make.wish("dec_1", most))
        await make.done(
            hot.journal,
            make.append(changes=wanted.changes, reservation_id="dec_1", confirm={"daily": most}),
        )
    await hot.reopen()

    gathered = await hot.journal.gather(make.wish("dec_2", 1))

    assert gathered.state.counters["spend:USD"] == most
    assert gathered.used == {"daily": most}


async def _everything(hot):
    """State, waiting records, counters and actions, as another check would see them."""
    gathered = await hot.journal.gather(make.wish("dec_look", 0))
    await hot.journal.forget("dec_look")
    claims = await hot.drain.claim(100)
    state = gathered.state
    return (
        state.last_seq,
        dict(state.counters),
        list(state.labels),
        dict(state.recent),
        dict(state.approvals),
        gathered.used,
        [claim.raw for claim in claims],
    )

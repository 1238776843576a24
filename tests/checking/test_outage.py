"""While the journal takes nothing: what is answered, from what, and how it comes into the record.

The journal's own file may not grow here, which is what a full disk is to it; the spool's may.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import sqlite3
from collections.abc import Iterator

import msgspec
import pytest

from gateway.checking.breaker import FAILURES, Breaker
from gateway.checking.spool_drain import REFUSALS, SpoolDrain
from gateway.domain.events import DecisionBody, event_of_decision
from gateway.domain.reply import CheckReply
from gateway.domain.reports import EventBatch, ResultReport
from gateway.domain.rule_results import Round
from gateway.domain.ruleset import Budget, CounterReads, Environment, LabelReads
from gateway.domain.run_state import ActionRecord
from gateway.errors import Conflict, RecordAway, StorageFailure, Unavailable
from gateway.replay.rejudge import RecordedDecision, rejudge
from gateway.storage.ports import Erased, Gather
from tests import make
from tests.checking.conftest import CALLER, Bench

RUN = {"id": "r"}
_versions = itertools.count()
SPOOL = Environment(mode="block", journal="spool", fail={"*": "open"})
STRICT_SPOOL = Environment(mode="block", journal="spool", fail={"*": "closed"})


@contextlib.contextmanager
def journal_away(bench: Bench) -> Iterator[None]:
    """No file of this process may become larger than the journal's log is now."""
    size = (bench.folder / "journal.db-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def record_away(bench: Bench) -> Iterator[None]:
    """Whatever is asked of the ledger's events fails; the journal is well."""
    with contextlib.closing(sqlite3.connect(bench.folder / "ledger.db")) as ledger:
        ledger.execute("ALTER TABLE event RENAME TO event_away")
        try:
            yield
        finally:
            ledger.execute("ALTER TABLE event_away RENAME TO event")


@pytest.fixture
async def spooling(bench):
    """A bench whose production spools, with enough in the journal's log to have room beside it."""
    rules(bench, make.rule("r"))
    for number in range(30):
        await bench.check(run={"id": f"before {number}"})
    return bench


def rules(bench: Bench, *those, environment: Environment = SPOOL) -> None:
    version = make.ruleset(
        *those,
        environments={"production": environment},
        tools=(make.payment_tool(output_trusted=True),),
    )
    bench.rules = msgspec.structs.replace(version, digest=f"{next(_versions):064x}")


async def drained(bench: Bench) -> int:
    count = 0
    while step := await bench.spool_drain.step():
        count += step
    return count


def counted(bench: Bench, name: str) -> float | None:
    return bench.metrics.registry.get_sample_value(f"checkrein_{name}")


async def recorded(bench: Bench, reply) -> tuple[int, DecisionBody]:
    entry = await bench.journal.recall("prj_1", reply.run_id, event_of_decision(reply.decision_id))
    assert entry is not None
    return entry.seq, msgspec.json.decode(entry.draft.body, type=DecisionBody)


async def action_of(bench: Bench, reply) -> ActionRecord | None:
    ask = Gather("prj_1", "production", reply.run_id, action_id=reply.action_id)
    return (await bench.journal.gather(ask)).action


async def test_a_decision_is_given_from_the_spool_and_comes_into_the_record(spooling):
    """D4: durable here, said so, and later an event like any other, marked, with its own ids."""
    with journal_away(spooling):
        reply = await spooling.check(
            run=RUN, events=[{"type": "message", "role": "user", "text": "hello"}]
        )
    assert (reply.durability, reply.degraded, reply.seq) == ("spooled", ("journal",), 0)
    assert reply.enforced == "allow"
    assert spooling.spool.figures().waiting == 1

    assert await drained(spooling) == 1

    seq, body = await recorded(spooling, reply)
    assert (seq, body.spooled, body.degraded) == (3, True, ["journal"])
    assert body.coverage == ["state"]
    assert body.decided_ns == str(spooling.ambient.now)
    record = await action_of(spooling, reply)
    assert record is not None
    assert (record.decision_id, record.status) == (reply.decision_id, "let_through")
    assert spooling.spool.figures().waiting == 0
    after = await spooling.check(run=RUN)
    assert (after.durability, after.seq) == ("fsync", 4)
    assert counted(spooling, "spooled_decisions_total") == 1
    assert counted(spooling, "spool_drained_decisions_total") == 1
    assert counted(spooling, "spool_refusals_total") == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"needs": frozenset({"state"})},
        {"needs": frozenset({"budgets"})},
        {"reads": (LabelReads(absent="secret_read"),)},
        {"reads": (CounterReads("calls", 1, 3),)},
    ],
)
@pytest.mark.parametrize(
    ("environment", "stage", "enforced"),
    [
        (SPOOL, "block", "warn"),
        (STRICT_SPOOL, "block", "block"),
        (STRICT_SPOOL, "warn", "warn"),
        (STRICT_SPOOL, "log", "allow"),
    ],
)
async def test_rules_that_need_the_state_fail_and_the_others_count(
    spooling, fields, environment, stage, enforced
):
    rules(
        spooling,
        make.rule("plain"),
        make.rule("needy", stage=stage, **fields),
        environment=environment,
    )
    with journal_away(spooling):
        reply = await spooling.check(run=RUN)

    assert reply.degraded == ("engine:needy:unavailable", "journal")
    assert reply.enforced == enforced
    assert spooling.engine.frames[-1]["coverage"] == ["state"]
    assert spooling.engine.frames[-1]["state"]["calls"] == 0
    spooling.always("block")
    with journal_away(spooling):
        blocked = await spooling.check(run=RUN)
    assert blocked.enforced == "block"
    assert "plain" in {word.rule for word in blocked.reasons if word.enforced == "block"}


async def test_the_same_attempt_gets_the_same_reply_and_another_one_is_in_doubt(spooling):
    action = {"id": "a", "attempt": "1"}
    with journal_away(spooling):
        first = await spooling.check(run=RUN, action=action)
        again = await spooling.check(run=RUN, action=action)
        other = await spooling.check(run=RUN, action={"id": "a", "attempt": "2"})
        with pytest.raises(Conflict):
            await spooling.check(run=RUN, action=action, arguments={"other": 1})

    assert again == first
    assert other.enforced == "block"
    assert other.reasons[0].reason.startswith("in_doubt")
    await drained(spooling)
    back = await spooling.check(run=RUN, action=action)
    assert (back.decision_id, back.seq, back.durability) == (first.decision_id, 2, "fsync")


async def test_what_the_journal_said_of_the_action_before_it_failed_still_holds(spooling):
    """The state was read, and only the append failed: a used id is not judged afresh."""
    await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})

    with journal_away(spooling):
        reply = await spooling.check(run=RUN, action={"id": "a", "attempt": "2"})

    assert (reply.enforced, reply.durability) == ("block", "spooled")
    assert reply.reasons[0].reason.startswith("in_doubt")


async def test_what_this_process_decided_before_is_known_though_nobody_is_asked(spooling):
    """The journal is not even asked any more; an id used before is not judged afresh all the same,
    and a run that was halted stays so."""
    first = await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})
    spooling.always("halt")
    await spooling.check(run={"id": "halted"})
    spooling.always()
    with journal_away(spooling):
        for number in range(3):
            await spooling.check(run={"id": f"away {number}"})
        assert spooling.outage.breaker.is_open

        again = await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})
        other = await spooling.check(run=RUN, action={"id": "a", "attempt": "2"})
        child = await spooling.check(run={"id": "below", "parent_run_id": "halted"})

    assert again == first
    assert (other.enforced, other.durability) == ("block", "spooled")
    assert other.reasons[0].reason.startswith("in_doubt")
    assert child.enforced == "halt"


async def test_a_halt_in_the_spool_holds(spooling):
    spooling.always("halt")
    with journal_away(spooling):
        await spooling.check(run=RUN)
        spooling.always()
        child = await spooling.check(run={"id": "child", "parent_run_id": "r"})
    assert child.enforced == "halt"
    after = await spooling.check(run=RUN)
    assert (after.enforced, after.durability) == ("halt", "spooled")

    await drained(spooling)

    assert (await spooling.check(run=RUN)).enforced == "halt"
    assert not spooling.outage.waiting


async def test_a_halt_that_is_spooled_while_a_check_is_judged_holds_for_it(spooling):
    async def halt() -> None:
        spooling.always("halt")
        with journal_away(spooling):
            assert (await spooling.check(run=RUN)).durability == "spooled"
        spooling.always()

    spooling.engine.meanwhile = halt

    reply = await spooling.check(run=RUN)

    assert (reply.enforced, reply.durability) == ("halt", "spooled")


async def test_a_run_stays_with_the_spool_until_it_is_drained(spooling):
    """Nothing is judged from a state that lacks what was decided; other runs are back at once."""
    with journal_away(spooling):
        await spooling.check(run=RUN)

    same = await spooling.check(run=RUN)
    other = await spooling.check(run={"id": "another"})

    assert (same.durability, other.durability) == ("spooled", "fsync")
    assert await drained(spooling) == 2
    assert (await spooling.check(run=RUN)).seq == 4


async def test_a_busy_run_comes_back_from_the_spool(spooling):
    """Many ask in one run all the time; the drain gets on all the same."""
    with journal_away(spooling):
        for _ in range(20):
            await asyncio.gather(*(spooling.check(run=RUN) for _ in range(10)))
    stop = asyncio.Event()
    draining = asyncio.create_task(spooling.spool_drain.run(stop))

    async def ask() -> None:
        async with asyncio.timeout(60):
            while (await spooling.check(run=RUN)).durability != "fsync":
                continue

    await asyncio.gather(*(ask() for _ in range(16)))

    assert not spooling.outage.waiting
    stop.set()
    await draining


async def test_a_full_spool_refuses_with_the_fail_mode_and_keeps_what_it_has(bench):
    bench.spool_bytes = 6000
    await bench.reopen()
    rules(bench, make.rule("r"))
    for number in range(30):
        await bench.check(run={"id": f"before {number}"})
    given: list[CheckReply] = []
    with journal_away(bench):
        with pytest.raises(Unavailable) as refused:
            await _until_refused(bench, given)
        rules(bench, make.rule("r"), environment=STRICT_SPOOL)
        with pytest.raises(Unavailable) as strict:
            await bench.check(run=RUN)

    assert refused.value.code == "journal_unavailable"
    assert refused.value.extra == {"fail_mode": "open"}
    assert strict.value.extra == {"fail_mode": "closed"}
    assert given
    assert counted(bench, "spool_refusals_total") == 2
    assert await drained(bench) == len(given)
    for reply in given:
        await recorded(bench, reply)


@pytest.mark.parametrize("journal", ["closed", "open"])
async def test_other_environments_are_refused_and_nothing_is_spooled(spooling, journal):
    environment = Environment(mode="block", journal=journal, fail={"*": "open"})
    rules(spooling, make.rule("r"), environment=environment)
    with journal_away(spooling), pytest.raises(Unavailable) as refused:
        await spooling.check(run=RUN)

    assert refused.value.extra == {"fail_mode": journal}
    assert spooling.spool.figures().waiting == 0


async def test_a_restart_knows_what_waits_and_drains_it(spooling):
    with journal_away(spooling):
        first = await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})

    await spooling.reopen()

    other = await spooling.check(run=RUN, action={"id": "a", "attempt": "2"})
    assert (other.durability, other.enforced) == ("spooled", "block")
    with pytest.raises(Unavailable) as later:
        await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})
    assert later.value.code == "decision_not_ready"
    assert await drained(spooling) == 2
    assert (await recorded(spooling, first))[0] == 2
    again = await spooling.check(run=RUN, action={"id": "a", "attempt": "1"})
    assert again.decision_id == first.decision_id


async def test_what_a_crash_left_behind_its_drain_is_recorded_once(spooling, tmp_path):
    """The append was made, the removal was not: the same segment comes again."""
    with journal_away(spooling):
        replies = [await spooling.check(run=RUN) for _ in range(3)]
    (segment,) = (spooling.folder / "spool").glob("*.spool")
    kept = segment.read_bytes()
    await drained(spooling)
    assert not segment.exists()
    await spooling.close()
    segment.write_bytes(kept)
    await spooling.open()

    assert await drained(spooling) == 3

    assert [(await recorded(spooling, reply))[0] for reply in replies] == [2, 3, 4]
    assert await spooling.journal.last_seq("prj_1", replies[0].run_id) == 4


async def test_budgets_count_what_was_let_through_meanwhile(spooling):
    """Nobody could see the budget, so it may be overdrawn; but nothing is spent unseen."""
    day = Budget(name="d", at_most=100, scope="project", window="day", currency="USD")
    environment = msgspec.structs.replace(SPOOL, budgets=(day,))
    rules(spooling, make.rule("r", needs=frozenset({"budgets"})), environment=environment)
    with journal_away(spooling):
        reply = await spooling.check(run=RUN, arguments={"amount": 70})

    await drained(spooling)

    await spooling.check(run={"id": "next"}, arguments={"amount": 1})
    (budget,) = spooling.engine.frames[-1]["state"]["budgets"]
    assert budget["used"] == 70
    report = ResultReport(status="failed")
    await spooling.reporter.report_result(CALLER, reply.decision_id, report)
    await spooling.check(run={"id": "last"}, arguments={"amount": 1})
    assert spooling.engine.frames[-1]["state"]["budgets"][0]["used"] == 1


async def test_results_are_asked_for_again_until_the_decision_is_in_the_journal(spooling):
    report = ResultReport(status="succeeded", output="done")
    with journal_away(spooling):
        reply = await spooling.check(run=RUN)
        earlier = await _refusal(spooling, reply.decision_id, report)
    assert earlier == await _refusal(spooling, reply.decision_id, report) == "decision_not_ready"

    await drained(spooling)

    assert not (await spooling.reporter.report_result(CALLER, reply.decision_id, report)).repeated


async def test_a_run_of_somebody_else_is_left_alone(spooling):
    """Whose run it is cannot be told meanwhile. The decision is recorded in a run of its own."""
    mine = await spooling.check(run={"id": "mine", "user_id": "alice"})
    with journal_away(spooling):
        # Until nobody asks the journal any more, whose memory would know.
        for number in range(3):
            await spooling.check(run={"id": f"away {number}"})
        theirs = await spooling.check(run={"id": "mine", "user_id": "mallory"})

    await drained(spooling)

    assert theirs.run_id == mine.run_id
    assert await spooling.journal.last_seq("prj_1", mine.run_id) == mine.seq
    place = await spooling.journal.locate("prj_1", event_of_decision(theirs.decision_id))
    assert place is not None
    assert place[0] != mine.run_id
    assert place[1] == "production"


async def test_what_was_spooled_of_an_erased_run_goes_with_it_and_keeps_nobody_waiting(spooling):
    """N9."""
    gone = await spooling.check(run={"id": "gone"})
    with journal_away(spooling):
        for number in range(3):
            await spooling.check(run={"id": f"away {number}"})
        spooled = await spooling.check(run={"id": "gone"})
        last = await spooling.check(run={"id": "kept"})
    await spooling.drain()
    await spooling.journal.erase("prj_1", [gone.run_id])
    at = Erased("2026-07-01T00:00:00Z", "run", "key_1")
    assert await spooling.ledger.erase("prj_1", [gone.run_id], at) == 1

    assert await drained(spooling) >= 2

    assert await drained(spooling) == 0
    event = event_of_decision(spooled.decision_id)
    assert await spooling.journal.locate("prj_1", event) is None
    assert (await recorded(spooling, last))[1].decision_id == last.decision_id


async def test_an_approval_that_was_asked_for_meanwhile_is_there_afterwards(spooling):
    spooling.always("require_approval")
    with journal_away(spooling):
        reply = await spooling.check(run=RUN)
    assert reply.approval is not None

    await drained(spooling)

    state = (await spooling.journal.gather(Gather("prj_1", "production", reply.run_id))).state
    assert set(state.approvals) == {reply.approval.id}
    spooling.ambient.pass_seconds(3601)
    assert await spooling.timers.step() == 1


async def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_are_drained(spooling):
    with journal_away(spooling):
        before = await spooling.check(run=RUN)
        await spooling.spool.append(b"of a later release")
        after = await spooling.check(run=RUN)

    assert await drained(spooling) == 3

    assert [(await recorded(spooling, reply))[0] for reply in (before, after)] == [2, 3]
    assert spooling.spool.figures().set_aside == 1
    assert len(list((spooling.folder / "spool" / "aside").iterdir())) == 1


async def test_a_key_that_was_lost_meanwhile_keeps_nothing_else_waiting(spooling):
    """D10: no erasure is on record, so what was acknowledged under that key is set aside for a
    person, after a while, because the journal takes other things. Others are recorded once."""
    await spooling.check(run={"id": "erased", "user_id": "alice"})
    with journal_away(spooling):
        lost = await spooling.check(run={"id": "erased", "user_id": "alice"})
        other = await spooling.check(run=RUN)
        behind = await spooling.check(run={"id": "erased", "user_id": "alice"})
    await spooling.close()
    with contextlib.closing(sqlite3.connect(spooling.folder / "control.db")) as control:
        erased = control.execute("DELETE FROM wrapped_key WHERE subject != ''").rowcount
        control.commit()
    assert erased == 1
    await spooling.open()

    for _ in range(2 * REFUSALS):
        with pytest.raises(StorageFailure):
            await spooling.spool_drain.step()
        # An ordinary check gets through, so it is not the journal.
        assert (await spooling.check()).durability == "fsync"

    assert await drained(spooling) == 3
    assert (await recorded(spooling, other))[0] == 2
    for gone in (lost, behind):
        event_id = event_of_decision(gone.decision_id)
        assert await spooling.journal.locate("prj_1", event_id) is None
    assert len(list((spooling.folder / "spool" / "aside").iterdir())) == 1


async def test_what_waits_for_the_record_waits_as_long_as_that_is_away(spooling):
    """D1: checks go on without the ledger, which says nothing about what cannot be looked up in it:
    none of that is set aside, however often it was tried."""
    with journal_away(spooling):
        waiting = await spooling.check(run=RUN)

    with record_away(spooling):
        for _ in range(REFUSALS + 1):
            with pytest.raises(RecordAway):
                await spooling.spool_drain.step()
            assert (await spooling.check(run={"id": "before 0"})).durability == "fsync"

    assert await drained(spooling) == 1
    assert (await recorded(spooling, waiting))[0] == 2
    assert spooling.spool.figures().set_aside == 0


async def test_a_record_that_is_away_closes_the_journal_to_nobody(spooling):
    """D4: nobody waits for it but the runs that it may hold; what is drained neither."""
    with journal_away(spooling):
        await spooling.check(run=RUN)
    await spooling.check(run={"id": "before 0"})

    with record_away(spooling):
        for _ in range(FAILURES):
            with pytest.raises(RecordAway):
                await spooling.spool_drain.step()
        spooling.outage.breaker.failed(("prj_1", "slow once"))
        after = await spooling.check(run={"id": "before 1"})

    assert after.durability == "fsync"


async def test_what_the_record_refuses_for_ever_keeps_nothing_else_waiting(spooling):
    """D10: it answers for others, whose decisions are appended, so it is not away."""
    with journal_away(spooling):
        refused = await spooling.check(run=RUN)

    async def knows(project_id: str, decision_id: str) -> bool:
        if decision_id == refused.decision_id:
            raise RecordAway("The database refused a statement.")
        known: bool = await spooling.recalling.knows(project_id, decision_id)
        return known

    drain = SpoolDrain(
        spool=spooling.spool,
        journal=spooling.journal,
        outage=spooling.outage,
        knows=knows,
        is_erased=spooling.recalling.is_erased,
        ambient=spooling.ambient,
        metrics=spooling.metrics,
    )
    for number in range(REFUSALS):
        with journal_away(spooling):
            await spooling.check(run={"id": f"other {number}"})
        with pytest.raises(RecordAway):
            await drain.step()

    assert await drain.step() == REFUSALS + 1
    assert await drain.step() == 0
    assert spooling.spool.figures().waiting == 0
    assert spooling.spool.figures().set_aside > 0


async def test_a_dead_journal_is_asked_seldom(spooling):
    """After some failures a check costs no try; after a pause one tries, and the way is open."""
    breaker = spooling.outage.breaker
    await spooling.journal.close()
    for _ in range(3):
        assert (await spooling.check()).durability == "spooled"
    assert breaker.is_open
    assert breaker.refuses(("prj_1", "any"))
    with pytest.raises(StorageFailure):
        await spooling.spool_drain.step()
    spooling.ambient.pass_seconds(10)
    assert not breaker.refuses(("prj_1", "any"))
    assert breaker.refuses(("prj_1", "any"))

    await spooling.reopen()
    assert await drained(spooling) == 3
    assert not spooling.outage.breaker.is_open


def test_one_run_that_always_fails_closes_the_journal_to_itself_alone():
    """S1: an erased run, say. What fails there says nothing about the journal."""
    breaker = Breaker(make.FixedAmbient())
    for _ in range(9):
        breaker.failed(("prj_1", "erased"))

    assert breaker.refuses(("prj_1", "erased"))
    assert not breaker.refuses(("prj_2", "other"))
    assert not breaker.is_open
    breaker.failed(("prj_2", "other"))
    assert breaker.refuses(("prj_2", "other"))


async def test_a_spooled_decision_judges_again_to_the_same_bytes(spooling):
    """R1: what failed for want of the state is a recorded input like any other."""
    rules(spooling, make.rule("needy", needs=frozenset({"state"})), make.rule("plain"))
    spooling.always("warn")
    with journal_away(spooling):
        reply = await spooling.check(run=RUN)
    await drained(spooling)
    event_id = event_of_decision(reply.decision_id)
    entry = await spooling.journal.recall("prj_1", reply.run_id, event_id)
    content = entry.draft.content

    judged = await rejudge(
        spooling.engine,
        spooling.rules,
        RecordedDecision(
            body=msgspec.json.decode(entry.draft.body, type=DecisionBody),
            frame=content["frame"],
            rounds=msgspec.json.decode(content["rounds"], type=tuple[Round, ...]),
            decision=content["decision"],
        ),
    )

    assert (judged.outcome, judged.failures) == ("exact", ("needy",))


async def test_events_are_refused_properly_while_the_journal_is_away(spooling):
    batch = msgspec.convert(
        {"run": RUN, "events": [{"type": "message", "role": "user", "text": "x"}]}, EventBatch
    )
    await spooling.journal.close()

    with pytest.raises(Unavailable) as refused:
        await spooling.reporter.report_events(CALLER, batch)

    assert refused.value.code == "journal_unavailable"


async def _until_refused(bench: Bench, given: list[CheckReply]) -> None:
    while True:
        given.append(await bench.check(run=RUN))


async def _refusal(bench: Bench, decision_id: str, report: ResultReport) -> str:
    with pytest.raises(Unavailable) as refused:
        await bench.reporter.report_result(CALLER, decision_id, report)
    return refused.value.code

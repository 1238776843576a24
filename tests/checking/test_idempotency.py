"""One action id is one intended execution (design 8, D7)."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from gateway.checking.retold import Told
from gateway.domain.check import Amount
from gateway.domain.reports import ResultReport
from gateway.errors import Conflict
from tests import make
from tests.checking.conftest import CALLER

RUN = {"id": "my run"}


def action(**fields):
    return {"id": "act_1", "attempt": "a", **fields}


async def test_the_same_attempt_gets_the_recorded_decision(bench):
    first = await bench.check(run=RUN, action=action())
    bench.always("block")

    again = await bench.check(run=RUN, action=action())

    assert again == first
    assert len(bench.engine.frames) == 1


async def test_the_recorded_decision_survives_a_restart(bench):
    bench.always("warn")
    first = await bench.check(run=RUN, action=action())
    await bench.reopen()

    again = await bench.check(run=RUN, action=action())

    assert (again.decision_id, again.seq, again.reasons) == (
        first.decision_id,
        first.seq,
        first.reasons,
    )


async def test_a_request_without_an_attempt_counts_as_the_same(bench):
    first = await bench.check(run=RUN, action={"id": "act_1"})

    assert await bench.check(run=RUN, action={"id": "act_1"}) == first


async def test_two_hundred_racing_twins_make_one_decision(bench):
    replies = await asyncio.gather(*(bench.check(run=RUN, action=action()) for _ in range(200)))

    assert len({reply.decision_id for reply in replies}) == 1
    assert await bench.journal.last_seq("prj_1", replies[0].run_id) == 2


@pytest.mark.parametrize("changed", [{"arguments": {"a": 2}}, {"tool": "stripe.other"}])
async def test_the_same_id_with_other_content_is_a_conflict(bench, changed):
    await bench.check(run=RUN, arguments={"a": 1}, action=action())

    with pytest.raises(Conflict, match="another tool or other arguments") as refused:
        await bench.check(**{"run": RUN, "arguments": {"a": 1}, "action": action(), **changed})

    assert refused.value.code == "action_id_conflict"


async def test_after_a_result_the_action_is_already_executed(bench):
    first = await bench.check(run=RUN, action=action())
    await bench.reporter.report_result(CALLER, first.decision_id, ResultReport("succeeded"))

    for attempt in ("a", "b"):
        again = await bench.check(run=RUN, action=action(attempt=attempt))
        assert again.enforced == "block"
        assert "already_executed" in again.reasons[0].reason
        assert "succeeded" in again.reasons[0].reason


async def test_let_through_without_a_result_another_attempt_is_in_doubt(bench):
    await bench.check(run=RUN, action=action())

    again = await bench.check(run=RUN, action=action(attempt="b"))

    assert again.enforced == "block"
    assert "in_doubt" in again.reasons[0].reason


async def test_after_sixty_seconds_the_same_attempt_is_in_doubt_too(bench):
    await bench.check(run=RUN, action=action())
    bench.ambient.pass_seconds(60)
    assert (await bench.check(run=RUN, action=action())).enforced == "allow"
    bench.ambient.pass_seconds(1)

    assert (await bench.check(run=RUN, action=action())).enforced == "block"


async def test_a_stopped_action_is_judged_anew_by_another_attempt(bench):
    bench.always("block")
    first = await bench.check(run=RUN, action=action())
    bench.always()

    again = await bench.check(run=RUN, action=action(attempt="b"))

    assert (first.enforced, again.enforced) == ("block", "allow")
    assert again.decision_id != first.decision_id


async def test_the_same_result_twice_is_one_and_a_different_one_is_a_conflict(bench):
    reply = await bench.check(run=RUN, action=action())
    report = ResultReport("succeeded", output={"ok": 1}, cost=Amount(3, "usd"))

    first = await bench.reporter.report_result(CALLER, reply.decision_id, report)
    second = await bench.reporter.report_result(CALLER, reply.decision_id, report)
    with pytest.raises(Conflict) as refused:
        await bench.reporter.report_result(CALLER, reply.decision_id, ResultReport("failed"))

    assert (first.repeated, second.repeated) == (False, True)
    assert refused.value.code == "result_conflict"
    # run_started, decision, result, result_conflict
    assert await bench.journal.last_seq("prj_1", reply.run_id) == 4


SAID = {"type": "message", "role": "user", "text": "hello", "client_seq": 1}
NEWER = {"type": "message", "role": "user", "text": "do it", "client_seq": 2}
PAGE = {"id": "doc_1", "source": "web", "text": "a page"}


async def told(bench, run_id: str) -> list[bytes]:
    """The observations of the run that the journal holds, in order."""
    with contextlib.closing(sqlite3.connect(bench.folder / "journal.db")) as db:
        rows = db.execute(
            "SELECT id FROM event WHERE run_id = ? ORDER BY row", (run_id,)
        ).fetchall()
    entries = [await bench.journal.recall("prj_1", run_id, row[0]) for row in rows]
    return [entry.draft.body for entry in entries if entry.draft.actor == "agent"]


async def test_what_only_a_retry_tells_is_recorded_once(bench):
    """design 2: observations go into the record, whichever attempt brought them."""
    first = await bench.check(run=RUN, action=action(), events=[SAID])

    for _ in range(2):
        assert await bench.check(run=RUN, action=action(), events=[SAID, NEWER]) == first

    assert [b'"client_seq":1' in body for body in await told(bench, first.run_id)] == [True, False]
    assert len(bench.engine.frames) == 1


async def test_the_same_request_again_records_nothing(bench):
    sent = {"run": RUN, "action": action(), "events": [SAID], "context": [PAGE]}
    first = await bench.check(**sent)
    await bench.check(**sent)

    assert await bench.journal.last_seq("prj_1", first.run_id) == 3


async def test_context_that_only_a_retry_brings_marks_the_run_and_can_be_referred_to(bench):
    first = await bench.check(run=RUN, action=action())
    await bench.check(run=RUN, action=action(), context=[PAGE])

    await bench.check(run=RUN, context=[{"ref": "doc_1"}])

    frame = bench.engine.frames[-1]
    assert frame["context"][0]["text"] == "a page"
    assert frame["state"]["labels"] == ["untrusted_context"]
    assert len(await told(bench, first.run_id)) == 1


async def test_after_a_restart_what_a_retry_tells_is_not_lost(bench):
    first = await bench.check(run=RUN, action=action())
    await bench.reopen()

    again = await bench.check(run=RUN, action=action(), events=[NEWER])

    assert again.decision_id == first.decision_id
    assert len(await told(bench, first.run_id)) == 1


def test_what_checks_told_is_remembered_within_a_bound():
    told_ = Told(checks_max=2, pieces_max=3)
    checks = [make.check(events=[SAID, {**SAID, "client_seq": n}]) for n in (7, 8, 9)]
    for number, check in enumerate(checks):
        told_.put(f"evt_{number}", check)

    assert [len(told_.news(f"evt_{n}", check)) for n, check in enumerate(checks)] == [2, 2, 0]

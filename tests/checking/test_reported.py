"""Reports: what a result may change, whose it is, and what a later check may refer to."""

from __future__ import annotations

import asyncio
import sqlite3

import msgspec
import pytest

from gateway.checking.reporter import Reporter
from gateway.domain.events import ApprovalExpiredBody, ResultBody
from gateway.domain.reports import EventBatch, ResultReport
from gateway.domain.ruleset import Budget, Environment
from gateway.domain.run_state import change_of_expiry, change_of_result
from gateway.errors import Conflict, Unavailable
from gateway.storage import record
from gateway.storage.ports import Gather, Reserve
from tests import make
from tests.checking.conftest import CALLER

RUN = {"id": "my run"}
DAY = Budget(name="day", at_most=10**9, scope="project", window="day", currency="USD")


class ChangingJournal:
    """The journal as somebody sees it who is always late: each action was judged anew since."""

    def __init__(self, journal) -> None:
        self._journal = journal
        self.looks = 0

    def __getattr__(self, name):
        return getattr(self._journal, name)

    async def find_action(self, project_id, decision_id):
        self.looks += 1
        run_id, action = await self._journal.find_action(project_id, decision_id)
        return run_id, msgspec.structs.replace(action, event_id="evt_before")


def _budgeted(bench, mode="block", **rule):
    bench.rules = make.ruleset(
        make.rule("r", needs=frozenset({"state", "budgets", "recent"}), **rule),
        tools=(make.payment_tool(),),
        environments={
            "production": Environment(mode=mode, budgets=(DAY,), approval_seconds=600),
        },
    )


async def _pay(bench, attempt="1", amount=1000, **fields):
    action = {"id": "act_1", "attempt": attempt}
    return await bench.check(run=RUN, action=action, arguments={"amount": amount}, **fields)


async def _gathered(bench, run_id):
    return await bench.journal.gather(Gather("prj_1", "production", run_id, action_id="act_1"))


async def _refusal(bench, decision_id, status="failed"):
    with pytest.raises(Conflict) as refused:
        await bench.reporter.report_result(CALLER, decision_id, ResultReport(status))
    return refused.value.code


def _types(bench):
    """The types of all events that are in the journal, in the order in which they came."""
    with sqlite3.connect(bench.folder / "journal.db") as db:
        raws = db.execute("SELECT raw FROM event ORDER BY row").fetchall()
    return [record.decode(raw)[0].type for (raw,) in raws]


@pytest.mark.parametrize("effect", ["block", "require_approval", "halt"])
@pytest.mark.parametrize("status", ["succeeded", "failed"])
async def test_a_result_of_a_call_that_was_not_let_through_is_evidence_and_changes_nothing(
    bench, effect, status
):
    """N8: nobody gives back, by a report, what was never spent."""
    _budgeted(bench)
    bench.always(effect)
    reply = await _pay(bench)
    before = await _gathered(bench, reply.run_id)
    counters, labels = dict(before.state.counters), list(before.state.labels)

    assert await _refusal(bench, reply.decision_id, status) == "result_not_expected"

    after = await _gathered(bench, reply.run_id)
    assert after.action == before.action
    assert (after.state.counters, after.state.labels) == (counters, labels)
    assert _types(bench)[-1] == "result_conflict"


@pytest.mark.parametrize("effect", ["block", "require_approval"])
async def test_a_recorded_result_of_a_stopped_call_gives_no_money_back(bench, effect):
    """A record may hold what is refused today: folding it must not make spending negative."""
    _budgeted(bench)
    bench.always(effect)
    action = (await _gathered(bench, (await _pay(bench)).run_id)).action
    body = ResultBody(action.decision_id, action.action_id, "failed", report_digest="d" * 64)

    assert change_of_result(body, action).add == {}


async def test_the_end_of_an_approval_changes_no_action_that_has_a_report(bench):
    """The report stands, also in a record from before such reports were refused."""
    _budgeted(bench)
    bench.always("require_approval")
    reply = await _pay(bench)
    action = (await _gathered(bench, reply.run_id)).action
    reported = msgspec.structs.replace(action, status="executed", report_digest="d" * 64)
    body = ApprovalExpiredBody(reply.approval.id, action.action_id, action.decision_id)

    stopped = change_of_expiry(body, action).closed
    assert stopped is not None
    assert stopped.status == "stopped"
    assert change_of_expiry(body, reported).closed is None


@pytest.mark.parametrize("mode", ["log", "warn"])
async def test_a_result_is_accepted_where_a_stop_was_not_enforced(bench, mode):
    _budgeted(bench, mode)
    bench.always("require_approval")
    reply = await _pay(bench)

    done = await bench.reporter.report_result(CALLER, reply.decision_id, ResultReport("failed"))

    assert done.status == "failed"
    assert (await _gathered(bench, reply.run_id)).state.counters["spend:USD"] == 0


async def test_an_action_judged_again_ends_its_approval_and_holds_its_budget_once(bench):
    """N8: five questions about one call reserve for one call, and see none of their own."""
    _budgeted(bench)
    bench.always("require_approval")
    replies = [await _pay(bench, attempt=str(number)) for number in range(5)]

    gathered = await _gathered(bench, replies[-1].run_id)

    assert set(gathered.state.approvals) == {replies[-1].approval.id}
    assert [frame["state"]["budgets"][0]["used"] for frame in bench.engine.frames] == [0] * 5
    assert _types(bench).count("approval_expired") == 4
    assert await _used(bench) == 1000
    bench.ambient.pass_seconds(601)
    assert await bench.timers.step() == 1
    assert await _used(bench) == 0
    assert (await _gathered(bench, replies[-1].run_id)).state.approvals == {}


async def test_an_asked_action_that_is_then_blocked_or_allowed_nets_what_it_reserved(bench):
    _budgeted(bench)
    bench.always("require_approval")
    await _pay(bench, attempt="1")
    bench.always()
    let_through = await _pay(bench, attempt="2")
    assert (let_through.enforced, await _used(bench)) == ("allow", 1000)

    bench.always("require_approval")
    first, again = ({"id": "act_2", "attempt": attempt} for attempt in "12")
    await bench.check(run={"id": "other"}, action=first, arguments={"amount": 7})
    assert await _used(bench) == 1007
    bench.always("block")
    await bench.check(run={"id": "other"}, action=again, arguments={"amount": 7})

    assert await _used(bench) == 1000


async def test_what_an_action_held_comes_back_from_the_record_alone(bench):
    """The run folded from its events is the run that was hot."""
    _budgeted(bench)
    bench.always("require_approval")
    for number in range(3):
        reply = await _pay(bench, attempt=str(number))
    await _refusal(bench, reply.decision_id)
    hot = await _gathered(bench, reply.run_id)
    await bench.drain()

    state, _, actions = await bench.recalling.run("prj_1", reply.run_id)

    assert actions["act_1"] == hot.action
    assert state == hot.state


async def test_a_report_for_an_earlier_decision_closes_no_other_before_or_after_the_drain(bench):
    _budgeted(bench)
    bench.always("block")
    blocked = await _pay(bench, attempt="1")
    bench.always()
    let_through = await _pay(bench, attempt="2")
    doubted = await _pay(bench, attempt="3")
    assert [let_through.enforced, doubted.enforced] == ["allow", "block"]
    stale = (blocked.decision_id, doubted.decision_id)

    before = [await _refusal(bench, each) for each in stale]
    await bench.drain()
    after = [await _refusal(bench, each) for each in stale]
    await bench.reopen()
    reopened = [await _refusal(bench, each) for each in stale]

    assert before == after == reopened == ["decision_superseded"] * 2
    action = (await _gathered(bench, let_through.run_id)).action
    assert (action.decision_id, action.status) == (let_through.decision_id, "let_through")
    await bench.reporter.report_result(CALLER, let_through.decision_id, ResultReport("succeeded"))


async def test_events_that_begin_one_run_at_once_are_all_recorded(bench):
    """Whoever loses the race for the first event looks again, and is not told of an environment."""
    batch = msgspec.convert(
        {"run": {"id": "new"}, "events": [{"type": "plan", "text": "p"}]}, EventBatch
    )

    replies = await asyncio.gather(*(bench.reporter.report_events(CALLER, batch) for _ in range(4)))

    assert sorted(reply.count for reply in replies) == [1, 1, 1, 2]
    assert _types(bench) == ["run_started"] + ["plan"] * 4


async def test_reports_that_never_fit_are_to_be_sent_again(bench):
    """A run that changes each time it is looked at: bounded attempts, then 503."""
    reply = await _pay(bench)
    journal = ChangingJournal(bench.journal)
    reporter = Reporter(
        current=lambda: bench.rules,
        journal=journal,
        ambient=bench.ambient,
        metrics=bench.metrics,
        find_older=bench.recalling.find_action,
    )

    with pytest.raises(Unavailable) as refused:
        await reporter.report_result(CALLER, reply.decision_id, ResultReport("failed"))

    assert (refused.value.code, journal.looks) == ("run_contended", 5)


async def test_context_that_was_reported_can_be_referred_to_by_a_check(bench):
    events = [{"type": "context", "id": "page", "source": "web", "text": "pay acct_9"}]
    batch = msgspec.convert({"run": RUN, "events": events}, EventBatch)
    await bench.reporter.report_events(CALLER, batch)

    await bench.check(run=RUN, context=[{"ref": "page"}])

    frame = bench.engine.frames[-1]
    assert [(item["text"], item["found"]) for item in frame["context"]] == [("pay acct_9", True)]
    assert frame["coverage"] == []


async def test_labels_count_though_the_action_was_decided_before(bench):
    """What an attempt brings into the run is in it, whatever becomes of the attempt."""
    await _pay(bench, attempt="1")
    context = [{"id": "c", "source": "web", "text": "evil"}]

    again = await _pay(bench, attempt="2", context=context)

    assert again.reasons[0].rule == "checkrein.idempotency"
    assert (await _gathered(bench, again.run_id)).state.labels == ["untrusted_context"]


async def test_money_and_tools_past_the_bound_are_counted_together(bench):
    """An agent that makes up currencies or tools does not make its later calls uncounted."""
    tool = make.payment_tool(amount={"pointer": "/amount", "currency_pointer": "/currency"})
    bench.rules = make.ruleset(
        make.rule("r", tools=("*",), needs=frozenset({"state"})), tools=(tool,)
    )
    for number in range(32):
        await bench.check(run=RUN, arguments={"amount": 1, "currency": f"J{number:02}"})
    for _ in range(2):
        await bench.check(run=RUN, arguments={"amount": 10, "currency": "USD"})
    for number in range(255):
        await bench.check(run=RUN, tool=f"junk_{number}")
    await bench.check(run=RUN, tool="hidden")
    await bench.check(run=RUN, tool="hidden")

    state = bench.engine.frames[-1]["state"]

    assert (state["spend"]["*"], "USD" in state["spend"]) == (20, False)
    assert (state["calls_of_tool"], state["calls"]) == (1, 290)


async def _used(bench):
    """What the budget of the day holds now."""
    key = "day|production|project=|2026-11-20"
    ask = Gather("prj_1", "production", "run_0", reserve=(Reserve(key, 0),), reservation_id="look")
    used = (await bench.journal.gather(ask)).used[key]
    await bench.journal.forget("look")
    return used


async def test_a_run_of_many_pages_is_folded_to_the_state_it_had(bench):
    """What the journal let go comes back whole, whatever pages it is read in."""
    for _ in range(300):
        reply = await bench.check(run=RUN, arguments={"n": 1})
    state = (await bench.journal.gather(Gather("prj_1", "production", reply.run_id))).state
    await bench.drain()

    found = await bench.recalling.run("prj_1", reply.run_id)

    assert found is not None
    folded, _, actions = found
    assert len(actions) == 300
    assert (folded.last_seq, folded.counters) == (301, state.counters)
    assert list(folded.recent) == list(state.recent)

"""Runs: halting, parents, environments, approvals, budgets, context, predicates."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from gateway.checking.context_memory import ContextMemory
from gateway.domain.check import ContextItem, RunRef
from gateway.domain.reports import EventBatch, ResultReport, RunEnd
from gateway.domain.ruleset import Budget, CounterReads, Environment
from gateway.domain.run_state import APPROVALS_PENDING_MAX
from gateway.errors import Conflict, Forbidden, NotFound, Unavailable
from tests import make
from tests.checking.conftest import CALLER

RUN = {"id": "my run"}


async def test_a_check_without_a_run_makes_a_run_of_one_action(bench):
    one = await bench.check()
    other = await bench.check()

    assert one.run_id != other.run_id
    assert (one.seq, one.durability) == (2, "fsync")


async def test_an_enforced_halt_ends_the_run(bench):
    bench.always("halt")
    halted = await bench.check(run=RUN)
    bench.always()

    after = await bench.check(run=RUN)

    assert (halted.enforced, after.enforced) == ("halt", "halt")
    assert "halted" in after.reasons[0].reason


async def test_a_halt_that_is_not_enforced_ends_nothing(bench):
    caller = msgspec.structs.replace(CALLER, environment="development")
    bench.always("halt")
    first = await bench.check(caller, run=RUN)

    assert (first.verdict, first.enforced) == ("halt", "allow")
    assert (await bench.check(caller, run=RUN)).enforced == "allow"
    assert (await bench.check(run={"id": "other"})).enforced == "halt"


async def test_a_halted_parent_halts_the_runs_below_it(bench):
    bench.always("halt")
    await bench.check(run={"id": "top"})
    bench.always()
    await bench.check(run={"id": "middle", "parent_run_id": "top"})

    below = await bench.check(run={"id": "bottom", "parent_run_id": "middle"})

    assert below.enforced == "halt"


async def test_a_halt_that_comes_between_gather_and_append_stops_the_call(bench):
    """design 2: after an enforced halt has been appended, no later append in that run allows."""
    gathered, halted = asyncio.Event(), asyncio.Event()
    evaluate = bench.engine.evaluate

    async def slow(ruleset, rules, frame):
        seen = msgspec.json.decode(frame)
        if seen["action"]["arguments"].get("slow") and not gathered.is_set():
            gathered.set()
            await halted.wait()
        return await evaluate(ruleset, rules, frame)

    bench.engine.evaluate = slow
    waiting = asyncio.create_task(bench.check(run=RUN, arguments={"slow": True}))
    await gathered.wait()
    bench.always("halt")
    await bench.check(run=RUN)
    bench.always()
    halted.set()

    assert (await waiting).enforced == "halt"


async def test_a_run_belongs_to_one_environment(bench):
    reply = await bench.check(run=RUN)
    staging = msgspec.structs.replace(CALLER, environment="staging")

    with pytest.raises(Conflict) as refused:
        await bench.check(staging, run={"id": reply.run_id})

    assert refused.value.code == "run_environment_mismatch"


@pytest.mark.parametrize("claim", [{"user_id": "bob"}, {"agent_id": "other"}])
async def test_whose_run_it_is_cannot_be_claimed_anew(bench, claim):
    """Budgets of a user or an agent would be nobody's if each check could name another."""
    await bench.check(run={**RUN, "user_id": "ann", "agent_id": "bot"})

    with pytest.raises(Conflict) as refused:
        await bench.check(run={**RUN, **claim})

    assert refused.value.code == "run_identity_mismatch"


async def test_what_a_check_leaves_out_its_run_knows(bench):
    _budget(bench, scope="user", window="day")
    await _spend(bench, 60, user_id="ann")

    reply = await bench.check(arguments={"amount": 60}, run={"id": "r1"})

    assert reply.enforced == "block"
    assert bench.engine.frames[-1]["run"]["user_id"] == "ann"


async def test_a_key_bound_to_an_agent_does_not_reach_another_agents_run(bench):
    await bench.check(run={**RUN, "agent_id": "bot"})
    bound = msgspec.structs.replace(CALLER, agent_id="other")

    reply = await bench.check(run=RUN)
    batch = {"run": RUN, "events": [{"type": "plan", "text": "p"}]}

    with pytest.raises(Forbidden):
        await bench.check(bound, run=RUN)
    with pytest.raises(Forbidden):
        await bench.reporter.report_events(bound, msgspec.convert(batch, EventBatch))
    with pytest.raises(Forbidden):
        await bench.reporter.end_run(bound, "my run", RunEnd("failed"))
    with pytest.raises(Forbidden):
        await bench.reporter.report_result(bound, reply.decision_id, ResultReport("failed"))


async def test_history_counts_for_a_caller_without_a_run(bench):
    past = [{"tool": "stripe.refund", "arguments": {"n": 1}}] * 3

    await bench.check(arguments={"n": 1}, history=past)
    await bench.check(arguments={"n": 1}, history=past, run=RUN)

    counts = [frame["state"]["identical"] for frame in bench.engine.frames]
    assert counts == [3, 0]


def test_context_that_is_kept_is_bounded_whatever_it_is_made_of():
    memory = ContextMemory(all_bytes=1_000_000)
    for run in range(100):
        items = [ContextItem(id=f"{run}-{n}", source="s" * 600, text="") for n in range(256)]
        memory.remember(("prj_1", f"run_{run}"), items, [])

    kept = sum(len(held.items) for held in memory._runs.values())
    assert kept < 1_000_000 / 2_400 + 256


async def test_projects_never_meet_in_one_run_name(bench):
    one = await bench.check(run=RUN)
    stranger = msgspec.structs.replace(CALLER, project_id="prj_2")

    other = await bench.check(stranger, run=RUN)

    assert other.run_id != one.run_id
    with pytest.raises(NotFound):
        await bench.reporter.report_result(stranger, one.decision_id, ResultReport("succeeded"))


async def test_an_enforced_require_approval_records_a_pending_approval_that_expires_closed(bench):
    bench.always("require_approval")
    reply = await bench.check(run=RUN, action={"id": "act_1", "attempt": "a"})
    assert reply.approval is not None
    state = (await _state(bench, reply.run_id)).approvals
    assert set(state) == {reply.approval.id}
    assert await bench.timers.step() == 0

    bench.ambient.pass_seconds(3600)
    assert await bench.timers.step() == 1

    assert (await _state(bench, reply.run_id)).approvals == {}
    assert await bench.journal.last_seq("prj_1", reply.run_id) == 4
    again = await bench.check(run=RUN, action={"id": "act_1", "attempt": "b"})
    assert again.enforced == "require_approval"


async def test_pending_approvals_of_a_run_are_bounded_and_racing_calls_share_no_last_place(bench):
    """A run cannot drown the people who are asked: past the bound a call is blocked, with why."""
    bench.always("require_approval")
    bench.engine.lets_others_go_on = True
    for _ in range(APPROVALS_PENDING_MAX - 3):
        await bench.check(run=RUN)

    replies = await asyncio.gather(*(bench.check(run=RUN) for _ in range(8)))

    asked = [reply for reply in replies if reply.approval is not None]
    blocked = [reply for reply in replies if reply.enforced == "block"]
    assert (len(asked), len(blocked)) == (3, 5)
    reason = blocked[0].reasons[-1]
    assert reason.rule == "checkrein.approvals_pending"
    assert "100 calls of this run wait" in reason.reason
    state = await _state(bench, replies[0].run_id)
    assert len(state.approvals) == APPROVALS_PENDING_MAX
    assert (await bench.check(run={"id": "another"})).approval is not None

    bench.ambient.pass_seconds(3600)
    await bench.timers.step()
    assert (await bench.check(run=RUN)).approval is not None
    assert (await _state(bench, replies[0].run_id)).counters["approvals_pending"] == 1


async def test_an_action_judged_again_keeps_its_own_place_among_the_pending(bench):
    bench.always("require_approval")
    for _ in range(APPROVALS_PENDING_MAX - 1):
        await bench.check(run=RUN)
    for attempt in "abc":
        bench.ambient.pass_seconds(61)
        reply = await bench.check(run=RUN, action={"id": "act_1", "attempt": attempt})
        assert reply.approval is not None

    state = await _state(bench, reply.run_id)
    assert state.counters["approvals_pending"] == len(state.approvals) == APPROVALS_PENDING_MAX


async def test_an_approval_that_is_not_enforced_is_not_asked_for(bench):
    staging = msgspec.structs.replace(CALLER, environment="staging")
    bench.always("require_approval")

    reply = await bench.check(staging, run=RUN)

    assert (reply.verdict, reply.enforced, reply.approval) == ("require_approval", "warn", None)


def _budget(bench, **fields):
    given = {"name": "b", "currency": "USD", "at_most": 100, **fields}
    environment = Environment(mode="block", budgets=(msgspec.convert(given, Budget),))
    rules = make.ruleset(
        make.rule("r", needs=frozenset({"state", "budgets"})),
        environments={"production": environment},
        tools=(make.payment_tool(),),
    )
    bench.rules = rules

    def says(rule, frame):
        over = any(
            budget["missing"]
            or budget["used"] + (frame["action"]["amount"] or {}).get("value", 0)
            > budget["at_most"]
            for budget in frame["state"]["budgets"]
        )
        return make.says(rule, "block") if over else make.says(rule)

    bench.engine.says = says


async def _spend(bench, amount, run="r1", **reference):
    return await bench.check(arguments={"amount": amount}, run={"id": run, **reference})


async def test_a_budget_of_a_run_holds_under_racing_calls(bench):
    """N8: reserve, then settle; two calls never share the last of it."""
    _budget(bench)

    replies = await asyncio.gather(*(_spend(bench, 40) for _ in range(20)))

    assert sorted(reply.enforced for reply in replies) == ["allow"] * 2 + ["block"] * 18


@pytest.mark.parametrize("scope", ["agent", "user", "project"])
async def test_a_shared_budget_of_a_day_spans_runs_and_begins_anew(bench, scope):
    _budget(bench, scope=scope, window="day")

    async def spend(run):
        reference = {"id": run, "agent_id": "bot", "user_id": "ann"}
        return (await bench.check(arguments={"amount": 60}, run=reference)).enforced

    assert [await spend("r1"), await spend("r2")] == ["allow", "block"]
    bench.ambient.pass_seconds(86400)
    assert await spend("r3") == "allow"


async def test_a_budget_of_one_environment_is_not_used_up_in_another(bench):
    _budget(bench, scope="project", window="day")
    environments = bench.rules.environments
    bench.rules = msgspec.structs.replace(
        bench.rules, environments={**environments, "staging": environments["production"]}
    )
    staging = msgspec.structs.replace(CALLER, environment="staging")
    await bench.check(staging, arguments={"amount": 90})

    assert (await _spend(bench, 90)).enforced == "allow"


async def test_a_failed_call_gives_its_reservation_back(bench):
    _budget(bench)
    reply = await _spend(bench, 90)
    assert (await _spend(bench, 90)).enforced == "block"

    await bench.reporter.report_result(CALLER, reply.decision_id, ResultReport("failed"))

    assert (await _spend(bench, 90)).enforced == "allow"


async def test_a_payment_without_a_result_is_in_doubt_and_counts_as_spent(bench):
    _budget(bench)
    await _spend(bench, 90)
    bench.ambient.pass_seconds(601)

    assert await bench.timers.step() == 1
    assert await bench.timers.step() == 0

    assert (await _spend(bench, 90)).enforced == "block"


async def test_a_read_without_a_result_is_released(bench):
    _budget(bench, measure="calls", currency=None, at_most=1)
    bench.rules = msgspec.structs.replace(
        bench.rules, tools=(make.payment_tool(side_effects=["read"]),)
    )
    bench.engine.says = lambda rule, frame: make.says(
        rule, *(["block"] if frame["state"]["budgets"][0]["used"] >= 1 else [])
    )
    assert (await _spend(bench, 1)).enforced == "allow"
    assert (await _spend(bench, 1)).enforced == "block"
    bench.ambient.pass_seconds(601)
    await bench.timers.step()

    assert (await _spend(bench, 1)).enforced == "allow"


async def test_an_approval_keeps_its_reservation_until_it_expires(bench):
    _budget(bench)
    says = bench.engine.says
    bench.always("require_approval")
    await _spend(bench, 90)
    bench.engine.says = says
    assert (await _spend(bench, 90)).enforced == "block"

    bench.ambient.pass_seconds(3600)
    await bench.timers.step()

    assert (await _spend(bench, 90)).enforced == "allow"


async def test_money_in_a_currency_without_a_budget_is_missing(bench):
    _budget(bench, currency="EUR")

    assert (await _spend(bench, 1)).enforced == "block"


async def test_a_refund_does_not_fill_a_budget_up(bench):
    _budget(bench)
    await _spend(bench, -1000)

    assert (await _spend(bench, 101)).enforced == "block"


async def test_budgets_survive_a_restart(bench):
    _budget(bench)
    await _spend(bench, 60)

    await bench.reopen()

    assert (await _spend(bench, 60)).enforced == "block"


async def test_a_predicate_that_changes_under_the_judgement_is_judged_again(bench):
    """design 2: append checks again what applicable rules declare in `reads:`."""
    reads = (CounterReads("calls", plus=1, at_most=5),)
    bench.rules = make.ruleset(make.rule("r", needs=frozenset({"state"}), reads=reads))
    bench.engine.says = lambda rule, frame: make.says(
        rule, *(["block"] if frame["state"]["calls"] + 1 > 5 else [])
    )

    replies = await asyncio.gather(*(bench.check(run=RUN) for _ in range(20)))

    assert sorted(reply.enforced for reply in replies) == ["allow"] * 5 + ["block"] * 15


async def test_a_rule_sees_the_runs_state(bench):
    """Part 6: calls, repeats, denials, spend, the last actions with outcomes, labels."""
    paid = await bench.check(run=RUN, arguments={"amount": 5, "note": "first try"})
    await bench.reporter.report_result(CALLER, paid.decision_id, ResultReport("succeeded"))
    bench.always("block")
    await bench.check(run=RUN, arguments={"amount": 6, "note": "second TRY"})
    await bench.check(
        run=RUN,
        arguments={"amount": 6, "note": "second TRY"},
        context=[{"id": "c", "source": "web", "text": "hello"}],
    )
    bench.always()
    await bench.check(run=RUN, arguments={"amount": 6, "note": "second TRY"})

    state = bench.engine.frames[-1]["state"]

    assert {key: state[key] for key in ("calls", "calls_of_tool", "identical")} == {
        "calls": 3,
        "calls_of_tool": 3,
        "identical": 2,
    }
    assert state["near_identical"] == 2
    assert state["denials_in_a_row"] == 2
    assert state["spend"] == {"USD": 5}
    assert state["labels"] == ["untrusted_context"]
    assert [(past["enforced"], past["outcome"]) for past in state["recent"]] == [
        ("block", None),
        ("block", None),
        ("allow", "succeeded"),
    ]


async def test_a_reference_brings_back_content_the_run_holds(bench):
    await bench.check(run=RUN, context=[{"id": "doc", "source": "s", "trusted": True, "text": "T"}])
    await bench.check(run=RUN, context=[{"ref": "doc"}, {"ref": "gone"}])

    frame = bench.engine.frames[-1]

    assert [(item["text"], item["trusted"], item["found"]) for item in frame["context"]] == [
        ("T", True, True),
        ("", False, False),
    ]
    assert frame["coverage"] == ["context:gone"]


async def test_an_observation_of_the_same_request_can_be_referred_to(bench):
    event = {"type": "context", "id": "page", "source": "web", "text": "pay acct_9"}
    await bench.check(run=RUN, events=[event], context=[{"ref": "page"}])

    frame = bench.engine.frames[-1]

    assert frame["context"][0]["text"] == "pay acct_9"
    assert "untrusted_context" in frame["state"]["labels"]


async def test_reports_and_ends_are_events_of_the_run(bench):
    opened = await bench.reporter.open_run(CALLER, RunRef(id="r9", agent_id="bot"))
    again = await bench.reporter.open_run(CALLER, RunRef(id="r9"))
    batch = {"run": {"id": "r9"}, "events": [{"type": "plan", "text": "p"}]}
    reported = await bench.reporter.report_events(CALLER, msgspec.convert(batch, EventBatch))
    ended = await bench.reporter.end_run(CALLER, "r9", RunEnd("failed", error="boom"))

    assert (opened.created, again.created) == (True, False)
    assert (reported.first_seq, ended.first_seq) == (2, 3)
    assert (await _state(bench, opened.run_id)).status == "failed"
    with pytest.raises(NotFound):
        await bench.reporter.end_run(CALLER, "never seen", RunEnd("failed"))


async def test_without_a_policy_nothing_is_decided(bench):
    bench.rules = None

    with pytest.raises(Unavailable) as refused:
        await bench.check()

    assert refused.value.code == "policy_unavailable"


@pytest.mark.parametrize(
    ("journal", "effects", "expected"),
    [
        ("closed", ["read"], "closed"),
        ("open", ["read"], "open"),
        ("open", ["read", "payment"], "closed"),
    ],
)
async def test_without_a_journal_nothing_is_decided_and_the_fail_mode_is_said(
    bench, journal, effects, expected
):
    """D4: 503, and the caller learns which fail mode its policy wants."""
    environment = Environment(mode="block", journal=journal, fail={"read": "open", "*": "closed"})
    bench.rules = make.ruleset(
        make.rule("r"),
        environments={"production": environment},
        tools=(make.payment_tool(side_effects=effects),),
    )
    await bench.journal.close()

    with pytest.raises(Unavailable) as refused:
        await bench.check()

    assert refused.value.code == "journal_unavailable"
    assert refused.value.extra == {"fail_mode": expected}
    await bench.reopen()


async def _state(bench, run_id):
    from gateway.storage.ports import Gather

    return (await bench.journal.gather(Gather("prj_1", "production", run_id))).state

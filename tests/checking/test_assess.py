"""The seat of the Intent Guard: asked about evidence, seen by rules, remembered, judged again."""

from __future__ import annotations

import os
import signal
from typing import Any

import msgspec
import pytest

from gateway.domain.events import DecisionBody, event_of_decision
from gateway.domain.rule_results import Round, RuleResult, RuleVerdict
from gateway.domain.ruleset import Calibration, Environment, ProjectIntent
from gateway.intent.inline import InlineAssessor
from gateway.replay.rejudge import RecordedDecision, rejudge
from tests import make
from tests.assessing.conftest import Watched, opened
from tests.assessing.evaluators.plan_only import VERSION, Evaluator
from tests.checking.conftest import CALLER, Bench
from tests.checking.test_outage import drained, journal_away

READS = frozenset({"assessment"})
PLANNED = {"plan": {"arguments": {"amount": 4}}}
PRODUCTION = Environment(
    mode="block",
    journal="spool",
    fail={"*": "closed", "read": "open"},
    thresholds={"*": 0.9, "payment": 0.6, "read": 0.95},
    projects={
        "prj_2": ProjectIntent(
            thresholds={"payment": 0.5},
            calibration={"score": Calibration(slope=0.5, intercept=-1.0, labels=120)},
        )
    },
)
CAP = RuleVerdict(
    effect="modify",
    reason="At most 4.",
    patch=({"op": "replace", "path": "/action/arguments/amount", "value": 4},),
)
LIFT = msgspec.structs.replace(
    CAP, patch=({"op": "replace", "path": "/action/arguments/amount", "value": 5},)
)


class Seat(Bench):
    """A bench whose checks are assessed by the smallest evaluator, in a child of its own."""

    watched: Watched

    async def judged_again(self, reply, assessor=None, ruleset=None):
        event_id = event_of_decision(reply.decision_id)
        entry = await self.journal.recall("prj_1", reply.run_id, event_id)
        assert entry is not None
        content = entry.draft.content
        recorded = RecordedDecision(
            body=msgspec.json.decode(entry.draft.body, type=DecisionBody),
            frame=content["frame"],
            rounds=msgspec.json.decode(content["rounds"], type=tuple[Round, ...]),
            decision=content["decision"],
        )
        return await rejudge(self.engine, ruleset or self.rules, recorded, assessor)


@pytest.fixture
async def seat(tmp_path):
    async with opened() as watched:
        bench = Seat(tmp_path)
        bench.watched = watched
        bench.assessor = watched.assessor
        bench.rules = make.ruleset(
            make.rule("reads", needs=READS, tools=("*",)),
            make.rule("plain", tools=("*",)),
            environments={
                "production": PRODUCTION,
                "development": Environment(mode="log", fail={"*": "open"}),
            },
            tools=(make.payment_tool(), make.payment_tool(match="crm.*", side_effects=["read"])),
        )
        await bench.open()
        yield bench
        await bench.close()


async def ask(bench: Bench, amount: int = 5, request: Any = PLANNED, **fields: Any):
    return await bench.check(arguments={"amount": amount}, request=request, **fields)


async def test_rules_and_the_caller_see_the_assessment(seat):
    reply = await ask(seat)

    (frame,) = seat.engine.frames
    assert frame["assessment"] == reply.assessment
    assert reply.assessment == {
        "score": 0.97,
        "threshold": 0.6,
        "heads": {"plan": 0.97, "attribution": None, "consistency": None},
        "coverage": {
            "request": False,
            "plan": "structured",
            "context": "none",
            "truncated": [],
        },
        "signals": [
            {
                "check": "plan.value",
                "field": "/action/arguments/amount",
                "observed": 5,
                "expected": 4,
                "source": "plan",
                "trusted": True,
                "contribution": 0.9,
            }
        ],
        "version": VERSION,
        "raw": {"plan": 3.476099, "attribution": None, "consistency": None},
    }
    assert (reply.degraded, frame["coverage"]) == ((), [])
    assert counted(seat, "check_step_seconds_count", step="assess") == 1
    assert counted(seat, "intent_scores_total", at_most="0.99") == 1


@pytest.mark.parametrize("request_", [None, {}, {"reasoning": "it is right"}, {"user": ""}])
async def test_without_evidence_nobody_is_asked(seat, request_):
    """A stopped child would answer nothing: it is not even tried."""
    for pid in await seat.watched.both_ready():
        os.kill(pid, signal.SIGSTOP)
    more = {} if request_ is None else {"request": request_}

    reply = await seat.check(arguments={"amount": 5}, **more)

    assert (reply.assessment, reply.degraded) == (None, ())
    assert counted(seat, "check_step_seconds_count", step="assess") in (None, 0)


@pytest.mark.parametrize("request_", ["sleep", "exit", "nonsense", "unreadable"])
@pytest.mark.parametrize(
    ("environment", "tool", "enforced"),
    [
        ("production", "stripe.refund", "block"),
        ("production", "crm.find", "warn"),
        ("development", "stripe.refund", "allow"),
    ],
)
async def test_without_an_answer_the_fail_mode_of_the_side_effect_counts(
    seat, request_, environment, tool, enforced
):
    """Rules that read the assessment fail, the others judge, and the reply says so."""
    caller = msgspec.structs.replace(CALLER, environment=environment)

    reply = await ask(seat, request={"user": request_}, tool=tool, caller=caller)

    assert reply.enforced == enforced
    assert reply.degraded == ("assessment",)
    assert reply.assessment is None
    assert [(word.rule, word.enforced) for word in reply.reasons] == [("reads", enforced)]
    assert [frame["coverage"] for frame in seat.engine.frames] == [["assessment"]]


async def test_rules_that_do_not_read_it_decide_alone(seat):
    seat.rules = msgspec.structs.replace(seat.rules, rules=(seat.rules.rules[1],))
    seat.always("warn")

    reply = await ask(seat, request={"user": "nonsense"})

    assert (reply.enforced, reply.degraded) == ("warn", ("assessment",))


async def test_a_killed_child_costs_one_check_at_most(seat):
    serving, _ = await seat.watched.both_ready()
    os.kill(serving, signal.SIGKILL)

    replies = [await ask(seat) for _ in range(3)]

    assert sum(reply.assessment is None for reply in replies) <= 1
    assert replies[-1].assessment is not None


async def test_changed_arguments_are_assessed_anew(seat):
    """The second round sees what is said of the changed arguments, and the caller gets that."""
    seat.engine.says = lambda rule, frame: (
        RuleResult(rule, verdicts=(CAP,))
        if rule == "plain" and frame["action"]["arguments"]["amount"] == 5
        else RuleResult(rule)
    )

    reply = await ask(seat)

    assert [frame["assessment"]["score"] for frame in seat.engine.frames] == [0.97, 0.03]
    assert (reply.enforced, reply.arguments) == ("modify", {"amount": 4})
    assert reply.assessment["score"] == 0.03
    assert reply.assessment["signals"] == []


async def test_what_a_change_makes_wrong_is_seen(seat):
    """A rule that lifts the amount over the plan meets the rule that reads the assessment."""

    def says(rule: str, frame: dict[str, Any]) -> RuleResult:
        if rule == "plain":
            return RuleResult(rule, verdicts=(LIFT,))
        over = frame["assessment"]["score"] > 0.9
        return make.says(rule, "block") if over else RuleResult(rule)

    seat.engine.says = says

    reply = await ask(seat, amount=4)

    assert reply.enforced == "block"
    assert reply.assessment["score"] == 0.97


async def test_a_failure_over_changed_arguments_is_one(seat):
    """The first form was assessed; over the second the child ends, and rules that read it fail."""
    seat.engine.says = lambda rule, frame: (
        RuleResult(rule, verdicts=(CAP,))
        if rule == "plain" and frame["action"]["arguments"]["amount"] == 5
        else RuleResult(rule)
    )
    for pid in await seat.watched.both_ready():
        os.kill(pid, 0)

    async def kill() -> None:
        await seat.watched.assessor.close()

    seat.engine.meanwhile = kill

    reply = await ask(seat)
    again = await seat.judged_again(reply)

    assert (reply.enforced, reply.degraded) == ("block", ("assessment",))
    assert reply.assessment is None
    assert again.outcome == "exact"


@pytest.mark.parametrize("changes", [False, True])
async def test_a_decision_is_judged_again_without_an_assessor(seat, changes):
    """R1: to the same bytes; the frame is closed. Asked again, the version says the same."""
    if changes:
        seat.engine.says = lambda rule, frame: (
            RuleResult(rule, verdicts=(CAP,))
            if rule == "plain" and frame["action"]["arguments"]["amount"] == 5
            else RuleResult(rule)
        )
    reply = await ask(seat)
    seen = list(seat.engine.frames)
    seat.engine.frames.clear()

    without = await seat.judged_again(reply)
    same = await seat.judged_again(reply, InlineAssessor(Evaluator(VERSION)))
    other = await seat.judged_again(reply, InlineAssessor(Evaluator("another")))

    assert {each.outcome for each in (without, same, other)} == {"exact"}
    assert [without.assessment, same.assessment, other.assessment] == [
        "version not held",
        "same",
        "version not held",
    ]
    assert seat.engine.frames == seen * 3


async def test_a_version_that_says_something_else_is_found_out(seat):
    reply = await ask(seat)

    class Drifted(Evaluator):
        def assess(self, evidence):
            said = super().assess(evidence)
            return msgspec.structs.replace(said, score=0.970001)

    again = await seat.judged_again(reply, InlineAssessor(Drifted(VERSION)))

    assert (again.outcome, again.assessment) == ("exact", "differs")


async def test_a_failure_of_the_assessor_is_judged_again_as_one(seat):
    reply = await ask(seat, request={"user": "nonsense"})

    again = await seat.judged_again(reply)

    assert (again.outcome, again.failures, again.assessment) == ("exact", ("reads",), "none")


async def test_arguments_that_only_another_policy_makes_are_assessed_or_fail(seat):
    """Re-judged under a policy that caps: nobody ever assessed those arguments."""
    reply = await ask(seat)
    seat.engine.says = lambda rule, frame: (
        RuleResult(rule, verdicts=(CAP,))
        if rule == "plain" and frame["action"]["arguments"]["amount"] == 5
        else RuleResult(rule)
    )
    other = msgspec.structs.replace(seat.rules, digest="e" * 64)

    without = await seat.judged_again(reply, ruleset=other)
    held = await seat.judged_again(reply, InlineAssessor(Evaluator(VERSION)), other)

    assert b'"degraded":["assessment"]' in without.decision
    assert b'"degraded":[]' in held.decision
    assert held.assessment == "same"


async def test_a_project_has_its_own_threshold_and_calibration(seat):
    """Applied here and not in the child: `raw` is what the version said."""
    caller = msgspec.structs.replace(CALLER, project_id="prj_2", key_id="key_2")

    reply = await ask(seat, caller=caller)

    assert (reply.assessment["score"], reply.assessment["threshold"]) == (0.676569, 0.5)
    assert reply.assessment["raw"]["plan"] == 3.476099


async def test_a_recorded_reply_has_its_assessment(seat):
    """A retry is answered from memory, and after a restart from the record."""
    call: Any = {"action": {"id": "a", "attempt": "1"}, "run": {"id": "r"}}
    first = await ask(seat, **call)

    again = await ask(seat, **call)
    await seat.reopen()
    recalled = await ask(seat, **call)
    await seat.drain()
    await seat.reopen()
    read_back = await ask(seat, **call)

    assert first.assessment is not None
    assert {each.decision_id for each in (again, recalled, read_back)} == {first.decision_id}
    for each in (again, recalled, read_back):
        assert each.assessment == first.assessment


async def test_while_the_journal_is_away_calls_are_assessed_too(seat):
    for number in range(30):
        await seat.check(tool="crm.find", run={"id": f"before {number}"})
    with journal_away(seat):
        reply = await ask(seat)

    assert reply.durability == "spooled"
    assert reply.assessment is not None
    assert reply.assessment["score"] == 0.97
    assert seat.engine.frames[-1]["coverage"] == ["state"]
    assert await drained(seat) == 1


async def test_rules_about_an_assessment_are_not_asked_without_one(seat):
    about = make.rule("about", needs=READS, given=("/assessment/score",), tools=("*",))
    seat.rules = msgspec.structs.replace(seat.rules, rules=(about,), by_id={"about": about})
    seat.always("block")

    without = await ask(seat, request={"reasoning": "r"})
    with_one = await ask(seat)

    assert (without.enforced, with_one.enforced) == ("allow", "block")
    assert len(seat.engine.frames) == 1


@pytest.mark.parametrize("changes", [False, True])
async def test_what_was_observed_and_expected_lies_nowhere_in_clear(seat, changes):
    """S11: signals repeat what agents and people wrote, in the frame and in a second round."""
    cap = {"op": "replace", "path": "/action/arguments/note", "value": "kanari of a patch"}
    patched = msgspec.structs.replace(CAP, patch=(cap,))

    def says(rule: str, frame: dict[str, Any]) -> RuleResult:
        first = frame["action"]["arguments"]["note"] == "kanari of a call"
        caps = changes and rule == "plain" and first
        return RuleResult(rule, verdicts=(patched,)) if caps else RuleResult(rule)

    seat.engine.says = says
    plan = {"plan": {"arguments": {"note": "kanari of a plan"}}}

    reply = await seat.check(arguments={"note": "kanari of a call"}, request=plan)

    (signal_,) = reply.assessment["signals"]
    assert signal_["observed"] == ("kanari of a patch" if changes else "kanari of a call")
    assert holding(seat, b"kanari") == []
    await seat.drain()
    assert holding(seat, b"kanari") == []


def holding(bench: Bench, text: bytes) -> list[str]:
    """The files in which the text stands, or its hexadecimal form."""
    forms = (text, text.hex().encode())
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in files)
    return [p.name for p in files if any(form in p.read_bytes() for form in forms)]


def counted(bench: Bench, name: str, **labels: str) -> float | None:
    return bench.metrics.registry.get_sample_value(f"checkrein_{name}", labels)

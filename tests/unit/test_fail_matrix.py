"""The fail matrix says what judgement, SDK and gateway do; it is no second truth beside them."""

from __future__ import annotations

from typing import get_args

import pytest
from checkrein._fail_mode import may_run, stance
from checkrein._settings import Settings
from checkrein._trouble import StoreAway, Unreachable

from gateway.domain.fail_matrix import PARTS, consequence
from gateway.domain.judge import judge
from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Environment, JournalMode, Ruleset
from gateway.domain.verdicts import SIDE_EFFECTS, STOPPING, FailMode, Mode
from gateway.judging.judgement import judge_frame
from tests import make

NAMES = ("development", "staging", "production", "eu")
FAILS: tuple[dict[str, FailMode], ...] = (
    {"*": "open"},
    {"*": "closed"},
    {"read": "open", "*": "closed"},
)
ENVIRONMENTS = [
    Environment(mode=mode, fail=fail, journal=journal)
    for mode in get_args(Mode)
    for fail in FAILS
    for journal in get_args(JournalMode)
]


class SayingNothing:
    """The engine's seam, with rules that agree to everything."""

    info = EngineInfo("nothing", "1", "c")

    async def load(self, ruleset: Ruleset) -> None:
        return

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        return tuple(RuleResult(rule) for rule in rules)

    async def close(self) -> None:
        return


@pytest.mark.parametrize("effect", SIDE_EFFECTS)
@pytest.mark.parametrize("name", NAMES)
def test_where_no_gateway_answers_it_says_what_the_sdk_does(name, effect):
    settings = Settings(environment=name, key_environment=name)
    held = stance(settings, frozenset({effect}), None)

    told = consequence("gateway", name, Environment(), effect)

    assert told.runs == may_run(held, Unreachable("nobody is there"))


@pytest.mark.parametrize("effect", SIDE_EFFECTS)
def test_for_a_rule_that_fails_it_says_what_the_judgement_does(effect):
    for environment in ENVIRONMENTS:
        rules = make.ruleset(
            make.rule("r", tools=("x.*",)),
            environments={"production": environment},
            tools=(make.payment_tool(match="x.*", side_effects=[effect]),),
        )
        frame = make.frame(rules, make.check("x.call"))
        failed = make.round_of(RuleResult("r", failure="unavailable"))

        decision = judge(frame, rules, (failed,))

        told = consequence("engine", "production", environment, effect)
        assert frame.action.side_effects == [effect]
        assert told.runs == (decision.enforced not in STOPPING)
        assert f"`{decision.enforced}`" in told.told


@pytest.mark.parametrize("effect", SIDE_EFFECTS)
async def test_where_the_intent_guard_fails_it_says_what_the_judgement_does(effect):
    """A rule that reads the assessment fails; one that does not is asked, and alone decides."""
    for environment in ENVIRONMENTS:
        rules = make.ruleset(
            make.rule("reads", tools=("x.*",), needs=frozenset({"assessment"})),
            make.rule("other", tools=("x.*",)),
            environments={"production": environment},
            tools=(make.payment_tool(match="x.*", side_effects=[effect]),),
        )
        frame = make.frame(rules, make.check("x.call"), coverage=["assessment"])

        judgement = await judge_frame(SayingNothing(), rules, frame)

        decision = judgement.decision
        told = consequence("intent", "production", environment, effect)
        assert told.runs == (decision.enforced not in STOPPING)
        assert f"`{decision.enforced}`" in told.told
        assert [(reason.rule, reason.enforced) for reason in decision.reasons] == [
            ("reads", decision.enforced)
        ]
        assert decision.degraded == ("assessment",)


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_for_want_of_a_journal_runs_only_where_the_sdk_lets_it(name):
    settings = Settings(environment=name, key_environment=name)
    for environment in ENVIRONMENTS:
        for effect in SIDE_EFFECTS:
            told = consequence("journal and spool", name, environment, effect)
            held = stance(settings, frozenset({effect}), None)

            assert told.status == 503
            assert told.runs == may_run(held, StoreAway("503", open=told.runs is True))


def test_closed_never_runs_and_every_cell_says_something():
    closed = Environment(mode="block", fail={"*": "closed"}, journal="closed")
    for effect in SIDE_EFFECTS:
        for part in ("engine", "journal", "journal and spool"):
            assert consequence(part, "production", closed, effect).runs is False
        for part in PARTS:
            assert consequence(part, "production", closed, effect).told

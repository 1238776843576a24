"""The judgement: verdicts, stages, modes, failures, defaults, modifications, answers of people."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import decision as decisions
from gateway.domain.frame import FrameApproval, FramePrior
from gateway.domain.judge import change_of, judge
from gateway.domain.rule_results import Round, RuleResult
from gateway.domain.ruleset import Environment
from gateway.domain.verdicts import (
    SEVERITY,
    STOPPING,
    VERDICTS,
    Verdict,
    cap,
    most_severe,
)
from tests import make

CAPPED: dict[str, dict[str, str]] = {
    "block": {verdict: verdict for verdict in VERDICTS},
    "warn": {"allow": "allow", **dict.fromkeys(VERDICTS[1:], "warn")},
    "log": dict.fromkeys(VERDICTS, "allow"),
}
MODES = {"production": "block", "staging": "warn", "development": "log"}


@pytest.mark.parametrize(("effect", "stage", "environment"), list(product(VERDICTS, CAPPED, MODES)))
def test_each_verdict_is_capped_by_stage_and_by_mode(effect, stage, environment):
    """design 3: enforced is the verdict capped by the rule's stage and by the mode (S1-30)."""
    rules = make.ruleset(make.rule("r", stage=stage))
    frame = make.frame(rules, make.check(arguments={"a": 1}), environment=environment)
    patch = ({"op": "replace", "path": "/action/arguments/a", "value": 2},)
    result = make.says("r", effect, patch=patch if effect == "modify" else ())
    rounds: tuple[Round, ...] = (make.round_of(result),)
    if change_of(frame, rules, rounds[0]).arguments is not None:
        rounds += (make.round_of(RuleResult("r")),)

    decision = judge(frame, rules, rounds)

    assert decision.verdict == effect
    assert decision.enforced == CAPPED[MODES[environment]][CAPPED[stage][effect]]


def test_the_most_severe_enforced_verdict_wins():
    rules = make.ruleset(make.rule("a"), make.rule("b"), make.rule("c", stage="log"))
    frame = make.frame(rules)

    decision = judge(
        frame,
        rules,
        (make.round_of(make.says("a", "warn"), make.says("b", "block"), make.says("c", "halt")),),
    )

    assert decision.verdict == "halt"
    assert decision.enforced == "block"


def test_stage_belongs_to_a_rule_in_an_environment():
    """N15: one rule may block in production and only log in staging."""
    rules = make.ruleset(make.rule("r", stage="block", stages={"production": "log"}))

    decision = judge(make.frame(rules), rules, (make.round_of(make.says("r", "block")),))

    assert (decision.verdict, decision.enforced) == ("block", "allow")


@pytest.mark.parametrize("failure", ["error", "timeout", "crash", "unavailable", "malformed"])
@pytest.mark.parametrize(
    ("environment", "effects", "verdict", "enforced"),
    [
        ("production", ["payment"], "block", "block"),
        ("production", ["read"], "warn", "warn"),
        ("production", ["read", "payment"], "block", "block"),
        ("staging", ["payment"], "warn", "warn"),
        ("development", ["payment"], "warn", "allow"),
    ],
)
def test_a_failed_rule_follows_the_fail_mode_and_is_never_an_allow_by_itself(
    failure, environment, effects, verdict, enforced
):
    """E4; reliability 5: the strictest fail mode over the set of side effects."""
    rules = make.ruleset(make.rule("r"), tools=(make.payment_tool(side_effects=effects),))
    frame = make.frame(rules, environment=environment)

    decision = judge(frame, rules, (make.round_of(RuleResult("r", failure=failure)),))

    assert (decision.verdict, decision.enforced) == (verdict, enforced)
    assert decision.degraded == (f"engine:r:{failure}",)


def test_a_failing_rule_leaves_the_others_counting():
    rules = make.ruleset(make.rule("a", stage="log"), make.rule("b"))
    results = make.round_of(RuleResult("a", failure="error"), make.says("b", "block"))

    decision = judge(make.frame(rules), rules, (results,))

    assert [(word.rule, word.enforced) for word in decision.reasons] == [
        ("a", "allow"),
        ("b", "block"),
    ]


def test_missing_input_blocks_and_names_the_pointer():
    """design 5: missing is not allowed."""
    rules = make.ruleset(make.rule("r"))
    result = RuleResult("r", missing=("/action/arguments/amount",))

    decision = judge(make.frame(rules), rules, (make.round_of(result),))

    assert decision.enforced == "block"
    assert decision.reasons[0].fields == ("/action/arguments/amount",)
    assert "input_missing" in decision.reasons[0].reason


DEFAULTS: dict[str, Verdict] = {"payment": "require_approval", "delete": "block", "*": "allow"}


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        (["read"], "allow"),
        (["payment"], "require_approval"),
        (["payment", "delete"], "block"),
        (["read", "payment"], "require_approval"),
    ],
)
def test_without_a_governing_rule_the_strictest_default_counts(effects, expected):
    """design 5: when no rule applies, the environment says what happens by side effect."""
    rules = make.ruleset(
        make.rule("watch", tools=("*",)),
        environments={"production": Environment(mode="block", defaults=DEFAULTS)},
        tools=(make.payment_tool(side_effects=effects),),
    )

    decision = judge(make.frame(rules), rules, (make.round_of(RuleResult("watch")),))

    assert decision.enforced == expected


def test_a_rule_for_the_tool_lifts_the_default():
    rules = make.ruleset(
        make.rule("limit", tools=("*",), side_effects=("payment",)),
        environments={"production": Environment(mode="block", defaults=DEFAULTS)},
        tools=(make.payment_tool(),),
    )

    decision = judge(make.frame(rules), rules, (make.round_of(RuleResult("limit")),))

    assert decision.enforced == "allow"


def test_claiming_another_side_effect_lifts_no_default():
    """The caller is not believed about itself: a rule for messages does not govern a payment."""
    rules = make.ruleset(
        make.rule("mail", tools=("*",), side_effects=("message",)),
        environments={"production": Environment(mode="block", defaults=DEFAULTS)},
        tools=(make.payment_tool(),),
    )
    claims = make.check(action={"side_effects": ["message"]})

    decision = judge(make.frame(rules, claims), rules, (make.round_of(RuleResult("mail")),))

    assert decision.enforced == "require_approval"


def test_a_rule_on_trial_lifts_no_default():
    """S1-30, N15: trying a rule in `log` must not weaken what is enforced meanwhile."""
    rules = make.ruleset(
        make.rule("r", stage="log"),
        environments={"production": Environment(mode="block", defaults=DEFAULTS)},
        tools=(make.payment_tool(),),
    )

    decision = judge(make.frame(rules), rules, (make.round_of(RuleResult("r")),))

    assert decision.enforced == "require_approval"


def test_a_modification_that_changes_the_currency_blocks():
    """design 5: reservations are of the changed arguments; none was made in the other currency."""
    tool = make.payment_tool(amount={"pointer": "/n", "currency_pointer": "/currency"})
    rules = make.ruleset(make.rule("r"), tools=(tool,))
    frame = make.frame(rules, make.check(arguments={"n": 1, "currency": "USD"}))
    patch = ({"op": "replace", "path": "/action/arguments/currency", "value": "EUR"},)
    first = make.round_of(make.says("r", "modify", patch=patch))

    assert judge(frame, rules, (first, make.round_of(RuleResult("r")))).enforced == "block"


def test_an_environment_nobody_named_is_treated_like_production():
    rules = make.ruleset(tools=(make.payment_tool(),))

    decision = judge(make.frame(rules, environment="qa"), rules, (make.round_of(),))

    assert (decision.mode, decision.enforced) == ("block", "require_approval")


def test_an_amount_that_contradicts_the_arguments_blocks():
    """The caller is not believed about itself."""
    rules = make.ruleset(make.rule("r"), tools=(make.payment_tool(),))
    claimed = {"amount": {"value": 1, "currency": "usd"}}
    frame = make.frame(rules, make.check(arguments={"amount": 450000}, action=claimed))

    decision = judge(frame, rules, (make.round_of(RuleResult("r")),))

    assert decision.enforced == "block"
    assert decision.amount == frame.action.amount
    assert decision.amount is not None
    assert decision.amount.value == 450000


def test_modify_returns_changed_arguments_and_their_digest():
    rules = make.ruleset(make.rule("cap"), tools=(make.payment_tool(),))
    frame = make.frame(rules, make.check(arguments={"amount": 900}))
    patch = ({"op": "replace", "path": "/action/arguments/amount", "value": 500},)
    first = make.round_of(make.says("cap", "modify", patch=patch))

    decision = judge(frame, rules, (first, make.round_of(RuleResult("cap"))))

    assert decision.enforced == "modify"
    assert decision.arguments == {"amount": 500}
    assert decision.arguments_digest != frame.action.arguments_digest
    assert decision.amount is not None
    assert decision.amount.value == 500


def test_a_patch_that_then_changes_nothing_is_stable():
    rules = make.ruleset(make.rule("cap"))
    frame = make.frame(rules, make.check(arguments={"n": 900}))
    patch = ({"op": "replace", "path": "/action/arguments/n", "value": 500},)
    same = make.round_of(make.says("cap", "modify", patch=patch))

    assert judge(frame, rules, (same, same)).enforced == "modify"


def test_a_modification_that_goes_on_changing_blocks():
    rules = make.ruleset(make.rule("cap"))
    frame = make.frame(rules, make.check(arguments={"n": 900}))
    down = [({"op": "replace", "path": "/action/arguments/n", "value": n},) for n in (500, 400)]
    rounds = tuple(make.round_of(make.says("cap", "modify", patch=patch)) for patch in down)

    decision = judge(frame, rules, rounds)

    assert decision.enforced == "block"
    assert decision.arguments is None
    assert "checkrein.modify_unstable" in [word.rule for word in decision.reasons]


@pytest.mark.parametrize("other", ["/action/arguments/a", "/action/arguments/a/b"])
def test_overlapping_patches_are_a_conflict_and_block(other):
    rules = make.ruleset(make.rule("one"), make.rule("two"))
    frame = make.frame(rules, make.check(arguments={"a": {"b": 1}}))
    replace = {"op": "replace", "value": {"b": 2}}
    results = make.round_of(
        make.says("one", "modify", patch=({**replace, "path": "/action/arguments/a"},)),
        make.says("two", "modify", patch=({**replace, "path": other},)),
    )

    decision = judge(frame, rules, (results,))

    assert decision.enforced == "block"
    assert decision.arguments is None


def test_modifications_apply_also_when_approval_wins_and_the_digest_is_of_the_change():
    rules = make.ruleset(make.rule("ask"), make.rule("cap"))
    frame = make.frame(rules, make.check(arguments={"n": 900}))
    patch = ({"op": "replace", "path": "/action/arguments/n", "value": 500},)
    first = make.round_of(
        make.says("ask", "require_approval"), make.says("cap", "modify", patch=patch)
    )
    second = make.round_of(make.says("ask", "require_approval"), RuleResult("cap"))

    decision = judge(frame, rules, (first, second))

    assert decision.enforced == "require_approval"
    assert decision.arguments == {"n": 500}
    assert decision.arguments_digest != frame.action.arguments_digest


def test_a_modification_that_is_not_enforced_changes_nothing():
    rules = make.ruleset(make.rule("cap", stage="log"))
    frame = make.frame(rules, make.check(arguments={"n": 900}))
    patch = ({"op": "replace", "path": "/action/arguments/n", "value": 500},)

    decision = judge(frame, rules, (make.round_of(make.says("cap", "modify", patch=patch)),))

    assert (decision.verdict, decision.enforced, decision.arguments) == ("modify", "allow", None)
    assert decision.arguments_digest == frame.action.arguments_digest


@pytest.mark.parametrize(
    ("status", "environment", "enforced"),
    [
        ("halted", "production", "halt"),
        ("halted", "development", "halt"),
        ("already_executed", "production", "block"),
        ("already_executed", "development", "allow"),
        ("in_doubt", "production", "block"),
        ("in_doubt", "staging", "warn"),
    ],
)
def test_an_id_that_may_not_run_again_says_why(status, environment, enforced):
    rules = make.ruleset(make.rule("r"))
    frame = make.frame(rules, environment=environment, prior=FramePrior(status, "succeeded"))

    decision = judge(frame, rules, ())

    assert decision.enforced == enforced
    assert status in decision.reasons[0].reason or status == "halted"


def _answer(frame, rules=("ask",), digest=None, expires_ns=None):
    return FrameApproval(
        id="apr_1",
        rules=list(rules),
        arguments_digest=digest or frame.action.arguments_digest,
        expires_ns=str(expires_ns or make.NOON_NS + 1),
    )


@pytest.mark.parametrize(
    ("change", "enforced"),
    [
        ({}, "allow"),
        ({"rules": ("other",)}, "require_approval"),
        ({"digest": "0" * 64}, "require_approval"),
        ({"expires_ns": make.NOON_NS}, "require_approval"),
    ],
)
def test_an_approval_answers_only_the_rules_arguments_and_time_it_names(change, enforced):
    """N5: bound to the digest of the arguments, and to an end."""
    rules = make.ruleset(make.rule("ask"))
    frame = make.frame(rules)
    frame = msgspec.structs.replace(frame, approvals=[_answer(frame, **change)])

    decision = judge(frame, rules, (make.round_of(make.says("ask", "require_approval")),))

    assert decision.enforced == enforced
    assert decision.waived == (("apr_1",) if enforced == "allow" else ())


@pytest.mark.parametrize("effect", ["block", "halt"])
def test_no_approval_lifts_a_block_or_a_halt(effect):
    rules = make.ruleset(make.rule("ask"))
    frame = make.frame(rules)
    frame = msgspec.structs.replace(frame, approvals=[_answer(frame, ("*",), "*")])

    assert judge(frame, rules, (make.round_of(make.says("ask", effect)),)).enforced == effect


effects = st.sampled_from(VERDICTS)
results = st.lists(st.tuples(st.sampled_from("abcde"), st.lists(effects, max_size=3)), max_size=5)


@given(results=results, environment=st.sampled_from([*MODES, "unknown"]))
def test_the_same_frame_and_results_give_the_same_bytes_in_any_order(results, environment):
    """R1 in the small: no order of evaluation reaches the decision."""
    rules = make.ruleset(*(make.rule(name) for name in "abcde"))
    frame = make.frame(rules, make.check(arguments={"n": 1}), environment=environment)
    said = {name: make.says(name, *(e for e in found if e != "modify")) for name, found in results}
    forward = Round(tuple(said.values()))
    backward = Round(tuple(reversed(said.values())))

    one = decisions.encode(judge(frame, rules, (forward,)))
    other = decisions.encode(judge(frame, rules, (backward,)))

    assert one == other


@given(effect=effects, stage=st.sampled_from(list(CAPPED)), mode=st.sampled_from(list(CAPPED)))
def test_capping_never_makes_anything_stricter(effect, stage, mode):
    assert SEVERITY[cap(cap(effect, stage), mode)] <= SEVERITY[effect]
    assert most_severe([cap(effect, "log")]) not in STOPPING

"""What every engine answers, rule by rule. Whatever implements the port passes this file."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import canonical
from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.engines.embedded import EmbeddedEngine, Limits
from gateway.engines.opa import Limits as OpaLimits
from gateway.engines.opa import OpaEngine
from gateway.errors import PolicyInvalid
from tests.engine.rego import NS, SAYS_BLOCK, SAYS_NOTHING, frame, ruleset, unworded

ECHO = 'verdict contains {"effect": "warn", "reason": input.action.arguments.text}'


@pytest.fixture
def engine(each):
    """Every test here that asks for an engine holds for both."""
    return each


def blocked(rule: str, reason: str = "no") -> RuleResult:
    return RuleResult(rule, (RuleVerdict("block", reason),))


async def reasons(engine, body: str, **given) -> list[str]:
    """The reasons that one rule gives, in their order."""
    frame_bytes = given.pop("frame", frame())
    (result,) = await engine.evaluate(ruleset({"a": body}, **given), ("a",), frame_bytes)
    assert result.failure is None
    return [verdict.reason for verdict in result.verdicts]


async def test_each_rule_has_its_result_in_the_order_asked(engine):
    rules = ruleset({"a": SAYS_BLOCK, "b": SAYS_NOTHING, "c": SAYS_BLOCK})

    results = await engine.evaluate(rules, ("c", "b", "a"), frame())

    assert results == (blocked("c"), RuleResult("b"), blocked("a"))


async def test_no_rules_no_results(engine):
    assert await engine.evaluate(ruleset({"a": SAYS_BLOCK}), (), frame()) == ()


async def test_every_part_of_a_verdict_arrives(engine):
    body = """
    verdict contains {
        "effect": "modify", "reason": "less", "suggestion": "ask", "fields": ["/amount"],
        "patch": [{"op": "replace", "path": "/action/arguments/amount", "value": 5}],
    }
    """

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), frame())

    patch = ({"op": "replace", "path": "/action/arguments/amount", "value": 5},)
    assert result.verdicts == (RuleVerdict("modify", "less", "ask", ("/amount",), patch),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("10", 10),
        ("10.0", 10),
        ("-0.0", 0),
        ("0.1", 0.1),
        ("1e3", 1000),
        ("1e21", 1e21),
        ("9007199254740993", 9007199254740993),
        ("0.30000000000000004", 0.30000000000000004),
        ("12345678901234567890123", 1.2345678901234568e22),
    ],
)
async def test_a_number_in_a_patch_has_one_form_in_every_engine(engine, written, said):
    """Else two gateways would make two decisions of the same frame."""
    patch = '{"op": "replace", "path": "/action/arguments/n", "value": [input.action.arguments.n]}'
    body = f'verdict contains {{"effect": "modify", "reason": "r", "patch": [{patch}]}}'
    asked = frame({"n": 77}).replace(b"77", written.encode(), 1)

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), asked)

    (value,) = result.verdicts[0].patch[0]["value"]
    assert (type(value), value) == (type(said), said)


@pytest.mark.parametrize("effect", ["allow", "warn", "modify", "require_approval", "block", "halt"])
async def test_all_six_verdicts_can_be_said(engine, effect):
    body = f'verdict contains {{"effect": "{effect}", "reason": "r"}}'

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), frame())

    assert [verdict.effect for verdict in result.verdicts] == [effect]


async def test_several_verdicts_are_sorted_by_their_canonical_bytes(engine):
    body = r"""
    verdict contains {"effect": "warn", "reason": r} if some r in ["b", "A", "é", "c", "\n"]
    verdict contains {"effect": "block", "reason": "z"}
    verdict contains {"effect": "block", "reason": "z", "fields": []}
    """

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), frame())

    encoded = [canonical.encode(verdict) for verdict in result.verdicts]
    assert encoded == sorted(encoded)
    assert [verdict.reason for verdict in result.verdicts] == ["z", "A", "\n", "b", "c", "é"]


async def test_the_clock_is_the_frames_with_all_its_digits(engine):
    """R1: nothing but the frame says what time it is, in libraries too."""
    body = """
    import data.lib.clock
    verdict contains {"effect": "warn", "reason": sprintf("%d", [time.now_ns()])}
    verdict contains {"effect": "warn", "reason": sprintf("lib %d", [clock.later])}
    """
    more = {"lib.rego": "package lib.clock\nlater := time.now_ns() + 1"}

    said = [await reasons(engine, body, more=more, frame=frame(ns=ns)) for ns in (NS, "1", NS)]

    assert said == [[NS, "lib " + NS[:-2] + "90"], ["1", "lib 2"], [NS, "lib " + NS[:-2] + "90"]]


async def test_rules_read_data_and_libraries(engine):
    body = """
    import data.lib.money
    verdict contains {"effect": "block", "reason": sprintf("over %d", [data.limits.refund])} if {
        money.more(input.action.arguments.amount, data.limits.refund)
    }
    """
    more = {
        "lib/money.rego": "package lib.money\nmore(a, b) if a > b",
        "lib/money_test.rego": "package lib.money\nmore(_, _) := true\ntest_more if more(1, 2)",
    }

    said = [
        await reasons(
            engine, body, more=more, data={"limits": {"refund": 10}}, frame=frame({"amount": n})
        )
        for n in (10, 11)
    ]

    assert said == [[], ["over 10"]]


async def test_a_rule_may_use_another_rules_package(engine):
    uses = 'verdict contains {"effect": "warn", "reason": "both"} if data.rules.b.verdict != set()'
    rules = ruleset({"a": uses, "b": SAYS_BLOCK})

    (result,) = await engine.evaluate(rules, ("a",), frame())

    assert [verdict.reason for verdict in result.verdicts] == ["both"]


async def test_nothing_passes_from_one_check_to_the_next(engine):
    body = """
    verdict contains {"effect": "block", "reason": input.action.arguments.who}
    """
    rules = ruleset({"a": body, "b": SAYS_BLOCK})

    answers = await asyncio.gather(
        *(
            engine.evaluate(rules, ("a", "b") if n % 3 else ("a",), frame({"who": f"w{n}"}))
            for n in range(60)
        )
    )

    assert [answer[0] for answer in answers] == [blocked("a", f"w{n}") for n in range(60)]


async def test_a_built_in_error_belongs_to_its_rule(engine):
    """E4: an error is a failure of that rule, never silence; the other rules count."""
    fails = 'verdict contains {"effect": "block", "reason": "x"} if to_number(input.action.tool)'
    rules = ruleset({"a": SAYS_BLOCK, "b": fails, "c": SAYS_BLOCK, "d": SAYS_NOTHING})

    results = await engine.evaluate(rules, ("a", "b", "c", "d"), frame())

    assert unworded(results) == (
        blocked("a"),
        RuleResult("b", failure="error"),
        blocked("c"),
        RuleResult("d"),
    )


@pytest.mark.parametrize(
    "condition",
    [
        'to_number("zz") > 1',
        "count(input.action.tool.x) > input.action.arguments.n + {1}",
        "not lower(input.action.arguments) == 1",
        '1 / (count("") * 1) > 0',
        'regex.match("(", input.action.tool)',
        '[x | some x in [2, "a", null]; x - 1 > 1] == []',
    ],
)
async def test_what_cannot_be_computed_is_an_error_or_says_nothing_but_never_raises(
    engine, condition
):
    """An engine that knows before is free to refuse the whole version at load: OPA checks types."""
    body = f'verdict contains {{"effect": "block", "reason": "x"}} if {condition}'
    rules = ruleset({"a": body, "b": SAYS_BLOCK})
    failed = RuleResult("a", failure="error")

    results = unworded(await engine.evaluate(rules, ("a", "b"), frame()))

    try:
        await engine.load(rules)
    except PolicyInvalid:
        assert results == (failed, RuleResult("b", failure="error"))
    else:
        assert results[0] in (RuleResult("a"), failed)
        assert results[1] == blocked("b")


async def test_a_frame_without_a_time_is_an_error_of_every_rule(engine):
    rules = ruleset({"a": SAYS_BLOCK, "b": SAYS_NOTHING})

    results = await engine.evaluate(rules, ("a", "b"), b'{"action": {"tool": "x"}}')

    assert all(result.failure for result in results)


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff", b"[1,", b'{"a": 1e}'])
async def test_a_frame_that_is_no_json_is_an_error_of_every_rule(engine, broken):
    rules = ruleset({"a": SAYS_BLOCK})

    (result,) = await engine.evaluate(rules, ("a",), broken)

    assert result.failure == "error"
    assert await engine.evaluate(rules, ("a",), frame()) == (blocked("a"),)


async def test_an_old_version_stays_answerable_and_an_unknown_one_is_loaded(engine):
    old = ruleset({"a": SAYS_BLOCK})
    new = ruleset({"a": SAYS_NOTHING})
    await engine.load(old)
    await engine.load(new)

    answers = [await engine.evaluate(rules, ("a",), frame()) for rules in (old, new, old)]

    assert answers == [(blocked("a"),), (RuleResult("a"),), (blocked("a"),)]


async def test_what_was_forgotten_for_space_is_prepared_again():
    """The OPA engine's versions are in tests/engine_opa/test_shelf.py."""
    engine = EmbeddedEngine(Limits(engines=2, policies=2))
    versions = [ruleset({"a": SAYS_BLOCK, "b": SAYS_NOTHING}, data={"v": v}) for v in range(4)]
    asked = [("a",), ("b",), ("a", "b"), ("b", "a")]
    try:
        answers = await asyncio.gather(
            *(engine.evaluate(rules, ids, frame()) for rules in versions * 2 for ids in asked)
        )
    finally:
        await engine.close()

    known = {"a": blocked("a"), "b": RuleResult("b")}
    assert answers == [tuple(known[rule] for rule in ids) for _ in versions * 2 for ids in asked]


async def test_the_engine_names_itself_and_its_capabilities():
    engine = EmbeddedEngine()
    other = EmbeddedEngine(Limits(evaluate_cpu=0.05))

    assert engine.info.name == "regorus"
    assert engine.info.version == "0.13.0"
    assert engine.info == EmbeddedEngine().info
    assert engine.info.capabilities != other.info.capabilities


@settings(max_examples=4)
@pytest.mark.parametrize("kind", ["embedded", "opa"])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=50, max_size=50))
def test_any_text_passes_through_unchanged(opa_server, kind, texts):
    async def said() -> list[list[str]]:
        engine = (
            EmbeddedEngine()
            if kind == "embedded"
            else OpaEngine(opa_server.url, OpaLimits(timeout=20))
        )
        try:
            frames = [frame({"text": text}) for text in texts]
            return await asyncio.gather(*(reasons(engine, ECHO, frame=each) for each in frames))
        finally:
            await engine.close()

    assert asyncio.run(said()) == [[text] for text in texts]

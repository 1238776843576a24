"""A ruleset on the server is whole or does not answer, whoever pushes and removes meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.domain.ruleset import Ruleset
from gateway.engines.opa import Limits, OpaEngine
from gateway.engines.opa.copies import key_of
from gateway.errors import PolicyInvalid
from tests.engine.rego import SAYS_BLOCK, SAYS_NOTHING, frame, ruleset
from tests.engine_opa.server_side import call, data_keys, keys, policies

BLOCKED = (RuleResult("a", (RuleVerdict("block", "no"),)),)
# A rule that would fall silent without its library, or without its data.
NEEDS_BOTH = """
import data.lib.texts
verdict contains {"effect": "block", "reason": "no"} if {
    texts.found
    data.limits.refund < 5
}
"""
LIBRARY = {"lib/texts.rego": "package lib.texts\nfound if input.action.tool"}


def needing() -> tuple[Ruleset, str]:
    rules = ruleset({"a": NEEDS_BOTH}, data={"limits": {"refund": 1}}, more=LIBRARY)
    return rules, key_of(rules.digest)


@pytest.fixture
async def own(own_server):
    engine = OpaEngine(own_server.url, Limits(timeout=20, rulesets=16))
    yield engine
    await engine.close()


async def test_several_gateways_may_push_the_same_ruleset_at_once(own_server):
    rules, _ = needing()
    engines = [OpaEngine(own_server.url, Limits(timeout=20)) for _ in range(4)]

    await asyncio.gather(*(engine.load(rules) for engine in engines))
    answers = await asyncio.gather(
        *(engine.evaluate(rules, ("a",), frame()) for engine in engines for _ in range(5))
    )
    for engine in engines:
        await engine.close()

    assert answers == [BLOCKED] * 20
    assert len(keys(own_server)) == 1


async def test_versions_that_contradict_each_other_never_mix(own):
    """D9: loads and checks of two versions at the same time; each answer is its own version's."""
    one, other = ruleset({"a": SAYS_BLOCK}), ruleset({"a": SAYS_NOTHING})
    more = [ruleset({"a": SAYS_BLOCK}, data={"v": v}) for v in range(6)]

    loads = asyncio.gather(*(own.load(each) for each in more))
    answers = await asyncio.gather(
        *(own.evaluate((one, other)[n % 2], ("a",), frame()) for n in range(200))
    )
    await loads

    assert answers == [BLOCKED, (RuleResult("a"),)] * 100


async def test_opa_refuses_to_lose_a_module_that_answers_need(own, own_server):
    rules, _ = needing()
    await own.load(rules)
    modules = [policy for policy in policies(own_server) if not policy.endswith("/entry")]

    statuses = [call(own_server, "DELETE", f"policies/{module}")[0] for module in modules]

    assert len(modules) == 2
    assert statuses == [400, 400]


@pytest.mark.parametrize("lost", ["data", "entry", "modules", "the library's text", "everything"])
async def test_what_somebody_took_away_is_brought_back_before_it_answers(own, own_server, lost):
    """A rule without its library or its data would say nothing, and that would be an allow."""
    rules, key = needing()
    await own.load(rules)
    module = next(
        policy["id"]
        for policy in call(own_server, "GET", "policies")[1]["result"]
        if "lib.texts" in policy["raw"].split("\n")[0]
    )
    if lost in {"data", "everything"}:
        call(own_server, "DELETE", f"data/checkrein/{key}")
    if lost in {"entry", "modules", "everything"}:
        call(own_server, "DELETE", f"policies/checkrein/{key}/entry")
    if lost in {"modules", "everything"}:
        for policy in reversed(policies(own_server)):
            call(own_server, "DELETE", f"policies/{policy}")
    if lost == "the library's text":
        call(own_server, "DELETE", f"policies/checkrein/{key}/entry")
        call(own_server, "PUT", f"policies/{module}", b"package elsewhere\nx := 1")

    answer = await own.evaluate(rules, ("a",), frame())

    assert answer == BLOCKED


async def test_modules_that_need_each_other_s_functions_are_pushed(own):
    more = {
        "lib/a.rego": "package lib.a\nf(x) if data.lib.b.g(x)\nh(x) if x",
        "lib/b.rego": "package lib.b\ng(x) if x",
        "lib/b2.rego": "package lib.b\nk(x) if data.lib.a.h(x)",
    }
    body = (
        f"{SAYS_NOTHING}\n"
        + SAYS_BLOCK.replace("input.action.tool", "data.lib.a.f(1); data.lib.b.k(1)").replace(
            "if data", "if { data"
        )
        + " }"
    )
    rules = ruleset({"a": body}, more=more)

    assert await own.evaluate(rules, ("a",), frame()) == BLOCKED


async def test_a_refused_ruleset_leaves_nothing_behind(own, own_server):
    """What reaches outside is refused before anything is pushed, what OPA refuses is taken away."""
    outside = ruleset({"a": f'{SAYS_BLOCK}\np if http.send({{"url": "http://127.0.0.1:1/"}})'})
    badly_typed = ruleset({"a": f"{SAYS_BLOCK}\np if count(1) > 0", "b": SAYS_BLOCK})

    for rules, complaint in ((outside, "http.send"), (badly_typed, "rules/a.rego:3: ")):
        with pytest.raises(PolicyInvalid, match=complaint):
            await own.load(rules)
        results = await own.evaluate(rules, ("a",), frame())
        assert [result.failure for result in results] == ["error"]

    assert policies(own_server) == []
    assert data_keys(own_server) == set()


async def test_data_of_any_shape_is_seen_as_it_is(own):
    data = {"a-b": [1, 2.5, None], "ключ": {"": "é👍<"}, "input": True, "big": 2**53}
    body = """
    verdict contains {"effect": "warn", "reason": json.marshal([data["a-b"], data.input, data.big])}
    verdict contains {"effect": "warn", "reason": data["ключ"][""]}
    """

    (result,) = await own.evaluate(ruleset({"a": body}, data=data), ("a",), frame())

    assert {verdict.reason for verdict in result.verdicts} == {
        "[[1,2.5,null],true,9007199254740992]",
        "é👍<",
    }

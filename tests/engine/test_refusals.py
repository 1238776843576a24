"""What `load` refuses, with the file and the line, and that a refusal disturbs nobody (S8)."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.rule_results import RuleResult
from gateway.engines.embedded import EmbeddedEngine, Limits
from gateway.errors import EngineUnavailable, PolicyInvalid
from tests.engine.rego import SAYS_BLOCK, SAYS_NOTHING, frame, ruleset, unworded

# Body of a rule (its first line is line 2), and what the finding says.
REFUSED = {
    "no Rego": ("verdict contains {", "rules/a.rego:3: expecting expression"),
    "older Rego": ("verdict[x] { x := 1 }", "`if` keyword is required"),
    "recursion of a function": (
        f"{SAYS_BLOCK}\nf(x) := f(x)",
        "rules/a.rego:3: a rule may not need itself: rules.a.f -> rules.a.f",
    ),
    "recursion through others": (
        f"{SAYS_BLOCK}\np if q\nq if not r\nr if {{ some x in [1]; p; x }}",
        "rules.a.p -> rules.a.q -> rules.a.r -> rules.a.p",
    ),
    "recursion through the package": (f"{SAYS_BLOCK}\np if data.rules.a.q\nq if data.rules.a", "p"),
    "recursion through a variable": (f"{SAYS_BLOCK}\np if data.rules[_].verdict", "itself"),
    "recursion through all data": (f"{SAYS_BLOCK}\np if count(data) > 0", "itself"),
    "http.send": (
        f'{SAYS_BLOCK}\np if http.send({{"url": "x"}})',
        "rules/a.rego:3: http.send reaches outside the frame",
    ),
    "a look-up": (f'{SAYS_BLOCK}\np if net.lookup_ip_addr("x")', "rules/a.rego:3: "),
    "the runtime": (f"{SAYS_BLOCK}\np if opa.runtime()", "reaches outside"),
    "chance": (f'{SAYS_BLOCK}\np if rand.intn("x", 2) == 1', "answers differently each time"),
    "identifiers": (f'{SAYS_BLOCK}\np if uuid.rfc4122("x")', "answers differently each time"),
    "trace": (f'{SAYS_BLOCK}\np if trace("x")', "log"),
    "tokens": (f'{SAYS_BLOCK}\np if io.jwt.decode("x")', "io.jwt.decode is not available"),
    "hashes": (f'{SAYS_BLOCK}\np if crypto.sha256("x")', "crypto.sha256 is not available"),
    "an unknown function": (f"{SAYS_BLOCK}\np if no_such(1)", "there is no function no_such"),
    "no verdict": ("verdicts contains 1", "defines no `verdict`"),
    "a verdict that is no set": ('verdict := {"effect": "block"}', "`verdict` is a set"),
    "an unsafe variable": (f"{SAYS_BLOCK}\np if nobody == 1", "nobody"),
    "a module too large": (f"{SAYS_BLOCK}\n#{'x' * 300_000}", "at most 256 KiB"),
    "deep parentheses": (f"{SAYS_BLOCK}\np := {'(' * 50_000}1{')' * 50_000}", "rules/a.rego:"),
    "brackets that hold up the parser": (
        f"{SAYS_BLOCK}\np := {'[' * 500}1{']' * 500}",
        "the parser took too long over this module",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_policy_is_refused_with_its_file_and_the_reason(each, name):
    body, finding = REFUSED[name]

    with pytest.raises(PolicyInvalid) as refusal:
        await each.load(ruleset({"a": body, "b": SAYS_BLOCK}))

    assert any(finding in line for line in refusal.value.findings), refusal.value.findings
    assert any(line.startswith("rules/a.rego:") for line in refusal.value.findings)


@pytest.mark.parametrize("package", ["checkrein.entry", "checkrein", "system.log"])
async def test_reserved_packages_are_refused(each, package):
    more = {"lib/x.rego": f"package {package}\nall := 1"}

    with pytest.raises(PolicyInvalid, match="belong to the engine"):
        await each.load(ruleset({"a": SAYS_BLOCK}, more=more))


@pytest.mark.parametrize("data", [{"rules": {"a": {"limit": 1}}}, {"rules": 5}])
async def test_data_in_the_place_of_a_package_is_refused(each, data):
    with pytest.raises(PolicyInvalid, match="same name"):
        await each.load(ruleset({"a": SAYS_BLOCK}, data=data))


async def test_modules_that_conflict_are_refused(each):
    more = {"lib/x.rego": "package lib.x\ny := 1", "lib/y.rego": "package lib.x\ny contains 2"}

    with pytest.raises(PolicyInvalid, match=r"lib/y.rego:2: lib.x.y is a set, and elsewhere"):
        await each.load(ruleset({"a": SAYS_BLOCK}, more=more))


async def test_a_policy_that_compiles_too_slowly_is_refused_and_harms_nobody(engine):
    """The compiler runs where it serves nobody; what it does there is no anomaly of the pool."""
    good = ruleset({"a": SAYS_BLOCK})
    hurried = EmbeddedEngine(Limits(prepare_cpu=0.001))
    rules = "\n".join(f"p_{n} if p_{n + 1}" for n in range(12_000)) + "\np_12000 := true"
    await engine.load(good)
    try:
        with pytest.raises(PolicyInvalid, match="compiler took too long"):
            await hurried.load(ruleset({"a": f"{SAYS_BLOCK}\n{rules}"}))
    finally:
        await hurried.close()

    assert engine.replaced == 0


async def test_refused_loads_leave_checks_undisturbed(engine):
    good = ruleset({"a": SAYS_BLOCK})
    await engine.load(good)
    pids = engine.pids

    bad = [ruleset({"a": body}) for body, _ in list(REFUSED.values())[:6]]
    loads = asyncio.gather(*(engine.load(each) for each in bad), return_exceptions=True)
    answers = [await engine.evaluate(good, ("a",), frame()) for _ in range(100)]

    assert [type(outcome) for outcome in await loads] == [PolicyInvalid] * 6
    assert all(answer[0].failure is None for answer in answers)
    assert engine.pids[: len(pids)] == pids


async def test_a_refused_version_that_is_judged_all_the_same_fails_its_rules(each):
    """E4: never an allow, never an exception."""
    bad = ruleset({"a": "verdict contains {", "b": SAYS_BLOCK})

    assert unworded(await each.evaluate(bad, ("a", "b"), frame())) == (
        RuleResult("a", failure="error"),
        RuleResult("b", failure="error"),
    )


async def test_without_memory_no_evaluator_can_start():
    engine = EmbeddedEngine(Limits(memory_bytes=1 << 20))
    rules = ruleset({"a": SAYS_BLOCK})
    try:
        with pytest.raises(EngineUnavailable):
            await engine.load(rules)

        assert await engine.evaluate(rules, ("a",), frame()) == (
            RuleResult("a", failure="unavailable"),
        )
    finally:
        await engine.close()


async def test_the_same_policy_asked_for_at_once_is_loaded_once(engine):
    rules = ruleset({"a": SAYS_NOTHING})

    answers = await asyncio.gather(*(engine.evaluate(rules, ("a",), frame()) for _ in range(10)))

    assert answers == [(RuleResult("a"),)] * 10
    assert len(engine._plans) == 1

"""The policies that ship: each rule has its tests, all hold, and none can be made to fail."""

from __future__ import annotations

import random

import pytest

from gateway.domain import frame as frames
from gateway.domain.frame import FrameContext
from gateway.domain.verdicts import VERDICTS
from gateway.policies import golden, load, testing
from gateway.policies.check import LOOKED_AT
from tests import make
from tests.policies.folders import SHIPPED

RULES = {
    path.relative_to(SHIPPED).as_posix(): path.read_text()
    for path in sorted((SHIPPED / "packs").rglob("*.rego"))
    if "custom:" in path.read_text()
}
EXPECTED = {
    "budgets.run_budget",
    "destructive.shell",
    "destructive.sql",
    "intent.mismatch",
    "intent.mismatch_elsewhere",
    "loops.calls_in_run",
    "loops.denials_in_a_row",
    "loops.identical_calls",
    "loops.near_identical_calls",
    "payments.amount_limit",
    "payments.plan_mismatch",
    "recipients.outside",
    "recipients.strip_bcc",
    "recipients.untrusted_source",
    "secrets.in_arguments",
}
SIMULATIONS = {
    "stripe_boolean",
    "runaway_loop",
    "injected_page",
    "run_budget",
    "destructive_command",
    "data_exfiltration",
}


@pytest.fixture(scope="session")
def ruleset(shipped):
    return load.load(shipped.files)


async def test_everything_holds(shipped, ruleset, engine):
    report = await testing.run(shipped.files, ruleset, engine)

    failed = [outcome for outcome in (*report.rego, *report.cases) if not outcome.passed]
    assert failed == []
    assert report.findings == ()
    assert len(report.rego) >= 100
    assert len(report.cases) >= 60


def test_the_rules_are_those_that_the_readme_names(ruleset):
    assert {rule.id for rule in ruleset.rules} == EXPECTED
    readme = (SHIPPED / "README.md").read_text()
    assert [rule for rule in sorted(EXPECTED) if f"`{rule}`" not in readme] == []


@pytest.mark.parametrize("path", RULES)
def test_each_rule_has_rego_tests_and_golden_cases_that_name_it(path, shipped):
    rule_id = path.removeprefix("packs/").removesuffix(".rego").replace("/", ".")
    pack, _, name = rule_id.partition(".")

    cases, _ = golden.read({p: t for p, t in shipped.files.items() if p.startswith("packs/")})
    own = [c for c in cases if c.place.startswith(f"packs/{pack}/cases/{name}.yaml:")]
    tests = shipped.files[f"packs/{pack}/{name}_test.rego"].count("\ntest_")

    assert tests >= 2
    assert any(rule_id in _rules_of(located.case) for located in own)


def test_each_simulation_has_its_golden_cases(shipped):
    assert {f"cases/{name}.yaml" for name in SIMULATIONS} <= shipped.files.keys()


def test_all_six_verdicts_occur(shipped):
    cases, _ = golden.read(shipped.files)

    assert {located.case.expect.verdict for located in cases} == set(VERDICTS)
    assert {located.case.expect.enforced for located in cases} >= set(VERDICTS)


@pytest.mark.parametrize("path", RULES)
async def test_a_rule_that_falls_silent_fails_a_golden_case(path, shipped, engine):
    """What the cases would let through if somebody broke the rule."""
    silent = RULES[path].replace("verdict contains", "unheard contains")
    silent += "\nverdict contains {} if false\n"
    files = shipped.files | {path: silent}

    broken = load.load(files)
    await engine.load(broken)
    outcomes, _ = await testing.run_cases(files, broken, engine)

    assert [outcome.name for outcome in outcomes if not outcome.passed]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("packs/payments/plan_mismatch.rego", "	not same(key, wanted)", "	same(key, wanted)"),
        ("packs/payments/amount_limit.rego", "value > limit", "value >= limit"),
        ("packs/budgets/run_budget.rego", "> budget.at_most", ">= budget.at_most"),
        ("packs/loops/calls_in_run.rego", "input.state.calls + 1", "input.state.calls"),
        ("packs/loops/identical_calls.rego", "identical >= limit", "identical > limit"),
        ("packs/loops/near_identical_calls.rego", "alike >= limits.halt", "alike > limits.halt"),
        ("packs/recipients/untrusted_source.rego", "	not item.trusted", "	item.trusted"),
        ("packs/lib/addresses.rego", '[".", own]', '["", own]'),
        ("packs/lib/sql.rego", "`--[^\\n]*`,", ""),
        ("packs/lib/shell.rego", "`['\"\\\\]`", "`[%]`"),
        ("packs/lib/secrets.rego", "`\\[api_key:`,", ""),
    ],
)
async def test_a_small_slip_in_a_rule_fails_a_test(path, old, new, shipped, engine):
    assert old in shipped.files[path]
    files = shipped.files | {path: shipped.files[path].replace(old, new)}

    report = await testing.run(files, load.load(files), engine)

    assert not report.passed


def test_rules_that_watch_every_call_lift_no_default(ruleset):
    """A tool without a rule of its own falls to the environment, whatever the caller claims."""
    assert [rule.id for rule in ruleset.rules if rule.governs("site.deploy", "deploy")] == []


@pytest.mark.parametrize(
    "tool", ["stripe.create_charge", "bank.transfer", "ads.buy", "db.execute", "shell.run"]
)
def test_tools_that_ship_with_a_rule_do_not_fall_to_the_default(tool, ruleset):
    declared = ruleset.tool(tool).side_effects

    assert declared
    assert all(any(rule.governs(tool, kind) for rule in ruleset.rules) for kind in declared)


def test_each_library_says_that_it_is_one_and_each_warning_was_looked_at(shipped, ruleset):
    for path, text in shipped.files.items():
        if path.startswith("packs/lib/") and not path.endswith("_test.rego"):
            assert text.startswith("# "), path
        for number, line in enumerate(text.split("\n")):
            if "lower(" in line and path.endswith(".rego"):
                above = "\n".join(text.split("\n")[max(0, number - 1) : number])
                assert LOOKED_AT in above, f"{path}:{number + 1}"


STRANGE: list[object] = [
    None,
    True,
    False,
    0,
    -1,
    2**53 - 1,
    1.5,
    1e300,
    "",
    " ",
    "\x00",
    "\n",
    "é👍",
    "\u202eacct",
    "'",
    '"',
    "((((",
    "/*",
    "[email:zz@",
    "a@b",
    "$(",
    "DELETE FROM x",
    "%s %d %v",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a/b~c": {"d": [1, "e", None]}},
]
TOOLS = {
    "stripe.charge": ["customer", "amount", "currency", "is_refund"],
    "bank.transfer": ["to_account", "amount", "currency"],
    "ads.buy": ["campaign", "amount", "currency"],
    "db.execute": ["sql", "params"],
    "shell.run": ["command", "args"],
    "email.send": ["to", "cc", "bcc", "subject", "body"],
    "web.fetch": ["url"],
    "whatever": ["a", "b"],
}


def strange(chance: random.Random) -> object:
    if chance.random() < 0.2:
        return [strange(chance) for _ in range(chance.randrange(3))]
    if chance.random() < 0.1:
        return {chance.choice(["email", "address", "x"]): strange(chance)}
    return chance.choice(STRANGE)


@pytest.mark.parametrize("seed", range(6))
async def test_no_call_can_make_a_rule_fail(seed, ruleset, engine):
    """Whatever an agent sends, each rule gives an answer: an error would only be a fail mode."""
    await engine.load(ruleset)
    chance = random.Random(seed)
    failures = []
    for _ in range(60):
        tool = chance.choice(list(TOOLS))
        arguments = {name: strange(chance) for name in TOOLS[tool] if chance.random() < 0.9}
        plan = {name: strange(chance) for name in TOOLS[tool] if chance.random() < 0.5}
        request = chance.choice([None, {}, {"user": "pay"}, {"plan": {"arguments": plan}}])
        effects = chance.choice([[], ["payment"], ["message", "network"], ["read"]])
        texts = [text for text in STRANGE if isinstance(text, str)]
        context = [
            FrameContext(None, None, chance.random() < 0.5, chance.choice(texts)) for _ in range(2)
        ]
        checked = make.check(tool, arguments, action={"side_effects": effects}, request=request)
        frame = make.frame(ruleset, checked, context=context)
        rules = tuple(rule.id for rule in ruleset.rules)
        answers = await engine.evaluate(ruleset, rules, frames.encode(frame))
        failures += [
            (answer.rule, answer.failure, tool, arguments, plan)
            for answer in answers
            if answer.failure is not None
        ]

    assert failures == []


def _rules_of(case: golden.GoldenCase) -> set[str]:
    reasons = case.expect.reasons or ()
    return {reason if isinstance(reason, str) else reason.rule for reason in reasons}

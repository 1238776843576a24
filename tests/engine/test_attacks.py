"""Rules that attack the evaluator, let past every check at load: the gateway stays up (S8)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.domain.ruleset import Ruleset
from gateway.engines.embedded import EmbeddedEngine, Limits, plans
from gateway.engines.embedded.limits import MIB
from gateway.policies.analysis import analyse
from tests.engine.conftest import both_ready
from tests.engine.rego import SAYS_BLOCK, frame, ruleset

NO = RuleVerdict("block", "no")
DEEP: dict[str, object] = {}
for _ in range(60):
    DEEP = {"a": DEEP, "b": [1, 2, 3]}

# Rules that regorus must not survive within its limits, or must answer within them.
ATTACKS = {
    "a huge range": "count(numbers.range(1, 1000000000)) > 0",
    "a cross product": """
        xs := numbers.range(1, 400)
        count([1 | some a in xs; some b in xs; some c in xs; a + b + c == 0]) == 0
    """,
    "a walk over a walk": """
        pairs := [1 | walk(input, [p, _]); walk(input, [q, _]); walk(input, [r, _]); p == q; q == r]
        count(pairs) > 0
    """,
    "ten million characters": """
        ten := concat("", ["0123456789" | some _ in numbers.range(1, 1000)])
        all := concat("", [sprintf("%s%d", [ten, n]) | some n in numbers.range(1, 1000)])
        contains(replace(all, "0", "00000000000000"), "x")
    """,
    "a bomb of memory": """
        x := [numbers.range(1, 100000) | some _ in numbers.range(1, 10000)]
        count(x) > 0
    """,
    "addresses without end": 'count(net.cidr_expand("10.0.0.0/6")) > 0',
    "yaml that refers to itself": r"""
        ten := concat(",", ["*aN" | some _ in numbers.range(1, 10)])
        lines := [line |
            some n in numbers.range(2, 9)
            items := replace(ten, "N", sprintf("%d", [n - 1]))
            line := sprintf("a%d: &a%d [%s]", [n, n, items])
        ]
        text := concat("\n", array.concat(["a1: &a1 [1,2,3]"], lines))
        count(json.marshal(yaml.unmarshal(text))) > 0
    """,
    "recursion": "endless(1) == 1",
    "recursion through a package": "data.rules.guilty.mirror[_]",
}
HELPERS = """
endless(x) := endless(x + 1)
mirror contains data.rules.guilty[name] if some name in ["mirror"]
"""


async def unexamined(engine: EmbeddedEngine, rules: Ruleset) -> Ruleset:
    """Load past the checks: only the limits of the process protect the gateway now."""
    engine._plans[rules.digest] = plans.plan(next(engine._numbers), rules, analyse(rules.modules))
    await engine._pool.start()
    return rules


def attack(condition: str) -> str:
    return f'verdict contains {{"effect": "allow", "reason": "ha"}} if {{\n{condition}\n}}\n'


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_costs_its_own_rule_and_nobody_else(engine, name):
    """S8: other checks in flight, the other rules of the same check, and the next check."""
    bodies = {"first": SAYS_BLOCK, "guilty": attack(ATTACKS[name]) + HELPERS, "last": SAYS_BLOCK}
    rules = await unexamined(engine, ruleset(bodies))
    innocent = ruleset({"a": SAYS_BLOCK, "b": SAYS_BLOCK})
    await engine.load(innocent)
    expected = (RuleResult("a", (NO,)), RuleResult("b", (NO,)))

    attacked, *others = await asyncio.gather(
        engine.evaluate(rules, ("first", "guilty", "last"), frame(DEEP)),
        *(engine.evaluate(innocent, ("a", "b"), frame()) for _ in range(20)),
    )

    first, guilty, last = attacked
    assert (first, last) == (RuleResult("first", (NO,)), RuleResult("last", (NO,)))
    assert guilty.failure in {"timeout", "crash", "error"}
    assert guilty.verdicts == ()
    assert others == [expected] * 20
    assert await engine.evaluate(innocent, ("a", "b"), frame()) == expected


async def test_a_regex_over_a_megabyte_ends_in_time_or_fails(engine):
    """S8: patterns that make other engines backtrack for ever."""
    patterns = ["^(a+)+$", "^(a|aa)+$", "(.*a){12}b", "^(([a-z])+.)+[A-Z]([a-z])+$"]
    body = "".join(
        attack(f"regex.match(`{pattern}`, concat(``, [input.action.arguments.text, `!`]))")
        for pattern in patterns
    )
    rules = await unexamined(engine, ruleset({"guilty": body, "a": SAYS_BLOCK}))

    guilty, other = await engine.evaluate(rules, ("guilty", "a"), frame({"text": "a" * 1_000_000}))

    assert guilty.verdicts == ()
    assert guilty.failure in {None, "timeout", "error"}
    assert other == RuleResult("a", (NO,))


async def test_many_attacks_at_once_leave_the_innocent_their_answers(engine):
    bodies = {"guilty": attack(ATTACKS["a cross product"]), "a": SAYS_BLOCK}
    rules = await unexamined(engine, ruleset(bodies))

    answers = await asyncio.gather(
        *(engine.evaluate(rules, ("a",) if n % 4 else ("guilty",), frame()) for n in range(24))
    )

    failures = [answer[0].failure for answer in answers]
    assert failures == [None if n % 4 else "timeout" for n in range(24)]


async def test_every_rule_of_a_check_that_only_attacks_fails(engine):
    """E4: a check whose rules all hang is answered, and each of its rules has failed."""
    hang = attack(ATTACKS["a cross product"])
    rules = await unexamined(engine, ruleset({f"r{n}": hang for n in range(9)}))

    results = await engine.evaluate(rules, tuple(f"r{n}" for n in range(9)), frame())

    assert [result.failure for result in results] == ["timeout"] * 9


async def test_http_send_reaches_nobody(engine):
    """S8: a listener on loopback sees no connection, though nothing refused the rule at load."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        condition = f'http.send({{"method": "GET", "url": "{address}"}}).status_code == 200'
        rules = await unexamined(engine, ruleset({"guilty": attack(condition)}))

        (result,) = await engine.evaluate(rules, ("guilty",), frame())
        with contextlib.suppress(TimeoutError):
            seen.append(await asyncio.to_thread(listener.accept))

    assert seen == []
    assert result.verdicts == ()


async def test_the_evaluator_cannot_open_files_or_connections(engine):
    await engine.load(ruleset({"a": SAYS_BLOCK}))

    for pid in engine.pids:
        limits = Path(f"/proc/{pid}/limits").read_text()
        (files,) = [line.split()[3] for line in limits.splitlines() if "open files" in line]
        # What it holds it keeps; there is no number left for another.
        assert int(files) == 0
        assert "Max core file size        0 " in limits
        (space,) = [line.split()[3] for line in limits.splitlines() if "address space" in line]
        assert int(space) == Limits().memory_bytes
        assert b"CHECKREIN" not in Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_flood_of_frames_is_bounded():
    """D5: beyond the bytes that may wait, rules are `unavailable`; what waits is answered."""
    engine = EmbeddedEngine(Limits(waiting_bytes=20_000))
    rules = ruleset({"a": SAYS_BLOCK})
    try:
        await engine.load(rules)
        large = frame({"text": "x" * 3000})
        answers = await asyncio.gather(*(engine.evaluate(rules, ("a",), large) for _ in range(40)))
    finally:
        await engine.close()

    failures = [answer[0].failure for answer in answers]
    assert failures[:5] == [None] * 5
    assert failures[-5:] == ["unavailable"] * 5


async def test_an_evaluator_that_is_too_large_is_replaced_unnoticed():
    """D5: memory that native code keeps is given back by starting afresh."""
    # So low that what preparing rules adds to it (twice what they need) does not suffice.
    engine = EmbeddedEngine(Limits(resident_bytes=-64 * MIB))
    rules = ruleset({"a": SAYS_BLOCK})
    try:
        await engine.load(rules)
        await both_ready(engine)
        answers = [await engine.evaluate(rules, ("a",), frame()) for _ in range(40)]
        replaced = engine.replaced
    finally:
        await engine.close()

    assert answers == [(RuleResult("a", (NO,)),)] * 40
    assert replaced >= 1

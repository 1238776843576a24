"""D4: whatever becomes of the server, a check is answered, and nothing is let through."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.engines.opa import Limits, OpaEngine
from gateway.errors import EngineUnavailable
from tests.engine.rego import SAYS_BLOCK, SAYS_NOTHING, frame, ruleset
from tests.engine_opa.proxy import proxy_to, reply

RULES = ruleset({"a": SAYS_BLOCK, "b": SAYS_NOTHING})
ANSWER = (RuleResult("a", (RuleVerdict("block", "no"),)), RuleResult("b"))
AWAY = {"timeout", "unavailable"}
# Not how fast it is, only that it ends.
GUARD = 20.0


@pytest.fixture
async def proxied(opa_server):
    """An engine that has loaded RULES through a proxy, and the proxy."""
    async with proxy_to(opa_server.port) as proxy:
        engine = OpaEngine(proxy.url, Limits(timeout=0.3))
        await engine.load(RULES)
        yield engine, proxy
        await engine.close()


async def ask(engine: OpaEngine, rules: tuple[str, ...] = ("a", "b")) -> tuple[RuleResult, ...]:
    async with asyncio.timeout(GUARD):
        return await engine.evaluate(RULES, rules, frame())


async def until_answered(engine: OpaEngine) -> list[RuleResult]:
    """Ask until the right answer comes; what was said until then."""
    meanwhile: list[RuleResult] = []
    async with asyncio.timeout(GUARD):
        while (results := await ask(engine)) != ANSWER:
            meanwhile += results
            await asyncio.sleep(0.02)
    return meanwhile


@pytest.mark.parametrize("rules", [("a",), ("a", "b")])
@pytest.mark.parametrize("mode", ["hole", "drip", "cut"])
async def test_a_server_that_does_not_answer_costs_the_deadline_and_lets_nothing_through(
    proxied, mode, rules
):
    engine, proxy = proxied
    proxy.mode = mode

    results = await ask(engine, rules)

    assert {result.failure for result in results} <= AWAY
    proxy.mode = "pass"
    assert {result.failure for result in await until_answered(engine)} <= AWAY


async def test_a_refused_connection_is_unavailable(proxied):
    engine, proxy = proxied
    await proxy.close()

    results = await ask(engine)

    assert [result.failure for result in results] == ["unavailable"] * 2
    await proxy.open()
    await until_answered(engine)


WRONG = {
    "nothing known": reply("{}"),
    "null": reply('{"result": null}'),
    "another shape": reply('{"result": {}}'),
    "an empty list": reply('{"result": []}'),
    "somebody else's ruleset": reply('{"result": {"mark": "x", "answers": [[[], []]]}}'),
    "no text": reply(""),
    "a word": reply("true"),
    "half of a document": reply('{"result": {"mark": "'),
    "no UTF-8": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe",
    "a page": reply("<html>sign in</html>"),
    "nested without end": reply('{"result": ' + "[" * 100_000),
    "not found": reply("{}", "404 Not Found"),
    "not allowed": reply('{"code": "unauthorized"}', "401 Unauthorized"),
    "too many": reply("{}", "429 Too Many Requests"),
    "broken inside": reply('{"code": "internal_error"}', "500 Internal Server Error"),
    "broken outside": reply("upstream", "502 Bad Gateway"),
    "somewhere else": reply("", "307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n"),
    "no HTTP": b"\x00\x01\x02\x03 SSH-2.0-OpenSSH\r\n\r\n",
    "a lie about its length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
    "compressed": reply("{}", more="Content-Encoding: gzip\r\n"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_answer_of_opa_is_a_failure_of_every_rule(proxied, name):
    """A reply without a result is not an answer without verdicts."""
    engine, proxy = proxied
    proxy.mode, proxy.words = "say", WRONG[name]

    results = await ask(engine)

    assert {result.failure for result in results} <= {*AWAY, "malformed"}
    proxy.mode = "pass"
    await until_answered(engine)


async def test_a_reply_without_end_is_cut_off(opa_server):
    """D5: it is not read until the deadline, but until it is too large."""
    async with proxy_to(opa_server.port) as proxy:
        engine = OpaEngine(proxy.url, Limits(timeout=15))
        await engine.load(RULES)
        proxy.mode = "endless"

        results = await ask(engine)
        await engine.close()

    assert [result.failure for result in results] == ["malformed"] * 2


async def test_a_dead_server_is_not_asked_again_and_again(proxied):
    """D4: checks no longer wait; a probe now and then finds out when it is back."""
    engine, proxy = proxied
    proxy.mode = "hole"
    async with asyncio.timeout(GUARD):
        while not engine.breaker_open:
            await ask(engine)
            await asyncio.sleep(0.02)
    asked = proxy.requests

    results = [await ask(engine) for _ in range(300)]

    assert {result.failure for each in results for result in each} == {"unavailable"}
    assert proxy.requests - asked < 20
    proxy.mode = "pass"
    await until_answered(engine)


async def test_slow_rules_are_their_own_failure_and_take_the_engine_from_nobody(opa):
    """An attacker who makes one rule slow must not switch off the others."""
    slow = """
        verdict contains {"effect": "allow", "reason": "ha"} if {
            xs := numbers.range(1, 3000)
            count([1 | some a in xs; some b in xs; some c in xs; a + b + c == 0]) == 0
        }
    """
    rules = ruleset({"a": SAYS_BLOCK, "slow": slow, "z": SAYS_NOTHING})
    await opa.load(rules)
    engine = OpaEngine(opa.url, Limits(timeout=2.0))
    await engine.load(rules)

    async with asyncio.timeout(GUARD):
        results = [await engine.evaluate(rules, ("a", "slow", "z"), frame()) for _ in range(2)]
        others = await engine.evaluate(rules, ("a", "z"), frame())
    opened = engine.breaker_open
    await engine.close()

    assert results == [(ANSWER[0], RuleResult("slow", failure="timeout"), RuleResult("z"))] * 2
    assert others == (ANSWER[0], RuleResult("z"))
    assert not opened


async def test_a_server_that_was_started_again_empty_gets_its_rules_back(own_server):
    engine = OpaEngine(own_server.url, Limits(timeout=2.0))
    await engine.load(RULES)
    assert await ask(engine) == ANSWER

    own_server.stop()
    stopped = [await ask(engine) for _ in range(5)]
    own_server.start()
    meanwhile = await until_answered(engine)
    await engine.close()

    assert {result.failure for each in stopped for result in each} == {"unavailable"}
    assert {result.failure for result in meanwhile} <= AWAY


async def test_a_load_without_a_server_is_refused_and_succeeds_later(own_server):
    engine = OpaEngine(own_server.url, Limits(timeout=0.3))
    own_server.stop()
    with pytest.raises(EngineUnavailable):
        await engine.load(RULES)
    results = await ask(engine)

    own_server.start()
    await engine.load(RULES)
    await until_answered(engine)
    await engine.close()

    assert [result.failure for result in results] == ["unavailable"] * 2


async def test_a_flood_of_frames_is_bounded(opa_server):
    """D5: beyond the bytes that may wait, rules are `unavailable`; what waits is answered."""
    engine = OpaEngine(opa_server.url, Limits(timeout=20, waiting_bytes=20_000))
    await engine.load(RULES)
    large = frame({"text": "x" * 3000})

    async with asyncio.timeout(GUARD):
        results = await asyncio.gather(*(engine.evaluate(RULES, ("a",), large) for _ in range(40)))
    await engine.close()

    failures = [result.failure for (result,) in results]
    assert failures[:5] == [None] * 5
    assert failures[-5:] == ["unavailable"] * 5


async def test_only_so_many_checks_are_opa_s_to_work_on(opa_server):
    """What waits, waits in the gateway, where it costs OPA nothing to give it up."""
    async with proxy_to(opa_server.port) as proxy:
        engine = OpaEngine(proxy.url, Limits(timeout=20, concurrent=3))
        await engine.load(RULES)
        while engine.at_work:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)
        proxy.most_at_once = 0

        results = await asyncio.gather(*(ask(engine) for _ in range(60)))
        await engine.close()

    assert results == [ANSWER] * 60
    assert proxy.most_at_once == 3


async def test_checks_in_flight_are_answered_when_the_engine_is_closed(proxied):
    engine, proxy = proxied
    proxy.mode = "hole"

    checks = [asyncio.ensure_future(ask(engine)) for _ in range(40)]
    await asyncio.sleep(0.05)
    await engine.close()
    results = await asyncio.gather(*checks)
    running = [repr(task.get_coro()) for task in asyncio.all_tasks()]

    assert {result.failure for each in results for result in each} <= AWAY
    assert [name for name in running if "Breaker" in name or "Library" in name] == []


async def test_a_closed_engine_is_unavailable(opa_server):
    engine = OpaEngine(opa_server.url)
    await engine.close()

    assert [result.failure for result in await ask(engine)] == ["unavailable"] * 2

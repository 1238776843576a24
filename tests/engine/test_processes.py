"""Evaluators that are killed, stopped, orphaned: each check is answered, nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest
import uvloop

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.engines.embedded import EmbeddedEngine, Limits
from tests.engine.conftest import both_ready, children
from tests.engine.rego import SAYS_BLOCK, SAYS_NOTHING, frame, ruleset

RULES = ruleset({"a": SAYS_BLOCK, "b": SAYS_NOTHING})
ANSWER = (RuleResult("a", (RuleVerdict("block", "no"),)), RuleResult("b"))
ROOT = Path(__file__).parents[2]


async def gone(pid: int) -> bool:
    """Whether a process ends within some seconds; a zombie of another parent has ended."""
    for _ in range(500):
        try:
            status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if status == "Z":
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.mark.parametrize("rules", [("a",), ("a", "b")])
async def test_checks_in_flight_survive_the_death_of_the_evaluator(engine, rules):
    """D4, S8: whoever kills it, the innocent get their answers from the spare."""
    await engine.evaluate(RULES, rules, frame())
    serving, spare = await both_ready(engine)

    checks = [asyncio.ensure_future(engine.evaluate(RULES, rules, frame())) for _ in range(64)]
    await asyncio.sleep(0)
    os.kill(serving, signal.SIGKILL)

    assert await asyncio.gather(*checks) == [ANSWER[: len(rules)]] * 64
    assert engine.pids[0] == spare
    assert engine.replaced == 1


# The gateway runs on uvloop, its commands on asyncio's own loop; they treat children differently.
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_every_check_is_answered_however_often_evaluators_are_killed(run):
    """D4: 16 callers without a pause, and a killer of either process at random."""
    rng = random.Random(1)
    answers: list[tuple[RuleResult, ...]] = []

    async def caller(engine: EmbeddedEngine, stop: asyncio.Event) -> None:
        while not stop.is_set():
            answers.append(await engine.evaluate(RULES, ("a", "b"), frame()))
            await asyncio.sleep(0)

    async def killer(engine: EmbeddedEngine, stop: asyncio.Event) -> None:
        for _ in range(25):
            await asyncio.sleep(rng.uniform(0, 0.1))
            if pids := engine.pids:
                os.kill(rng.choice(pids), signal.SIGKILL)
        stop.set()

    async def scenario() -> tuple[RuleResult, ...]:
        engine, stop = EmbeddedEngine(), asyncio.Event()
        await engine.load(RULES)
        await asyncio.gather(killer(engine, stop), *(caller(engine, stop) for _ in range(16)))
        last = await engine.evaluate(RULES, ("a", "b"), frame())
        await engine.close()
        return last

    last = run(scenario())

    failed = [result for answer in answers for result in answer if result.failure]
    assert {result.failure for result in failed} <= {"crash", "unavailable"}
    assert all(result.verdicts == () for result in failed)
    assert all(answer == ANSWER for answer in answers if not any(r.failure for r in answer))
    assert len(answers) > 16
    assert last == ANSWER
    assert children() == []


async def test_a_stopped_evaluator_is_given_up(engine):
    """The wall guard: a process that no longer runs is replaced, and the check is answered."""
    assert await engine.evaluate(RULES, ("a", "b"), frame()) == ANSWER
    serving, _ = await both_ready(engine)
    os.kill(serving, signal.SIGSTOP)

    answers = await asyncio.gather(*(engine.evaluate(RULES, ("a", "b"), frame()) for _ in range(8)))

    assert answers == [ANSWER] * 8
    assert await gone(serving)


async def test_waiting_behind_others_is_not_charged():
    """The wall guard counts from the start of an evaluation: a long queue is no fault."""
    engine = EmbeddedEngine(Limits(evaluate_cpu=10.0, evaluate_wall=1.0))
    slow = f"{SAYS_BLOCK}\nverdict contains {{}} if sum(numbers.range(1, 4000000)) == 0"
    rules = ruleset({"a": slow})
    try:
        await engine.load(rules)
        answers: list[RuleResult] = []
        until = asyncio.get_running_loop().time() + 2.0

        async def caller() -> None:
            while asyncio.get_running_loop().time() < until:
                answers.extend(await engine.evaluate(rules, ("a",), frame()))

        await asyncio.gather(*(caller() for _ in range(20)))
    finally:
        await engine.close()

    assert {result.failure for result in answers} == {None}


async def test_signals_to_the_group_do_not_end_the_evaluator(engine):
    """D8: the terminal's interrupt is the gateway's to obey, which still has checks to answer."""
    await engine.load(RULES)
    for pid in await both_ready(engine):
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)

    assert await engine.evaluate(RULES, ("a", "b"), frame()) == ANSWER
    assert engine.replaced == 0


async def test_closing_leaves_no_process_and_answers_what_was_open():
    engine = EmbeddedEngine()
    await engine.load(RULES)
    checks = [asyncio.ensure_future(engine.evaluate(RULES, ("a", "b"), frame())) for _ in range(20)]
    await asyncio.sleep(0)

    await engine.close()

    failures = {result.failure for answer in await asyncio.gather(*checks) for result in answer}
    assert failures <= {None, "unavailable", "crash"}
    assert children() == []
    (late, _) = await engine.evaluate(RULES, ("a", "b"), frame())
    assert late.failure == "unavailable"


async def test_closing_an_engine_that_never_started_is_nothing():
    await EmbeddedEngine().close()

    assert children() == []


async def test_a_check_that_is_given_up_by_its_caller_disturbs_nobody(engine):
    await engine.load(RULES)
    checks = [asyncio.ensure_future(engine.evaluate(RULES, ("a", "b"), frame())) for _ in range(20)]
    await asyncio.sleep(0)
    for check in checks[::2]:
        check.cancel()

    answers = await asyncio.gather(*checks, return_exceptions=True)

    assert answers[1::2] == [ANSWER] * 10
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])


ORPHANING = """
import asyncio, sys
from gateway.engines.embedded import EmbeddedEngine
from tests.engine.rego import SAYS_BLOCK, ruleset

async def main():
    engine = EmbeddedEngine()
    await engine.load(ruleset({"a": SAYS_BLOCK}))
    while len(engine.pids) < 2:
        await asyncio.sleep(0.01)
    print(*engine.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_evaluators_end_with_a_gateway_that_was_killed():
    """D1: nothing of a killed gateway goes on."""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANING, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert gateway.stdout is not None
    pids = [int(pid) for pid in (await gateway.stdout.readline()).split()]
    gateway.kill()
    await gateway.wait()

    assert len(pids) == 2
    assert [await gone(pid) for pid in pids] == [True, True]


LARGE = """
import asyncio
from gateway.engines.embedded import EmbeddedEngine
from tests.engine.rego import SAYS_BLOCK, frame, ruleset

async def main():
    large = b"x" * (300 << 20)
    engine = EmbeddedEngine()
    rules = ruleset({"a": SAYS_BLOCK})
    await engine.load(rules)
    while len(engine.pids) < 2:
        await asyncio.sleep(0.01)
    for _ in range(40):
        await engine.evaluate(rules, ("a",), frame())
    print(engine.replaced, flush=True)
    await engine.close()

asyncio.run(main())
"""


async def test_the_memory_of_a_large_gateway_does_not_count_as_its_evaluators():
    """A child inherits the kernel's peak figure from the process that started it."""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LARGE, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await gateway.communicate()

    assert output.split() == [b"0"]

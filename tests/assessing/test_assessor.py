"""An assessor answers, whatever evidence does to its process; what was innocent is asked again."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from gateway.assessing import ChildAssessor, Evaluated
from gateway.errors import ConfigInvalid
from gateway.intent.evidence import Evidence, Item
from tests.assessing.conftest import DIFFERS, EVALUATORS, Watched, evidence, opened


async def test_evidence_gets_the_answer_of_the_loaded_version(watched):
    said = await watched.assessor.assess(DIFFERS)

    assert said is not None
    assert (said.score, said.version) == (0.97, watched.assessor.version)
    assert [(s.field, s.observed, s.expected) for s in said.signals] == [
        ("/action/arguments/amount", 5, 4)
    ]


async def test_a_named_version_is_the_one_that_answers():
    named = Evaluated(module="plan_only", folder=EVALUATORS, version="plan-only-7")
    assessor = ChildAssessor(evaluated=named)
    await assessor.start()

    said = await assessor.assess(DIFFERS)

    await assessor.close()
    assert said is not None
    assert said.version == "plan-only-7"


@pytest.mark.parametrize(
    ("evaluated", "why"),
    [
        (
            Evaluated(module="plan_only", folder=EVALUATORS, version="missing"),
            "LookupError: no model has the version missing",
        ),
        (Evaluated(module="no_such_module"), "ModuleNotFoundError: No module named"),
    ],
)
async def test_a_version_that_cannot_be_loaded_is_refused_with_why(evaluated, why):
    with pytest.raises(ConfigInvalid, match=why):
        await ChildAssessor(evaluated=evaluated).start()


@pytest.mark.parametrize(
    ("request_", "trouble"),
    [
        ("sleep", "timeout"),
        ("spin", "timeout"),
        ("swallow", "timeout"),
        ("exit", "crash"),
        ("unreadable", "crash"),
        ("garbage", "crash"),
        ("nonsense", "error"),
        ("memory", "error"),
    ],
)
async def test_what_goes_wrong_is_no_answer_and_others_are_answered(watched, request_, trouble):
    """Whatever the guilty one does, before and behind it are answers."""
    await watched.both_ready()

    asked = [watched.assessor.assess(each) for each in (DIFFERS, evidence(request_), DIFFERS)]
    before, guilty, behind = await asyncio.gather(*asked)

    assert guilty is None
    assert watched.troubles == [trouble]
    assert before == behind
    assert before is not None
    assert before.score == 0.97


@pytest.mark.parametrize("request_", ["above one", "no number", "below", "renamed"])
async def test_an_answer_that_cannot_be_meant_is_none(watched, request_):
    """No chance, or another version's: it must not reach a rule."""
    assert await watched.assessor.assess(evidence(request_)) is None
    assert watched.troubles == ["malformed"]
    assert await watched.assessor.assess(DIFFERS) is not None


async def test_one_that_is_interrupted_leaves_its_process_at_work(watched):
    serving, _ = await watched.both_ready()

    assert await watched.assessor.assess(evidence("spin")) is None

    assert watched.assessor.pids[0] == serving
    assert watched.replaced == 0


async def test_assessments_in_flight_survive_a_killed_child(watched):
    serving, spare = await watched.both_ready()
    os.kill(serving, signal.SIGSTOP)
    asked = [asyncio.ensure_future(watched.assessor.assess(DIFFERS)) for _ in range(32)]
    await asyncio.sleep(0)

    os.kill(serving, signal.SIGKILL)
    said = await asyncio.gather(*asked)

    assert [each is None for each in said] == [True] + [False] * 31
    assert (watched.troubles, watched.replaced) == (["crash"], 1)
    assert watched.assessor.pids[0] == spare
    await watched.both_ready()


async def test_when_both_are_gone_the_next_one_waits_for_another(watched):
    for pid in await watched.both_ready():
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.05)

    said = await watched.assessor.assess(DIFFERS)

    assert said is not None


async def test_a_child_that_becomes_large_is_replaced_without_a_loss():
    async with opened(resident_bytes=96 << 20, cpu=5.0, wall=20.0) as watched:
        serving, _ = await watched.both_ready()
        said = await asyncio.gather(
            *(watched.assessor.assess(evidence("remember")) for _ in range(2)),
            *(watched.assessor.assess(DIFFERS) for _ in range(30)),
        )

        assert None not in said
        assert watched.assessor.pids[0] != serving
        assert (watched.troubles, watched.replaced) == ([], 1)


async def test_more_evidence_than_may_wait_is_refused_at_once():
    async with opened(waiting_bytes=4_000) as watched:
        large = evidence(context=(Item("a" * 3_000),))
        said = await asyncio.gather(*(watched.assessor.assess(large) for _ in range(3)))

        assert [each is None for each in said] == [False, True, True]
        assert watched.troubles == ["unavailable"] * 2


async def test_hostile_sizes_are_answered_and_cut(watched):
    """Long texts, deep values and huge numbers of an agent go through, or are no assessment."""
    deep: object = "x"
    for _ in range(60):
        deep = [deep]
    long = "\x1b[31m" * 60_000
    fields = {"long": long, "deep": deep, "many": list(range(20_000)), "number": 10**15}
    fields |= {f"f{n}": n for n in range(200)}
    planned = dict.fromkeys(fields, False)

    said = await watched.assessor.assess(
        Evidence(tool="x", arguments=fields, plan_arguments=planned, request="\u202e" * 300_000)
    )

    assert said is not None
    assert len(said.signals) == 16
    assert all(len(str(signal.observed)) <= 500 for signal in said.signals)
    assert await watched.assessor.assess(Evidence("x", {"n": 10**30}, request="r")) is None


async def test_after_the_end_nothing_is_assessed_and_nothing_is_left():
    watched = Watched()
    await watched.assessor.start()
    pids = await watched.both_ready()

    await watched.assessor.close()

    assert await watched.assessor.assess(DIFFERS) is None
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

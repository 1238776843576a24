"""A server holds the versions used last, over all gateways and their earlier lives."""

from __future__ import annotations

import asyncio

import pytest

from gateway.domain.rule_results import RuleResult, RuleVerdict
from gateway.engines.opa import Limits, OpaEngine
from gateway.engines.opa.copies import key_of
from tests.engine.rego import SAYS_BLOCK, frame, ruleset
from tests.engine_opa.server_side import call, data_keys, keys
from tests.make import FixedAmbient

BLOCKED = (RuleResult("a", (RuleVerdict("block", "no"),)),)
VERSIONS = [ruleset({"a": SAYS_BLOCK}, data={"v": v}) for v in range(5)]
KEYS = [key_of(version.digest) for version in VERSIONS]


@pytest.fixture
def clock():
    return FixedAmbient()


@pytest.fixture
async def engine(own_server, clock):
    started = OpaEngine(own_server.url, Limits(timeout=20, rulesets=2), ambient=clock)
    yield started
    await started.close()


async def load(engine: OpaEngine, clock: FixedAmbient, *numbers: int) -> None:
    for number in numbers:
        clock.pass_seconds(20)
        await engine.load(VERSIONS[number])
    await settled(engine)


async def settled(engine: OpaEngine) -> None:
    """Room is made when a load is over."""
    while engine.at_work:  # noqa: ASYNC110 - the engine tells nobody
        await asyncio.sleep(0.01)


async def test_only_the_last_versions_stay(engine, clock, own_server):
    await load(engine, clock, 0, 1, 2, 3)

    assert keys(own_server) == {KEYS[2], KEYS[3]}
    assert data_keys(own_server) == {KEYS[2], KEYS[3]}
    assert set(call(own_server, "GET", "data/checkrein_shelf")[1]["result"]) == {KEYS[2], KEYS[3]}


async def test_a_version_that_had_to_go_is_loaded_again_when_it_is_asked(engine, clock, own_server):
    await load(engine, clock, 0, 1, 2)

    answers = [await engine.evaluate(version, ("a",), frame()) for version in VERSIONS[:3] * 2]

    assert answers == [BLOCKED] * 6
    await load(engine, clock, 4)
    assert len(keys(own_server)) <= 4


async def test_using_a_version_keeps_it(engine, clock, own_server):
    await load(engine, clock, 0, 1)
    clock.pass_seconds(20)
    await engine.evaluate(VERSIONS[0], ("a",), frame())

    await load(engine, clock, 2)

    assert keys(own_server) == {KEYS[0], KEYS[2]}


async def test_what_others_live_by_stays_though_old_frames_are_judged_again(
    engine, clock, own_server
):
    """Loading old versions in quick succession must not push out a version in use elsewhere."""
    other = OpaEngine(own_server.url, Limits(timeout=20, rulesets=2), ambient=clock)
    await load(other, clock, 0)
    for number in (1, 2, 3):
        clock.pass_seconds(1)
        await other.evaluate(VERSIONS[0], ("a",), frame())
        await engine.load(VERSIONS[number])
        await settled(engine)
    held = keys(own_server)
    await other.close()

    assert KEYS[0] in held
    assert len(held) <= 4


async def test_the_bound_holds_however_quickly_versions_come(engine, clock, own_server):
    for version in VERSIONS:
        await engine.load(version)
        await settled(engine)

    assert len(keys(own_server)) == 4


async def test_what_an_earlier_life_pushed_is_removed_too(engine, clock, own_server):
    earlier = OpaEngine(own_server.url, Limits(timeout=20), ambient=clock)
    await load(earlier, clock, 0, 1, 2)
    await earlier.close()

    await load(engine, clock, 3)

    assert keys(own_server) == {KEYS[2], KEYS[3]}


async def test_what_another_gateway_removed_is_brought_back(engine, clock, own_server):
    await load(engine, clock, 0)
    other = OpaEngine(own_server.url, Limits(timeout=20, rulesets=1), ambient=clock)
    await load(other, clock, 1)
    gone = KEYS[0] not in keys(own_server)

    answer = await engine.evaluate(VERSIONS[0], ("a",), frame())
    await other.close()

    assert gone
    assert answer == BLOCKED


async def test_documents_that_are_not_ours_are_left_alone(engine, clock, own_server):
    call(own_server, "PUT", "policies/theirs", b"package theirs\nx := 1")
    call(own_server, "PUT", "data/their_data", b'{"y": 2}')
    # A key that would lead elsewhere if it became a part of a path.
    call(own_server, "PUT", "data/checkrein_shelf", b'{"../theirs?": {"used": 0, "modules": 1}}')

    await load(engine, clock, 0, 1, 2, 3)

    assert call(own_server, "GET", "data/theirs/x")[1]["result"] == 1
    assert call(own_server, "GET", "data/their_data/y")[1]["result"] == 2

"""Re-judgement: the same frame, ruleset and answers give the same decision, to the byte."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import decision as decisions
from gateway.domain import frame as frames
from gateway.domain.rule_results import EngineInfo, RuleResult, RuleVerdict
from gateway.domain.ruleset import Ruleset
from gateway.judging.judgement import judge_frame
from gateway.replay.differences import first_difference
from gateway.replay.rejudge import NotReplayable, recorded_decision, rejudge
from gateway.storage.embedded.ledger import open_ledger
from tests import make
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

Says = Callable[[str, dict[str, Any]], RuleResult]
RULES = make.ruleset(make.rule("a.one"), make.rule("b.two"))
CAP = RuleVerdict(
    effect="modify",
    reason="At most 100.",
    patch=({"op": "replace", "path": "/action/arguments/amount", "value": 100},),
)
NO_CHANGE = {"op": "replace", "path": "/action/arguments/amount", "value": 450}


class SayingEngine:
    """The engine's seam, backed by a function of rule id and input."""

    info = EngineInfo("saying", "1", "c")

    def __init__(self, says: Says) -> None:
        self.says = says
        self.asked: list[str] = []

    async def load(self, ruleset: Ruleset) -> None:
        return

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        self.asked += rules
        seen = msgspec.json.decode(frame)
        return tuple(self.says(rule, seen) for rule in rules)

    async def close(self) -> None:
        return


def blocks_above(limit: int) -> Says:
    def says(rule: str, frame: dict[str, Any]) -> RuleResult:
        above = frame["action"]["arguments"].get("amount", 0) > limit
        return make.says(rule, "block") if above and rule == "a.one" else RuleResult(rule)

    return says


def caps(rule: str, frame: dict[str, Any]) -> RuleResult:
    above = frame["action"]["arguments"]["amount"] > 100
    return RuleResult(rule, verdicts=(CAP,)) if above and rule == "b.two" else RuleResult(rule)


def fails(rule: str, frame: dict[str, Any]) -> RuleResult:
    return RuleResult(rule, failure="timeout") if rule == "a.one" else RuleResult(rule)


@pytest.fixture
async def ledger(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    yield ledger
    await ledger.close()


async def record(ledger, says: Says, **check) -> None:
    """A decision as the gateway makes and records it."""
    checked = make.check(arguments={"amount": 450, "note": "déjà vu 🙂", "ratio": 0.1}, **check)
    frame = make.frame(RULES, checked)
    judged = await judge_frame(SayingEngine(says), RULES, frame)
    draft = events.decided(
        decision_id="dec_1",
        frame=frames.encode(frame),
        rounds=msgspec.json.Encoder(order="sorted").encode(judged.rounds),
        decision=decisions.encode(judged.decision),
    )
    await ledger.record(persists([draft]), {(PROJECT, "run_1"): WRAPPED})


async def recorded(ledger):
    return await recorded_decision(ledger, open_secret, PROJECT, "dec_1")


@pytest.mark.parametrize("says", [blocks_above(100), blocks_above(1000), caps], ids=str)
async def test_a_decision_judged_again_is_the_same_to_the_byte(ledger, says):
    """R1: also where a rule modified the arguments and was asked twice."""
    await record(ledger, says, request={"user": "pay"}, context=[{"text": "a page"}])

    again = await rejudge(SayingEngine(says), RULES, await recorded(ledger))

    assert (again.outcome, again.pointer, again.failures) == ("exact", None, ())
    assert again.decision == (await recorded(ledger)).decision


async def test_a_failure_after_a_patch_that_changes_nothing_is_taken_from_its_own_round(ledger):
    """R1: the two rounds have equal frames, and only in the second did the rule fail."""
    cap = RuleResult("b.two", verdicts=(msgspec.structs.replace(CAP, patch=(NO_CHANGE,)),))
    seen: list[str] = []

    def says(rule: str, frame: dict[str, Any]) -> RuleResult:
        seen.append(rule)
        if rule == "b.two":
            return cap
        return RuleResult(rule, failure="timeout") if seen.count(rule) > 1 else RuleResult(rule)

    await record(ledger, says)
    rounds = (await recorded(ledger)).rounds
    assert [[each.failure for each in round_.results] for round_ in rounds] == [
        [None, None],
        ["timeout", None],
    ]

    well = SayingEngine(lambda rule, frame: cap if rule == "b.two" else RuleResult(rule))
    again = await rejudge(well, RULES, await recorded(ledger))

    assert (again.outcome, again.failures) == ("exact", ("a.one",))


async def test_another_answer_is_shown_where_it_first_differs(ledger):
    """R3: divergence is shown, never hidden."""
    await record(ledger, blocks_above(100))

    again = await rejudge(SayingEngine(blocks_above(1000)), RULES, await recorded(ledger))

    assert (again.outcome, again.pointer) == ("diverges", "/enforced")
    assert msgspec.json.decode(again.decision)["enforced"] == "allow"


async def test_another_policy_is_a_divergence(ledger):
    await record(ledger, blocks_above(100))
    other = msgspec.structs.replace(RULES, digest="e" * 64)

    again = await rejudge(SayingEngine(blocks_above(100)), other, await recorded(ledger))

    assert (again.outcome, again.pointer) == ("diverges", "/policy_digest")


async def test_a_recorded_failure_is_taken_from_the_record_and_said(ledger):
    """design 1.1: an engine's failure is an input like any other."""
    await record(ledger, fails)
    healthy = SayingEngine(lambda rule, frame: RuleResult(rule))

    again = await rejudge(healthy, RULES, await recorded(ledger))

    assert (again.outcome, again.failures) == ("exact", ("a.one",))
    assert healthy.asked == ["b.two"]


async def test_a_failure_in_the_second_round_is_taken_from_the_record(ledger):
    def fails_when_capped(rule: str, frame: dict[str, Any]) -> RuleResult:
        if rule == "a.one" and frame["action"]["arguments"]["amount"] == 100:
            return RuleResult(rule, failure="crash")
        return caps(rule, frame)

    await record(ledger, fails_when_capped)

    again = await rejudge(SayingEngine(caps), RULES, await recorded(ledger))

    assert (again.outcome, again.failures) == ("exact", ("a.one",))


async def test_a_decision_whose_content_is_not_whole_is_not_replayable(ledger, tmp_path):
    """R4: never exact by luck when a part is gone."""
    await record(ledger, caps)
    connection = sqlite3.connect(tmp_path / "ledger.db")
    with connection:
        connection.execute("DELETE FROM blob WHERE key = (SELECT max(key) FROM blob)")
    connection.close()

    with pytest.raises(NotReplayable, match="not there any more"):
        await recorded(ledger)


async def test_a_decision_nobody_made_is_none(ledger):
    assert await recorded(ledger) is None


@pytest.mark.parametrize(
    ("one", "other", "pointer"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 2}, "/a"),
        ({"a": 1}, {"a": 1.0}, "/a"),
        ({"a": 1}, {"a": True}, "/a"),
        ({"b": 1, "a/b": {"c~": [1, 2]}}, {"b": 2, "a/b": {"c~": [1, 3]}}, "/a~1b/c~0/1"),
        ([1, 2], [1, 2, 3], "/2"),
        ([1, 2, 3], [9], "/0"),
        ({"a": 1}, {"b": 1}, "/a"),
        (1, 2, ""),
        ([], {}, ""),
    ],
)
def test_the_first_difference_is_pointed_at(one, other, pointer):
    assert first_difference(one, other) == pointer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_values_alone_have_no_difference(one, other):
    assert first_difference(one, one) is None
    encoded = [msgspec.json.encode(each, order="sorted") for each in (one, other)]
    assert (first_difference(one, other) is None) == (encoded[0] == encoded[1])

"""Aligning calls: a property for all runs, and long ones in bounded work."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.replay.compare.aligning import align
from gateway.replay.compare.comparing import last_good
from gateway.replay.compare.course import Call


def call(seq: int, tool: str, digest: str) -> Call:
    return Call(seq, f"act_{seq}", tool, (), {"x": digest}, digest, "allow", "allow", ())


CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("123")), max_size=12)


@given(CALLS, CALLS)
def test_every_call_is_in_one_pair_and_pairs_are_of_one_tool(mine, yours):
    run = [call(n, *each) for n, each in enumerate(mine)]
    other = [call(n, *each) for n, each in enumerate(yours)]

    pairs, moved = align(run, other)

    assert sorted(one.seq for one, _ in pairs if one) == list(range(len(run)))
    assert sorted(two.seq for _, two in pairs if two) == list(range(len(other)))
    assert all(one.tool == two.tool for one, two in pairs if one and two)
    kept = [(one, two) for n, (one, two) in enumerate(pairs) if one and two and n not in moved]
    assert [one.seq for one, _ in kept] == sorted(one.seq for one, _ in kept)
    assert [two.seq for _, two in kept] == sorted(two.seq for _, two in kept)


@given(CALLS)
def test_a_run_beside_itself_is_the_same_throughout(calls):
    run = [call(n, *each) for n, each in enumerate(calls)]

    pairs, moved = align(run, run)

    assert all(one is two for one, two in pairs)
    assert not moved


def test_the_last_good_run_is_an_earlier_one_of_the_same_task():
    run = {"run_id": "r", "agent_id": "a", "name": "n", "environment": "e", "started_at": "5"}
    good = {**run, "status": "succeeded"}
    later = {**good, "run_id": "later", "started_at": "6"}
    others = [
        {**good, "run_id": "other task", "name": "m", "started_at": "4"},
        {**good, "run_id": "other agent", "agent_id": "b", "started_at": "4"},
        {**good, "run_id": "failed", "status": "failed", "started_at": "4"},
    ]
    before = {**good, "run_id": "before", "started_at": "3"}

    assert last_good(run, [later, good, *others]) is None
    assert last_good(run, [later, *others, before]) == "before"


def test_long_runs_are_paired_without_the_product_of_both():
    run = [call(n, "t", str(n)) for n in range(1_000)]
    other = [call(n, "t", str(n + 1)) for n in range(1_000)]

    pairs, _ = align(run, other)

    assert sum(one is not None and two is not None for one, two in pairs) == 999

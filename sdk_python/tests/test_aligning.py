"""The comparison at the end: every call once, in an order that was recorded or not."""

from __future__ import annotations

import random

from checkrein.simulating.aligning import Entry, Interval, align, out_of_order
from checkrein.simulating.matching import Made, Matching
from hypothesis import given, settings
from hypothesis import strategies as st

# How long an example takes is the machine's affair.
unhurried = settings(deadline=None)
# Calls by tool and argument, few of each, so that they repeat.
calls = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=12)


def played(recorded: list[tuple[str, int]], made: list[tuple[str, int]]):
    """The rows of a run of single calls, one after the other, and the calls made now."""
    matching = Matching()
    for at, (tool, argument) in enumerate(recorded):
        matching.expect(at, tool, (), {"n": argument})
    entries = []
    for tool, argument in made:
        found = matching.find(Made((), tool, {"n": argument}, {"n": argument}))
        entries.append(Entry(tool, *found))
    return align(
        entries, [Interval(tool, 2 * n, 2 * n + 1) for n, (tool, _) in enumerate(recorded)]
    )


@unhurried
@given(calls, calls)
def test_every_call_of_both_sides_is_in_one_row(recorded, made):
    rows = played(recorded, made)

    assert sorted(row.made for row in rows if row.made is not None) == [*range(len(made))]
    assert sorted(row.recorded for row in rows if row.recorded is not None) == [
        *range(len(recorded))
    ]
    for row in rows:
        assert (row.kind == "missing") == (row.made is None)
        assert (row.kind == "extra") == (row.recorded is None)
        if row.made is not None and row.recorded is not None:
            same = recorded[row.recorded] == made[row.made]
            assert same or row.kind in {"input", "name"}
            assert (recorded[row.recorded][0] != made[row.made][0]) == (row.kind == "name")


@unhurried
@given(calls)
def test_the_same_calls_match(recorded):
    assert [row.kind for row in played(recorded, recorded)] == [None] * len(recorded)


distinct = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=12, unique=True
)


@unhurried
@given(distinct, st.data())
def test_one_call_less_is_one_missing_and_one_more_is_one_extra(recorded, data):
    """Of calls that differ: of equal ones the first that is made is the first that was."""
    at = data.draw(st.integers(0, len(recorded) - 1))
    less = recorded[:at] + recorded[at + 1 :]

    assert [row.kind for row in played(recorded, less) if row.kind] == ["missing"]
    assert [row.kind for row in played(less, recorded) if row.kind] == ["extra"]


@unhurried
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.integers(0, 2**31))
def test_what_overlapped_may_come_in_any_order(widths, seed):
    """Groups of calls that were under way together, shuffled within the groups."""
    chance, moments = random.Random(seed), []
    for group, width in enumerate(widths):
        some = [Interval("t", group * 100 + n, group * 100 + 50 + n) for n in range(width)]
        chance.shuffle(some)
        moments += some

    assert out_of_order(moments) == set()


@unhurried
@given(st.permutations(range(6)))
def test_without_the_calls_that_are_marked_the_order_is_the_recorded_one(order):
    intervals = [Interval("t", 2 * n + 1, 2 * n + 2) for n in order]

    late = out_of_order(intervals)

    left = [one.start for place, one in enumerate(intervals) if place not in late]
    assert left == sorted(left)
    assert bool(late) == (list(order) != sorted(order))


def test_of_a_call_that_moved_that_one_is_marked():
    moved_up = [Interval("t", n, n) for n in (4, 1, 2, 3)]
    moved_down = [Interval("t", n, n) for n in (2, 3, 4, 1)]

    assert out_of_order(moved_up) == {0}
    assert out_of_order(moved_down) == {3}


def email(mark: str) -> str:
    return f"mail [email:{mark * 10}@example.com]"


def test_tokens_of_another_run_stand_for_each_other_everywhere():
    """Ada stays Ada: a token cannot stand for one value here and for another one there."""
    matching = Matching()
    for at, mark in enumerate("aab"):
        matching.expect(at, "send", (), {"to": email(mark), "n": at})

    def made(mark: str, n: int) -> tuple[int, str]:
        masked = {"to": email(mark), "n": n}
        return matching.find(Made((), "send", masked, masked))

    assert made("c", 0) == (0, "same")
    # The true `a` was `c` here, so `d` is somebody else.
    assert made("d", 1) == (1, "input")
    assert made("c", 1) == (1, "same")
    # `c` is `a` already; and what came out of a recorded output stands for itself.
    assert made("c", 2)[1] == "input"
    assert made("b", 2) == (2, "same")


def test_of_very_many_in_disorder_each_is_marked():
    backwards = [Interval("t", n, n) for n in reversed(range(2, 2000))]

    assert out_of_order([Interval("t", 1, 1), *backwards]) == {*range(1, 1999)}

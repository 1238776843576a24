"""Patches of different rules: what one touches, no other may touch."""

from __future__ import annotations

import pytest

from gateway.domain import patches

A = "/action/arguments/to"
ARGUMENTS = {"to": ["a", "b", "c"], "by": {"0": "x", "1": "y"}, "deep": [["a"], ["b"]]}


def _op(op: str, path: str) -> dict[str, str]:
    return {"op": op, "path": path, **({} if op == "remove" else {"value": "new"})}


@pytest.mark.parametrize("op", ["add", "remove"])
@pytest.mark.parametrize("other", [f"{A}/2", f"{A}/0", A])
@pytest.mark.parametrize("turned", [False, True])
def test_what_moves_the_items_of_an_array_touches_all_of_it(op, other, turned):
    """A rule that drops one recipient and one that replaces another would hit the wrong ones."""
    two = [[_op(op, f"{A}/0")], [_op("replace", other)]]

    with pytest.raises(patches.PatchRefused, match="two rules change"):
        patches.apply(ARGUMENTS, two[::-1] if turned else two)


def test_two_rules_do_not_both_append_to_an_array():
    with pytest.raises(patches.PatchRefused, match="two rules change"):
        patches.apply(ARGUMENTS, [[_op("add", f"{A}/-")], [_op("add", f"{A}/-")]])


def test_other_places_are_changed_beside_each_other():
    replaced = [[_op("replace", f"{A}/0")], [_op("replace", f"{A}/1")]]
    assert patches.apply(ARGUMENTS, replaced)["to"] == ["new", "new", "c"]

    by = "/action/arguments/by"
    assert patches.apply(ARGUMENTS, [[_op("remove", f"{by}/0")], [_op("replace", f"{by}/1")]])[
        "by"
    ] == {"1": "new"}

    deep = "/action/arguments/deep"
    apart = [[_op("add", f"{deep}/0/0")], [_op("remove", f"{deep}/1/0")]]
    assert patches.apply(ARGUMENTS, apart)["deep"] == [["new", "a"], []]


def test_one_rule_may_move_an_array_and_go_on_with_it():
    one = [_op("remove", f"{A}/0"), _op("replace", f"{A}/0"), _op("add", f"{A}/-")]

    assert patches.apply(ARGUMENTS, [one])["to"] == ["new", "c", "new"]

"""Globs over tool names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.globs import fits


@given(st.text("ab.-!]\n", max_size=6), st.text("ab*?[]!.-\n", max_size=6))
def test_a_glob_means_what_it_means_to_fnmatch(name, glob):
    """The quick tests of plain globs never differ from the reference."""
    assert fits(name, glob) == fnmatchcase(name, glob)


def test_globs_of_every_kind():
    assert fits("stripe.refund", "stripe.refund")
    assert not fits("Stripe.refund", "stripe.refund")
    assert fits("stripe.refund", "stripe.*")
    assert not fits("strip", "stripe*")
    assert fits("a.b.c", "*.c")
    assert fits("db1.drop", "db[0-9].*")
    assert fits("anything", "*")

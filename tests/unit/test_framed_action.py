"""What the gateway derives from a call: side effects, amount, recipients, digest."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain import canonical
from gateway.domain.check import Amount
from gateway.domain.likeness import likeness
from gateway.domain.money import amount_of
from gateway.domain.ruleset import AmountPointer
from gateway.domain.run_ids import is_run_id, run_id_of
from gateway.domain.side_effects import side_effects
from tests import make

safe = st.integers(-(2**53) + 1, 2**53 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, places: digits / 10.0**places, safe, st.integers(0, 24)
)
json_values = st.recursive(
    st.none() | st.booleans() | safe | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_the_digest_is_that_of_the_rfc_8785_form(arguments):
    """design 4: 10 and 10.0 are equal; the fast path never differs from the reference."""
    assert canonical.jcs(arguments) == rfc8785.dumps(arguments)


@given(st.lists(numbers, max_size=50))
def test_every_float_is_written_as_in_rfc_8785(values):
    assert canonical.jcs(values) == rfc8785.dumps(values)


EDGES = (1e-7, 1e-6, 1e-5, 1e-4, 2.0**53, 1e15, 1e16, 1e17, 1e20, 1e21, 1e22, 5e-324, 1.7e308)


@pytest.mark.parametrize("edge", EDGES)
def test_floats_beside_the_edges_of_each_form_are_written_as_in_rfc_8785(edge):
    """Where one writer begins to use an exponent, or ends, the other need not."""
    beside = [math.nextafter(edge, 0.0), edge, math.nextafter(edge, math.inf), edge * 1.2345]
    for value in (each for near in beside for each in (near, -near) if math.isfinite(each)):
        assert canonical.jcs([value]) == rfc8785.dumps([value])
        assert canonical.jcs({"a": value, "b.0": "1e5"}) == rfc8785.dumps(
            {"a": value, "b.0": "1e5"}
        )


@given(
    st.dictionaries(
        st.text(st.characters(min_codepoint=0xD000, exclude_categories=["Cs"])), safe, max_size=8
    )
)
@example({"\uffee": 1, "\U0001f600": 2})
@example({"\uffee": 0.5, "\U0001f600": 2})
def test_keys_on_both_sides_of_the_surrogates_are_in_order(value):
    """There the orders by code points and by UTF-16 units differ."""
    assert canonical.jcs(value) == rfc8785.dumps(value)


def test_numbers_and_strings_of_the_same_digits_differ():
    assert canonical.arguments_digest({"a": 10}) == canonical.arguments_digest({"a": 10.0})
    assert canonical.arguments_digest({"a": 10}) != canonical.arguments_digest({"a": "10"})


def test_key_order_does_not_matter():
    one = json.loads('{"a": 1, "b": {"c": 2, "d": 3}}')
    other = json.loads('{"b": {"d": 3, "c": 2}, "a": 1}')

    assert canonical.arguments_digest(one) == canonical.arguments_digest(other)


@pytest.mark.parametrize(
    ("value", "unit", "currency", "minor"),
    [
        (450000, "minor", "usd", 450000),
        (4500, "major", "USD", 450000),
        (4500.5, "major", "EUR", 450050),
        ("45.10", "major", "USD", 4510),
        (45.001, "major", "USD", None),
        (45.5, "minor", "USD", None),
        (4500, "major", "JPY", 4500),
        (1.234, "major", "KWD", 1234),
        (True, "minor", "USD", None),
        ("1e400", "major", "USD", None),
        ("nan", "major", "USD", None),
        ("9" * 33, "minor", "USD", None),
        (None, "minor", "USD", None),
        ([1], "minor", "USD", None),
        (2**53, "minor", "USD", None),
        ("+5", "minor", "USD", 5),
        ("-5", "minor", "USD", -5),
        ("9e999999", "minor", "USD", None),
        ("1e1000000", "major", "USD", None),
        ("-1e999999999", "minor", "USD", None),
        ("1e2", "minor", "USD", None),
        ("1_0", "minor", "USD", None),
        (" 1", "minor", "USD", None),
        ("1\n", "minor", "USD", None),
        ("5.", "minor", "USD", None),
        (".5", "major", "USD", None),
        ("٣", "minor", "USD", None),
        ("inf", "major", "USD", None),
        ("", "major", "USD", None),
        (1e308, "major", "USD", None),
        (5e-324, "major", "USD", None),
    ],
)
def test_an_amount_counts_only_when_it_is_exactly_minor_units(value, unit, currency, minor):
    pointer = AmountPointer(pointer="/n", unit=unit, currency=currency)

    amount, source = amount_of({"n": value}, pointer, None)

    assert (amount.value if amount else None) == minor
    assert source == ("none" if minor is None else "policy")


@given(st.decimals("0.01", "100000", places=2))
def test_cents_survive_every_spelling(value):
    pointer = AmountPointer(pointer="/n", unit="major", currency="USD")

    for spelling in (float(value), str(value)):
        amount, _ = amount_of({"n": spelling}, pointer, None)
        assert amount is not None
        assert amount.value == int(value * Decimal(100))


@pytest.mark.parametrize(
    ("pointer", "claimed", "expected"),
    [
        (None, Amount(5, "usd"), (5, "caller")),
        (None, None, (None, "none")),
        ("/n", Amount(7, "USD"), (7, "policy")),
        ("/n", Amount(5, "USD"), (7, "conflict")),
        ("/n", Amount(7, "EUR"), (7, "conflict")),
        ("/absent", Amount(5, "USD"), (None, "none")),
    ],
)
def test_the_callers_amount_counts_only_without_a_pointer(pointer, claimed, expected):
    where = None if pointer is None else AmountPointer(pointer=pointer, currency="USD")

    amount, source = amount_of({"n": 7}, where, claimed)

    assert (amount.value if amount else None, source) == expected


def test_the_caller_adds_side_effects_and_takes_none_away():
    assert side_effects(["payment"], "anything", ["read"]) == {"payment", "read"}
    assert side_effects([], "deleteUser", ["read"]) == {"delete", "read"}
    assert side_effects([], "frobnicate", []) == {"write"}


def test_recipients_come_from_the_policys_pointers():
    tool = make.payment_tool(recipients=["/to", "/cc/*/address", "/absent"])
    rules = make.ruleset(tools=(tool,))
    arguments = {"to": ["a@x", 7], "cc": [{"address": "b@x"}, {"other": 1}]}

    frame = make.frame(rules, make.check(arguments=arguments))

    assert frame.action.recipients == ["a@x", "b@x"]


def test_calls_alike_but_for_numbers_case_and_order_share_a_likeness():
    one = likeness("search", {"q": "Weather in Paris 1", "page": 1})

    assert one == likeness("search", {"page": 22, "q": "paris  in weather 2"})
    assert one != likeness("search", {"q": "weather in London", "page": 1})
    assert one != likeness("find", {"q": "Weather in Paris 1", "page": 1})


@given(st.text(min_size=1), st.sampled_from(["a", "b"]))
def test_a_callers_own_run_name_always_means_the_same_run(name, environment):
    one = run_id_of("prj_1", environment, name)

    assert is_run_id(one)
    assert one == run_id_of("prj_1", environment, name)
    assert is_run_id(name) or one != run_id_of("prj_2", environment, name)

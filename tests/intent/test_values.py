"""Values that are written differently and mean the same are recognised, and others are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intent.v1.values import LIMIT, flatten, forms, same, values_in

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
CENTS = {"description": "Amount in cents"}
DOLLARS = {"description": "Amount in dollars"}


@pytest.mark.parametrize(
    ("meant", "called", "key", "schema", "answer"),
    [
        ("$45.00", 4500, "amount", None, "equivalent"),
        ("$45.00", 45, "amount", None, "equivalent"),
        ("$45.00", 45, "amount_cents", None, "unit"),
        (45, 4500, "amount", None, "scale"),
        ("4500 cents", 45.0, "amount", None, "equivalent"),
        ("4500 cents", 4500, "amount", None, "equivalent"),
        ("120 USD", 12000, "amount", DOLLARS, "unit"),
        ("€1,200", 1200, "amount", CENTS, "unit"),
        ("45 USD", "45.00 EUR", "amount", None, "unit"),
        ("US$1.2M", 1200000, "amount", None, "equivalent"),
        ("1.234,50", 1234.5, "amount", None, "equivalent"),
        ("five hundred", 500, "count", None, "equivalent"),
        ("two weeks", 14, "days", None, "equivalent"),
        (-5, 5, "delta", None, "sign"),
        ("5%", 0.05, "rate", None, "equivalent"),
        ("Acme Inc.", "acme", "to", None, "equivalent"),
        ("Doe, Jane", "Dr. Jane Doe", "name", None, "equivalent"),
        ("jane.doe@acme.com", "JANE.DOE@acme.com", "to", None, "equivalent"),
        ("jane@acme.com", "jane@acrne.com", "to", None, "near"),
        ("+1 555 123 4567", "(555) 123-4567", "phone", None, "equivalent"),
        ("3 May 2026", "2026-05-03", "day", None, "equivalent"),
        ("05/03/2026", "2026-05-03", "day", None, "equivalent"),
        ("05/03/2026", "2026-03-05", "day", None, "equivalent"),
        ("3 May 2026", "2026-05-04", "day", None, "different"),
        ("May 3, 2026 9:00 am", "2026-05-03T09:00:00Z", "start", None, "equivalent"),
        ("2026-05-03 at 9am", "2026-05-03T10:00", "start", None, "different"),
        ("9am", "21:00", "at", None, "different"),
        ("30 min", 1800, "timeout_seconds", None, "equivalent"),
        ("30 min", 30, "timeout_seconds", None, "unit"),
        ("yes", True, "refund", None, "equivalent"),
        (True, False, "refund", None, "different"),
        (1, True, "refund", None, "equivalent"),
        ("high", "urgent", "priority", None, "equivalent"),
        ("#W123", "W123", "order", None, "equivalent"),
        ("W6002467", "W6002476", "order", None, "near"),
        ("https://x.com/", "https://www.x.com", "url", None, "equivalent"),
        (10**500, 3, "n", None, "different"),
        ("9" * 5000, 9, "n", None, "different"),
        (float("inf"), 1, "n", None, "different"),
    ],
)
def test_likeness(meant: Any, called: Any, key: str, schema: Any, answer: str) -> None:
    """What a planner writes and what a call carries stand to each other as a person would say."""
    assert same(meant, called, key=key, schema=schema) == answer


def test_a_name_may_carry_the_currency() -> None:
    """`price_usd` of 45 and `price_cents` of 4500 are one amount."""
    assert same(45, 4500, key="price_cents", a_key="price_usd") == "equivalent"


def test_values_of_a_text() -> None:
    """Hard values are found in running text, each with its kind."""
    text = "Pay $45.00 to ap@acme.com by 3 May 2026 9am for INV-2024-001, 5 GB, 5%, five hundred"
    assert [(value.kind, value.text) for value in values_in(text)] == [
        ("money", "$45.00"),
        ("mail", "ap@acme.com"),
        ("date", "3 May 2026"),
        ("time", "9am"),
        ("id", "INV-2024-001"),
        ("quantity", "5 GB"),
        ("percent", "5%"),
        ("number", "five hundred"),
    ]


def test_arguments_taken_apart() -> None:
    """Leaves come in order with escaped pointers; what is empty is a leaf as well."""
    leaves = flatten({"a": [1, {"b/c": None}], "d": {}})
    assert [(leaf.pointer, leaf.key, leaf.value) for leaf in leaves] == [
        ("/a/0", "a", 1),
        ("/a/1/b~1c", "b/c", None),
        ("/d", "d", {}),
    ]


@pytest.mark.parametrize("piece", ["a", "1", "a ", "five ", "a.b@", "/a", "-", "٣", "\u202e", "1,"])
def test_hostile_text_is_read_to_the_limit(piece: str) -> None:
    """A quarter of a megabyte of one thing is read up to the limit, and no further."""
    found = values_in(piece * (262_144 // len(piece)))
    assert all(value.end <= LIMIT for value in found)
    assert len(found) <= 512


@settings(max_examples=150, deadline=None)
@given(JSON, JSON, st.text())
def test_never_raises(a: Any, b: Any, key: str) -> None:
    """Whatever JSON there is, there is an answer, twice the same."""
    assert same(a, b, key=key) == same(a, b, key=key)
    assert forms(a, key) == forms(a, key)
    assert len(flatten({key: a})) <= 256


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789.,-+$€%@ amjFebk:/T#()"), max_size=200))
def test_spans_are_where_they_say(text: str) -> None:
    """What was found lies in the text, in order, without overlap."""
    last = 0
    for value in values_in(text):
        assert last <= value.start < value.end <= len(text)
        last = value.end


FOUND_ANYWHERE = (
    "a.b@mail.example", "https://web.example/a", "2026-03-05", "5 March 2026", "March 5, 2026",
    "10:30", "noon", "/etc/hosts", "+1 (555) 123-4567", "ord_61442", "#12", "USD 45", "( USD 45 )",
    "$1,200.50", "5 million dollars", "50%", "twenty-five", "two hundred and ten",
)  # fmt: skip


@given(
    value=st.sampled_from(FOUND_ANYWHERE),
    before=st.lists(
        st.sampled_from(["the", "plan", "is", "of", "Anna's", "café", "-"]), max_size=9
    ),
    space=st.sampled_from([" ", "\n", "\t", "  "]),
)
def test_a_value_is_found_wherever_it_stands_among_words(value, before, space):
    """What begins a search is only a hint; it must never be later than the value."""
    alone = {form for found in values_in(value) for form in found.forms}
    text = space.join([*before, "so", value, "they say"])
    assert alone
    assert alone <= {form for found in values_in(text) for form in found.forms}

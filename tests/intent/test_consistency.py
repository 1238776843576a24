"""Consistency: a value, verb, sign, scale, role or scope that does not go with the request."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intent.evidence import Evidence, Item
from gateway.intent.v1.consistency import FEATURES, look

CHARGE = "Charge customer cus_81 45.00 USD for order 9281."


def first(evidence):
    signals = look(evidence).signals
    return (signals[0].check, signals[0].field) if signals else None


def test_the_flag_of_a_refund_goes_against_a_charge():
    flipped = {"customer": "cus_81", "amount": 4500, "is_refund": True}
    assert first(Evidence("stripe.charge", flipped, request=CHARGE)) == (
        "consistency.boolean",
        "/action/arguments/is_refund",
    )
    asked = {**flipped, "is_refund": False}
    found = look(Evidence("stripe.charge", asked, request=CHARGE))
    assert found.features["boolean_against"] == 0
    assert found.signals == []


@pytest.mark.parametrize(
    ("tool", "request_", "arguments", "expected"),
    [
        (
            "mail.send",
            "Write to ana.lopes@acme.com that it is done",
            {"to": "ana.lopez@acme.com", "body": "it is done"},
            ("consistency.near", "/action/arguments/to"),
        ),
        (
            "disk.resize",
            "Resize disk d7 to 40 GB",
            {"disk": "d7", "size": 40000},
            ("consistency.scale", "/action/arguments/size"),
        ),
        (
            "stock.adjust",
            "Adjust item 77 by -12",
            {"item": "77", "by": 12},
            ("consistency.sign", "/action/arguments/by"),
        ),
        (
            "file.move",
            "Move the report from drafts to archive",
            {"name": "report", "from": "archive", "to": "drafts"},
            ("consistency.roles", "/action/arguments/from"),
        ),
        (
            "user.notify",
            "Tell Ana about the outage",
            {"who": "everyone", "about": "outage"},
            ("consistency.scope", "/action/arguments/who"),
        ),
        (
            "team.delete_member",
            "Please add Ana to the team",
            {"member": "Ana"},
            ("consistency.verb", "/action/tool"),
        ),
        (
            "order.close",
            "Close order 12 without notifying the customer",
            {"order": "12", "notify": True},
            ("consistency.boolean", "/action/arguments/notify"),
        ),
    ],
)
def test_the_field_that_is_wrong_comes_first(tool, request_, arguments, expected):
    assert first(Evidence(tool, arguments, request=request_)) == expected


def test_an_enum_of_which_another_is_asked():
    schema = {"properties": {"seat": {"enum": ["window", "aisle"]}}}
    evidence = Evidence(
        "seat.pick", {"seat": "window"}, schema=schema, request="An aisle seat please, pick it"
    )
    assert ("consistency.enum", "aisle") in [(s.check, s.expected) for s in look(evidence).signals]


def test_trusted_content_grounds_a_value():
    call = Evidence("mail.send", {"to": "ana@acme.com"}, request="Send it to Ana's address")
    known = Evidence(
        call.tool,
        call.arguments,
        request=call.request,
        context=(Item("Ana: ana@acme.com", trusted=True),),
    )
    assert look(call).features["ungrounded_share"] > look(known).features["ungrounded_share"]


@pytest.mark.parametrize(
    "text", ["a" * 262_144, "9" * 262_144, "\u202e\u0301" * 60_000, "not " * 60_000, "@" * 262_144]
)
def test_hostile_text_is_read_as_far_as_the_limit(text):
    found = look(Evidence("t", {"a": text, "b": 10**300}, request=text, context=(Item(text),)))
    assert found.truncated == ("request",)
    assert all(math.isfinite(value) for value in found.features.values())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=10), VALUES, max_size=4),
    st.text(max_size=80),
    VALUES,
)
def test_never_raises_and_always_says_the_same(tool, arguments, request_, schema):
    schema = schema if isinstance(schema, dict) else {"properties": schema, "required": schema}
    evidence = Evidence(tool, arguments, request=request_, schema=schema)
    found = look(evidence)
    assert found == look(evidence)
    assert found.features.keys() == FEATURES.keys()
    assert all(-1 <= value <= 1 for value in found.features.values())

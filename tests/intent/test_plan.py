"""A call against its plan: what differs is found and named, what is only worded anew is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intent.evidence import Evidence
from gateway.intent.v1.plan import FEATURES, Plan, look

PAIRS = Path(__file__).with_name("rephrased.jsonl")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=16,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=6)


def pairs(*, held_out: bool) -> Iterator[tuple[dict[str, Any], Plan]]:
    for line in PAIRS.read_text().splitlines():
        pair = msgspec.json.decode(line)
        if pair["held_out"] == held_out:
            yield pair, look(evidence(pair))


def evidence(pair: dict[str, Any]) -> Evidence:
    return Evidence(
        tool=pair["tool"],
        arguments=pair["arguments"],
        schema=pair["schema"],
        plan_arguments=pair["plan"],
        plan_tool=pair["plan_tool"],
    )


@pytest.mark.parametrize("held_out", [False, True])
def test_rephrased_plans(held_out: bool) -> None:
    """Values in a planner's own words are the same values, and one wrong field stands out first."""
    caught: list[bool] = []
    alarms: list[bool] = []
    ranked: list[bool] = []
    for pair, plan in pairs(held_out=held_out):
        flagged = plan.features["plan.strongest"] >= 0.5
        (alarms if pair["label"] == "aligned" else caught).append(flagged)
        if flagged and pair["label"] == "misaligned":
            ranked.append(plan.signals[0].field.startswith(f"/action/arguments{pair['field']}"))
    assert sum(alarms) <= 0.005 * len(alarms)
    assert sum(caught) >= 0.98 * len(caught)
    assert sum(ranked) >= 0.85 * len(ranked)


STRIPE = {"amount": 4500, "currency": "usd", "customer": "acme", "is_refund": True}


def test_the_flag_of_a_refund() -> None:
    """The plan said no refund: the flag is named, and may decide alone."""
    plan = look(
        Evidence(
            tool="stripe.charge",
            arguments=STRIPE,
            plan_arguments={"amount": "$45.00", "to": "Acme Inc.", "is_refund": False},
        )
    )
    first = plan.signals[0]
    assert plan.hard
    assert (first.field, first.observed, first.expected) == (
        "/action/arguments/is_refund",
        True,
        False,
    )


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        ("Charge $45.00 to Acme, not a refund", True),
        ("Next step: refund $45.00 to Acme", False),
        ("amount=4500, customer=acme, is_refund=false", True),
    ],
)
def test_a_plan_in_words(text: str, flagged: bool) -> None:
    """Words name flags as well, with their negations; they count less than a structured plan."""
    plan = look(Evidence(tool="stripe.payment", arguments=STRIPE, plan_text=text))
    fields = {signal.field for signal in plan.signals}
    assert ("/action/arguments/is_refund" in fields) == flagged
    assert not plan.hard


@pytest.mark.parametrize(
    ("planned", "called", "hard", "differs"),
    [
        ("create_user", "users.create", False, False),
        ("grantAccess", "revoke_access", True, True),
        ("send email", "mail.send_email", False, False),
        ("get_weather", "send_money", False, True),
    ],
)
def test_the_tool(planned: str, called: str, hard: bool, differs: bool) -> None:
    """A tool's name may be spelled in many ways; its opposite decides alone."""
    plan = look(Evidence(tool=called, arguments={}, plan_tool=planned))
    assert plan.hard == hard
    assert (plan.features["plan.tool"] >= 0.5) == differs


def test_a_call_against_its_schema() -> None:
    """Type, options, bounds and what is required are checked whether there is a plan or not."""
    schema = {
        "properties": {
            "n": {"type": "integer", "maximum": 5},
            "mode": {"enum": ["a", "b"]},
            "flag": {"type": "boolean"},
        },
        "required": ["name"],
    }
    plan = look(Evidence(tool="t", arguments={"n": 9, "mode": "c", "flag": "x"}, schema=schema))
    assert {name for name, value in plan.features.items() if value} == {
        "schema.broken",
    }
    assert {signal.check for signal in plan.signals} == {
        *("schema.type", "schema.enum", "schema.maximum", "schema.required"),
    }


def test_an_unplanned_optional_field_is_mild() -> None:
    """Plans are partial; what they do not name is no accusation, a default none at all."""
    schema = {"properties": {"limit": {"default": 10}}}
    arguments = {"city": "Rome", "limit": 10, "units": "metric"}
    plan = look(Evidence("t", arguments, schema=schema, plan_arguments={"city": "rome"}))
    assert plan.features["plan.strongest"] < 0.3
    assert [signal.field for signal in plan.signals] == ["/action/arguments/units"]


@settings(max_examples=150, deadline=None)
@given(OBJECTS, OBJECTS, st.none() | OBJECTS, st.text(), st.text())
def test_never_raises(
    called: dict[str, Any], meant: dict[str, Any], schema: Any, text: str, tool: str
) -> None:
    """Any JSON has an answer, the same each time, with every feature there and bounded."""
    given_evidence = Evidence(
        tool, called, schema=schema, plan_text=text, plan_arguments=meant, plan_tool=text
    )
    plan = look(given_evidence)
    assert plan.features.keys() == FEATURES.keys()
    assert all(0.0 <= value <= 1.0 for value in plan.features.values())
    assert len(plan.signals) <= 12
    assert all(0.0 <= signal.contribution <= 1.0 for signal in plan.signals)
    assert msgspec.json.encode(look(given_evidence)) == msgspec.json.encode(plan)


def test_a_long_text_that_differs_at_its_end() -> None:
    """What is too long to be taken apart is the same only if it is the same to the last sign."""
    body = "Please find the figures of this quarter below. " * 60
    meant = {"note": body + "Pay DE89370400440532013000."}
    called = {"note": body + "Pay DE02120300000000202051."}
    assert look(Evidence("mail", called, plan_arguments=meant)).features["plan.strongest"] >= 0.7
    assert not look(Evidence("mail", called, plan_arguments=called)).signals


FIELDS = ("amount", "to", "is_refund", "city", "due_date", "count")
VALUES = {
    "amount": (4500, 9900),
    "to": ("acme", "globex"),
    "is_refund": (False, True),
    "city": ("Rome", "Oslo"),
    "due_date": ("2026-05-03", "2026-06-01"),
    "count": (3, 8),
}


@settings(max_examples=100, deadline=None)
@given(st.sets(st.sampled_from(FIELDS)), st.sets(st.sampled_from(FIELDS)))
def test_more_differences_never_speak_for_the_call(some: set[str], more: set[str]) -> None:
    """Another field that differs never lowers what speaks against the call."""
    few, many = look(changed(some)), look(changed(some | more))
    for name in ("plan.strongest", "plan.second", "plan.count", "plan.hard"):
        assert many.features[name] >= few.features[name]
    assert many.features["plan.agreed"] <= few.features["plan.agreed"]


def changed(fields: set[str]) -> Evidence:
    meant = {name: VALUES[name][0] for name in FIELDS}
    called = {name: VALUES[name][name in fields] for name in FIELDS}
    return Evidence("pay", called, plan_arguments=meant)


@pytest.mark.parametrize("piece", ["a", "9", "a=", "not ", "\u202e", "x, ", "/a"])
def test_hostile_evidence_has_an_answer(piece: str) -> None:
    """A quarter of a megabyte of one thing, in every place, and an object of a thousand depths."""
    text = piece * (262_144 // len(piece))
    deep: Any = text
    for _ in range(500):
        deep = {"a": deep}
    arguments = {
        "to": text,
        "amount": [text] * 200,
        "deep": deep,
        **{f"k{n}": n for n in range(500)},
    }
    meant = {"to": text[:-1] + "!", "amount": [text + "b"] * 200, "deep": text}
    plan = look(
        Evidence(text, arguments, plan_text=text, plan_arguments=meant, plan_tool="x" + text)
    )
    assert len(msgspec.json.encode(plan)) < 65_536

"""Consistency: slips between a request and its call are found, and named by their field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intent.evidence import Evidence, Item, Past
from gateway.intent.v1 import consistency

_HOSTILE = "a" * 20_000 + "\ufeff\u202e" * 500 + "not " * 3_000 + "9" * 5_000
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
_objects = st.dictionaries(st.text(max_size=12), _values, max_size=5)
_texts = st.none() | st.text(max_size=120) | st.sampled_from([_HOSTILE, "do not send 5 to a@b.co"])


def seen(request: str, tool: str, arguments: dict[str, Any], **more: Any) -> Any:
    return consistency.look(Evidence(tool=tool, arguments=arguments, request=request, **more))


# Each: the request, the tool, the right arguments, and the one field with its wrong value.
SLIPS = [
    (
        "charge the customer $45 for the repair",
        "stripe_payment",
        {"customer": "cus_81", "amount": 4500, "is_refund": False},
        "is_refund",
        True,
    ),
    (
        "Cancel the Tuesday visit, but do not email the patient",
        "cancel_visit",
        {"visit": "Tuesday", "email_patient": False},
        "email_patient",
        True,
    ),
    (
        "Close the case without notifying the customer",
        "close_case",
        {"notify": False},
        "notify",
        True,
    ),
    (
        "Turn off two-factor for dana@corp.example",
        "set_two_factor",
        {"user": "dana@corp.example", "enabled": False},
        "enabled",
        True,
    ),
    (
        "Share the report publicly",
        "share_file",
        {"file": "report", "private": False},
        "private",
        True,
    ),
    (
        "Move order ord_61442 to the archive",
        "move_order",
        {"order": "ord_61442"},
        "order",
        "ord_61424",
    ),
    ("Pay $250 to Luis", "send_money", {"to": "Luis", "amount_usd": 250}, "amount_usd", 25000),
    ("Set the timeout to 7 minutes", "set_timeout", {"timeout_seconds": 420}, "timeout_seconds", 7),
    ("Adjust the stock by 12", "adjust_stock", {"by": 12}, "by", -12),
    ("Book the room on 2026-03-14", "book_room", {"date": "2026-03-14"}, "date", "2026-04-14"),
    ("Delete the reports of team blue", "delete_reports", {"team": "blue"}, "team", "*"),
    (
        "Sell 11 shares of BLUE",
        "trade",
        {"symbol": "BLUE", "shares": 11, "side": "sell"},
        "side",
        "buy",
    ),
    (
        "Mail the offer to kim@north.example",
        "send_mail",
        {"to": "kim@north.example"},
        "to",
        "kin@north.example",
    ),
]


@pytest.mark.parametrize(("request_", "tool", "right", "field", "wrong"), SLIPS)
def test_a_slip_is_named_first_and_the_right_call_says_less(
    request_: str, tool: str, right: dict[str, Any], field: str, wrong: Any
) -> None:
    found = seen(request_, tool, {**right, field: wrong})
    fine = seen(request_, tool, right)
    assert found.signals[0].field == f"/action/arguments/{field}"
    assert found.features["strongest"] > fine.features["strongest"] + 0.25


def test_the_flag_of_a_charge_is_caught_with_the_plan_in_words() -> None:
    found = seen(
        "Handle number 88 of cus_81",
        "create_payment",
        {"invoice": 88, "customer": "cus_81", "is_refund": True},
        plan_text="I will charge the customer for invoice 88",
    )
    assert found.signals[0].field == "/action/arguments/is_refund"
    assert found.signals[0].source == "plan.text"


def test_roles_are_told_by_the_words_before() -> None:
    told = "Move $67 from acc_7720 to acc_9907"
    right = {"from_account": "acc_7720", "to_account": "acc_9907", "amount": 67}
    wrong = {"from_account": "acc_9907", "to_account": "acc_7720", "amount": 67}
    assert seen(told, "move_funds", right).features["role_against"] == 0
    found = seen(told, "move_funds", wrong)
    assert found.features["role_against"] == 1
    assert {one.field for one in found.signals[:2]} == {
        "/action/arguments/from_account",
        "/action/arguments/to_account",
    }


@pytest.mark.parametrize(
    ("told", "tool"),
    [
        ("Please refund order 77", "charge_order"),
        ("Give Mira access to the vault", "revoke_access"),
        ("Show me record 8", "delete_record"),
        ("Stop the nightly job", "start_job"),
    ],
)
def test_the_opposite_tool_is_named(told: str, tool: str) -> None:
    found = seen(told, tool, {})
    assert found.signals[0].field == "/action/tool"


def test_what_trusted_content_says_is_no_stranger() -> None:
    call = {"order": "ord_5512"}
    alone = seen("Cancel my last order", "cancel_order", call)
    known = seen("Cancel my last order", "cancel_order", call, context=(Item("ord_5512", True),))
    before = seen("Cancel it", "cancel_order", call, history=(Past("get_order", call),))
    assert known.features["ungrounded"] < alone.features["ungrounded"]
    assert before.features["ungrounded"] < alone.features["ungrounded"]


@settings(deadline=None, max_examples=60)
@given(_texts, _texts, st.text(max_size=20), _objects, st.none() | _objects, _texts)
def test_anything_gives_the_same_bounded_answer_twice(
    told: str | None,
    plan: str | None,
    tool: str,
    arguments: dict[str, Any],
    schema: dict[str, Any] | None,
    content: str | None,
) -> None:
    evidence = Evidence(
        tool=tool,
        arguments=arguments,
        schema=schema,
        request=told,
        plan_text=plan,
        plan_arguments=arguments,
        description=content,
        context=(Item(content or "", trusted=True), Item(content or "")),
        history=(Past(tool, arguments),),
    )
    found = consistency.look(evidence)
    again = consistency.look(evidence)
    assert found.features == again.features
    assert repr(found.signals) == repr(again.signals)
    assert found.features.keys() == consistency.FEATURES.keys()
    assert all(0 <= value <= 1 for value in found.features.values())
    contributions = [one.contribution for one in found.signals]
    assert contributions == sorted(contributions, reverse=True)
    assert all(0 <= each <= 1 for each in contributions)
    assert len(found.signals) <= consistency.MOST_SIGNALS

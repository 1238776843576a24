"""`guard`: every form of function, its name, its arguments, its type."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest
from checkrein import guard


def test_a_bare_guard_names_the_tool_after_the_function_and_binds_by_name(peer):
    """S1-23: three lines connect a tool."""

    @guard
    def refund(customer: str, amount: int = 5, *, note: str = "-") -> str:
        """Give money back.

        The second paragraph is for developers.
        """
        return f"{customer} {amount} {note}"

    assert refund("cus_1", note="late") == "cus_1 5 late"

    action = peer.checks[0]["action"]
    assert action["tool"] == "refund"
    assert action["arguments"] == {"customer": "cus_1", "amount": 5, "note": "late"}
    assert action["description"] == "Give money back."
    assert action["schema"]["properties"]["amount"] == {"type": "integer"}
    assert action["schema"]["required"] == ["customer"]
    assert action["id"].startswith("act_")
    assert len(action["attempt"]) == 16


def test_a_guard_with_arguments_sends_what_it_was_given(peer):
    @guard(
        "stripe.refund",
        side_effects=["payment"],
        amount=("amount", "currency"),
        idempotency_key="order",
    )
    def refund(order: str, amount: int, currency: str) -> None: ...

    refund("9281", 4500, "usd")

    action = peer.checks[0]["action"]
    assert action["tool"] == "stripe.refund"
    assert action["side_effects"] == ["payment"]
    assert action["amount"] == {"value": 4500, "currency": "usd"}
    assert action["id"] == "9281"


async def test_coroutines_stay_coroutines(peer):
    @guard
    async def fetch(url: str) -> str:
        return url.upper()

    assert inspect.iscoroutinefunction(fetch)
    assert await fetch("a") == "A"
    assert peer.checks[0]["action"]["arguments"] == {"url": "a"}


def test_a_generator_is_checked_before_its_body_begins(peer):
    ran: list[str] = []

    @guard
    def lines(n: int) -> Generator[int, str, None]:
        ran.append("began")
        got = yield n
        ran.append(f"got {got}")
        yield n + 1

    items = lines(1)
    assert not peer.checks
    assert next(items) == 1
    assert len(peer.checks) == 1
    assert items.send("x") == 2
    assert list(items) == []
    assert ran == ["began", "got x"]


async def test_an_asynchronous_generator_is_checked_before_its_body_begins(peer):
    @guard
    async def pages(n: int) -> AsyncIterator[int]:
        for page in range(n):
            yield page

    items = pages(3)
    assert not peer.checks
    assert [item async for item in items] == [0, 1, 2]
    assert len(peer.checks) == 1


def test_throwing_into_a_generator_reaches_its_body(peer):
    @guard
    def steps() -> Generator[str, None, None]:
        try:
            yield "first"
        except KeyError:
            yield "mended"

    items = steps()
    next(items)

    assert items.throw(KeyError("x")) == "mended"


class Desk:
    """Methods of every kind."""

    @guard
    def plain(self, a: int) -> tuple[Any, int]:
        return (self, a)

    @guard
    @classmethod
    def outer(cls, a: int) -> tuple[Any, int]:
        return (cls, a)

    @classmethod
    @guard
    def inner(cls, a: int) -> tuple[Any, int]:
        return (cls, a)

    @guard("desk.fixed")
    @staticmethod
    def fixed(a: int) -> int:
        return a


def test_methods_are_guarded_without_their_receiver(peer):
    desk = Desk()

    assert desk.plain(1) == (desk, 1)
    assert Desk.outer(2) == (Desk, 2)
    assert desk.inner(3) == (Desk, 3)
    assert Desk.fixed(4) == 4

    assert [check["action"]["arguments"] for check in peer.checks] == [
        {"a": 1},
        {"a": 2},
        {"a": 3},
        {"a": 4},
    ]
    assert [check["action"]["tool"] for check in peer.checks] == [
        "Desk.plain",
        "Desk.outer",
        "Desk.inner",
        "desk.fixed",
    ]


def test_what_a_partial_fixes_is_checked_too(peer):
    def pay(to: str, amount: int, memo: str = "") -> str:
        return f"{to} {amount} {memo}"

    pay_evil = guard(functools.partial(pay, "acct_evil", memo="x"))

    assert pay_evil(5) == "acct_evil 5 x"
    assert peer.checks[0]["action"]["arguments"] == {"to": "acct_evil", "amount": 5, "memo": "x"}
    assert peer.checks[0]["action"]["tool"].endswith("pay")


def test_extra_keyword_arguments_are_seen_by_name_and_positional_ones_as_a_list(peer):
    @guard
    def call(name: str, /, *rest: int, **more: Any) -> Any:
        return name, rest, more

    assert call("a", 1, 2, to="b") == ("a", (1, 2), {"to": "b"})
    assert call("a", name="hidden") == ("a", (), {"name": "hidden"})

    assert peer.checks[0]["action"]["arguments"] == {"name": "a", "rest": [1, 2], "to": "b"}
    assert peer.checks[1]["action"]["arguments"] == {"name": "a", "**more": {"name": "hidden"}}


def test_the_wrapper_looks_like_the_function():
    def tool(a: int, b: str = "x") -> bool:
        """What it does."""
        return True

    guarded = guard(tool)

    assert inspect.unwrap(guarded) is tool
    assert inspect.signature(guarded) == inspect.signature(tool)
    assert guarded.__doc__ == "What it does."
    assert guarded.__annotations__ == tool.__annotations__


def test_a_call_that_does_not_fit_is_the_usual_type_error_and_asks_nobody(peer):
    @guard
    def tool(a: int) -> None: ...

    with pytest.raises(TypeError, match="missing a required argument"):
        tool()  # type: ignore[call-arg]
    assert not peer.checks


def test_a_key_that_the_gateway_would_refuse_is_sent_as_its_digest(peer):
    """An odd character in what the agent wrote must not be a way to an unchecked call."""

    @guard(idempotency_key="order")
    def tool(order: str) -> None: ...

    for order in ("9281", " 9281", "9281\u200b", "x" * 300, "cafe\u0301"):
        tool(order)

    ids = [check["action"]["id"] for check in peer.checks]
    assert ids[0] == "9281"
    assert all(id_.startswith("sha256:") and len(id_) == 71 for id_ in ids[1:])
    assert len(set(ids)) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"side_effects": ["pay"]},
        {"side_effects": "payment"},
        {"redact": ["crad"]},
        {"redact": "card"},
        {"on_unavailable": "alow"},
        {"capture": "all"},
        {"idempotency_key": "ordr"},
        {"amount": ("amount", "curency")},
    ],
)
def test_a_misspelt_option_is_refused_where_it_is_written(wrong):
    with pytest.raises((ValueError, TypeError)):

        @guard(**wrong)
        def pay(card: str, order: str, amount: int, currency: str) -> None: ...

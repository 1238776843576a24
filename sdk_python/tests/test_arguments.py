"""E3: what is checked is what runs. Arguments as JSON, their digest, changes by the gateway."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
import rfc8785
from checkrein import Blocked, guard
from checkrein._canonical import canonical, digest
from checkrein._masking import Masker, Tokens, unmask
from checkrein._plain import Plainer
from checkrein._sizes import fit
from hypothesis import given
from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_the_digest_is_that_of_the_canonical_form(value):
    """E3: the reference implementation of RFC 8785 makes the same bytes."""
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 10}, {"a": 10.0}, True),
        ({"a": 10}, {"a": "10"}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": -0.0}, {"a": 0}, True),
    ],
)
def test_equal_calls_have_equal_digests(one, other, equal):
    assert (digest(one) == digest(other)) is equal


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Card:
    number: str
    limits: list[Decimal]


class Point(NamedTuple):
    x: int
    y: int


class Struct(msgspec.Struct):
    at: datetime


class Connection:
    pass


class Chatty:
    def __repr__(self) -> str:
        return "x" * 10_000


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (2**53, str(2**53)),
        (-(2**60), str(-(2**60))),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (Decimal("4.50"), "4.50"),
        (Colour.RED, "red"),
        (Card("4", [Decimal(1)]), {"number": "4", "limits": ["1"]}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Struct(datetime(2026, 11, 20, tzinfo=UTC)), {"at": "2026-11-20T00:00:00Z"}),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, (2,)), [1, [2]]),
        (b"\x00\xff", "AP8="),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        (range(3), "range(0, 3)"),
        (1e22, "1e+22"),
        (1e-7, "1e-07"),
        (0.25, 0.25),
    ],
)
def test_python_values_have_one_plain_form(value, plain):
    made = Plainer()(value)

    assert made.value == plain
    assert made.exact


def test_an_object_without_words_of_its_own_is_its_class_and_a_long_repr_is_cut():
    assert Plainer()(Connection()).value.endswith(".Connection>")
    assert "0x" not in Plainer()(Connection()).value
    assert len(Plainer()(Chatty()).value) == 256


@pytest.mark.parametrize(
    "lossy",
    [
        "half a \ud800 pair",
        {1: "a", "1": "b"},
        [0] * 20_000,
        {"k": [[]] * 13_000},
    ],
)
def test_content_that_is_lost_is_said_to_be_lost(lossy):
    assert not Plainer()(lossy).exact


def test_a_structure_that_contains_itself_ends():
    loop: list[Any] = []
    loop += [loop, loop]

    assert not Plainer()(loop).exact


def test_what_is_too_large_is_cut_with_a_marker_and_small_fields_survive():
    value, cut = fit({"to": "acct_1", "body": "x" * 300_000, "rows": list(range(5000))}, 50_000)

    assert cut
    assert value["to"] == "acct_1"
    assert value["body"].endswith("more]")
    assert len(msgspec.json.encode(value)) <= 50_000


def test_a_call_that_cannot_be_checked_as_a_whole_does_not_run_where_calls_are_blocked(peer):
    """Padding must not be a way around a rule, not even in a development environment."""
    peer.configure(environment="development")
    ran: list[str] = []

    @guard
    def write(body: str) -> None:
        ran.append(body)

    with pytest.raises(Blocked, match="too large"):
        write("x" * 300_000)
    assert ran == []
    assert len(peer.bodies[0]) < 256 * 1024

    peer.default = peer.decision("allow", mode="log")
    write("x" * 300_000)
    assert len(ran) == 1


def test_a_read_may_be_too_large_to_check(peer):
    @guard(side_effects=["read"])
    def search(text: str) -> int:
        return len(text)

    assert search("x" * 300_000) == 300_000


def test_arguments_changed_between_check_and_call_do_not_run(peer):
    """E3: another task changes the list while the gateway is asked."""
    ran: list[Any] = []

    @guard
    async def send(to: list[str]) -> None:
        ran.append(list(to))

    async def agent() -> None:
        to = ["a@inside.example"]

        def reply(handler: Any, check: Any) -> None:
            to.append("mail@outside.example")
            peer.decision("allow")(handler, check)

        peer.default = reply
        await send(to)

    with pytest.raises(Blocked, match="changed"):
        asyncio.run(agent())
    assert ran == []


def test_an_object_whose_repr_changes_is_not_a_changed_argument(peer):
    class Client:
        requests = 0

        def __repr__(self) -> str:
            Client.requests += 1
            return f"<Client {Client.requests}>"

    @guard
    def fetch(client: Client, urls: list[str]) -> str:
        return "ran"

    assert fetch(Client(), ["a"]) == "ran"


def test_an_enforced_modify_runs_with_the_changed_arguments(peer):
    peer.default = peer.decision(
        "modify", arguments={"to": ["b"], "amount": 10, "memo": "m", "rate": 0.5, "more": True}
    )
    ran: list[Any] = []

    @guard
    def pay(to: list[str], amount: int, *, memo: str = "-", rate: float = 1.0, **rest: Any) -> None:
        ran.append((to, amount, memo, rate, rest))

    pay(["a", "b"], 500)

    assert ran == [(["b"], 10, "m", 0.5, {"more": True})]


def test_what_a_modify_leaves_alone_stays_the_very_object(peer):
    ran: list[Any] = []

    @guard
    def pay(when: datetime, limit: Decimal, client: Connection, /, amount: int, *rest: int) -> None:
        ran.append((when, limit, client, amount, rest))

    def reply(handler: Any, check: Any) -> None:
        changed = {**check["action"]["arguments"], "amount": 1, "limit": "9.99", "rest": [3]}
        peer.decision("modify", arguments=changed)(handler, check)

    peer.default = reply
    when, client = datetime.now(UTC), Connection()
    pay(when, Decimal(5), client, 100, 7, 8)

    assert ran == [(when, Decimal("9.99"), client, 1, (3,))]
    assert ran[0][0] is when
    assert ran[0][2] is client


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": 5, "unknown": 1},
        {},
        {"amount": "five"},
        {"amount": None},
    ],
)
def test_changed_arguments_that_do_not_fit_do_not_run_anything(peer, arguments):
    peer.configure(environment="development")
    peer.default = peer.decision("modify", arguments=arguments)
    ran: list[int] = []

    @guard
    def pay(amount: int) -> None:
        ran.append(amount)

    with pytest.raises(Blocked):
        pay(5000)
    assert ran == []


def test_a_modify_gives_the_tool_true_values_for_masked_ones(peer):
    """The gateway sees tokens and returns tokens; the tool gets what stood there."""
    ran: list[Any] = []

    @guard(redact=["card"])
    def send(to: list[str], body: str, card: str, amount: int) -> None:
        ran.append((to, body, card, amount))

    def reply(handler: Any, check: Any) -> None:
        sent = check["action"]["arguments"]
        changed = {**sent, "to": sent["to"][1:], "amount": 1, "body": f"To {sent['to'][1]}: hello"}
        peer.decision("modify", arguments=changed)(handler, check)

    peer.default = reply
    send(["evil@outside.example", "anna@inside.example"], "hello", "any words", 10)

    sent = peer.bodies[0].decode()
    assert "anna@" not in sent
    assert "any words" not in sent
    assert ran == [(["anna@inside.example"], "To anna@inside.example: hello", "any words", 1)]


def test_a_token_that_stands_for_two_spellings_is_not_turned_back(peer):
    """One card, written twice in different ways: nobody can say which was meant."""

    def reply(handler: Any, check: Any) -> None:
        changed = {
            **check["action"]["arguments"],
            "memo": check["action"]["arguments"]["one"] + "!",
        }
        peer.decision("modify", arguments=changed)(handler, check)

    @guard
    def pay(one: str, two: str, memo: str) -> None:
        raise AssertionError("must not run")

    peer.default = reply
    with pytest.raises(Blocked, match="do not fit"):
        pay("4242424242424242", "4242 4242 4242 4242", "")


def test_a_token_that_the_agent_wrote_itself_is_never_turned_into_a_secret():
    """An agent that guesses or repeats a token's text must not get the secret put in its place."""
    masker, tokens = Masker(key=b"k" * 32), Tokens()
    secret = "sk_live_" + "a1B2" * 6
    token = masker.text(secret)
    raw = {"key": secret, "body": f"hello {token}"}
    masked = masker.value(raw, tokens)

    with pytest.raises(Exception, match="api_key"):
        unmask({**masked, "body": f"changed {token}"}, masked, raw, tokens)

"""S9: whatever bytes come, the gate decides as the plain rules do, and nothing gets through."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.checking import gate
from gateway.checking.limits import LIMITS, Limits
from gateway.domain.check import ActionCheck
from gateway.errors import Problem
from tests.gate import reference

# So small that examples stand on both sides of each limit all the time.
TIGHT = Limits(body_bytes=400, depth=4, nodes=12, exponents=2, key_chars=6)
ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

BLANK = st.sampled_from(["", "", "", " ", "\n\t", "  "])
NUMBERS = st.one_of(
    st.integers(-3, 3).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.integers(2**53 - 3, 2**53 + 3).map(str),
    st.integers(-(2**53) - 3, 3 - 2**53).map(str),
    st.integers(120, 132).map(lambda digits: "0." + "3" * digits),
)
LITERALS = st.sampled_from(["true", "false", "null"])
# What structure is made of, and what an unequal reader of strings would stumble over.
ESCAPES = [r"\"", r"\\", r"\n", r"\/", r"\u0061", r"\u0022", r"\u003a", r"\u005C", r"\ud83d\ude00"]
PIECES = st.sampled_from([*ESCAPES, *"ab:,[]{}é😀 /~", "1e9", "9" * 17])
STRINGS = st.lists(PIECES, max_size=8).map(lambda pieces: f'"{"".join(pieces)}"')
# Few keys, spelt in several ways, so that objects repeat them.
KEYS = st.one_of(st.sampled_from(['"a"', r'"\u0061"', '"b"', '""', r'"\""', r'"\\"']), STRINGS)


def joined(open_: str, close: str, items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.lists(st.tuples(BLANK, items, BLANK).map("".join), max_size=5)
    return st.tuples(parts, BLANK).map(
        lambda drawn: open_ + (",".join(drawn[0]) or drawn[1]) + close
    )


def containers(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(KEYS, BLANK, st.just(":"), BLANK, items).map("".join)
    return st.one_of(joined("[", "]", items), joined("{", "}", members))


JSON_TEXTS = st.recursive(st.one_of(NUMBERS, LITERALS, STRINGS), containers, max_leaves=12)
BODIES = st.tuples(BLANK, JSON_TEXTS, BLANK).map(lambda parts: "".join(parts).encode())


def outcome(decode: Callable[[], Any]) -> tuple[str, Any]:
    """The code and the pointer of a refusal, or "accepted" and the value."""
    try:
        return "accepted", decode()
    except Problem as problem:
        return problem.code, problem.pointer


def assert_as_the_plain_rules(body: bytes, limits: Limits) -> None:
    code, result = outcome(lambda: gate.decode(body, ANYTHING, limits))

    deserved = reference.offences(body, limits)
    if code == "accepted":
        assert deserved == {}
        # By their text, so that 1 and 1.0, and 0.0 and -0.0, are told apart.
        assert repr(result) == repr(reference.value(body))
    elif "not_json" in deserved:
        # What is no JSON has no true depth or count: any reason will do.
        assert code in get_args(gate.GateCode)
    else:
        assert code in deserved
        assert result in deserved[code]


@settings(max_examples=2000)
@given(BODIES)
def test_the_quick_gate_decides_as_the_plain_rules_do(body: bytes):
    """S9: one of the codes deserved at one of the places, or the very value that was sent."""
    assert_as_the_plain_rules(body, TIGHT)


@settings(max_examples=1500)
@given(st.lists(st.one_of(PIECES, st.sampled_from(['"', "\\", "-", "0", "e", "."]))).map("".join))
def test_what_is_nearly_json_is_decided_as_the_plain_rules_do(text: str):
    assert_as_the_plain_rules(text.encode(), TIGHT)


@settings(max_examples=500)
@given(st.binary(max_size=40))
def test_any_bytes_are_decided_as_the_plain_rules_do(body: bytes):
    assert_as_the_plain_rules(body, TIGHT)


VALID = {
    "action": {
        "id": "act_1",
        "tool": "stripe.refund",
        "arguments": {"customer": "cus_9281", "amount": 450000, "rate": 0.25, "note": 'a "b"\\'},
        "side_effects": ["payment"],
        "amount": {"value": 450000, "currency": "USD"},
    },
    "run": {"id": "run_1", "agent_id": "é"},
    "request": {"user": "Refund order 9281.", "plan": {"text": "t", "arguments": {"a": [1, {}]}}},
    "context": [{"id": "c1", "text": "page"}, {"ref": "c0"}],
    "tools_available": ["a", {"name": "b"}],
    "events": [
        {"type": "turn_started", "turn_id": "t1"},
        {"type": "model_call", "messages": [{"role": "user"}], "usage": {"input_tokens": 5}},
    ],
}
SPELLINGS = [
    msgspec.json.encode(VALID),
    json.dumps(VALID).encode(),
    json.dumps(VALID, indent=2, ensure_ascii=False).encode(),
]
SPLICES = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"1e9",
    b"e",
    b"9" * 20,
    b"NaN",
    b"\xff",
]
SPLICES += [b'"a":1,', b'"tool":"x",', b"\\u0022", b"\\ud800", b"\xed\xa0\x80", b"\x00", b"-", b"."]


def mutated(rng: random.Random) -> bytes:
    """A valid body with one to four cuts, copies, splices or flips."""
    body = bytearray(rng.choice(SPELLINGS))
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(body) + 1)
        end = min(len(body), start + rng.choice([0, 1, 1, 2, 8, 40]))
        other = rng.randrange(len(body) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            del body[start:end]
        elif kind == 1:
            body[other:other] = body[start:end]
        elif kind == 2:
            body[start:start] = rng.choice(SPLICES)
        elif start < len(body):
            body[start] ^= 1 << rng.randrange(8)
    return bytes(body)


def assert_nothing_gets_through(body: bytes) -> str:
    """The code of the answer, after checking that it is an honest one."""
    code, result = outcome(lambda: gate.decode_check(body))

    deserved = reference.offences(body, LIMITS)
    if code == "accepted":
        assert deserved == {}
        assert result == msgspec.convert(reference.value(body), ActionCheck)
    else:
        assert code in get_args(gate.GateCode)
        assert "not_json" in deserved or result is not None
        assert not deserved.keys() - {"not_json"} or code in deserved
    return code


@pytest.mark.parametrize("seed", range(5))
def test_a_mutated_check_is_refused_as_a_problem_or_read_as_every_reader_would(seed: int):
    """S9: of 100,000 mutations each is a Problem or understood; nothing else is raised."""
    rng = random.Random(seed)

    codes = {assert_nothing_gets_through(mutated(rng)) for _ in range(20_000)}

    # The campaign reaches deep enough to be worth running.
    assert codes >= {"accepted", "not_json", "duplicate_key", "unknown_field", "not_utf8"}


@settings(max_examples=500)
@given(st.data())
def test_a_member_repeated_anywhere_is_found(data: st.DataObject):
    """A decoder alone would take the last one; the tool might take the first."""
    text = data.draw(st.sampled_from(SPELLINGS)).decode()
    opener = data.draw(st.sampled_from([i for i, char in enumerate(text) if char == "{"]))
    twin = data.draw(st.sampled_from(['"tool" :1', r'"t\u006fol":"\u0022:"', '"tool":[{}]']))

    body = f'{text[: opener + 1]}{twin},"tool":"x",{text[opener + 1 :]}'
    if body.startswith(text[: opener + 1] + twin + ',"tool":"x",}'):
        body = body.replace('"x",}', '"x"}', 1)

    code, pointer = outcome(lambda: gate.decode_check(body.encode()))
    assert code == "duplicate_key"
    assert str(pointer).endswith("/tool")

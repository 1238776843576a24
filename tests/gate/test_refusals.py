"""S9 and the table of hostile inputs: each case has one code and one JSON Pointer."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args

import msgspec
import pytest

from gateway.checking import gate
from gateway.checking.limits import Limits
from gateway.domain.check import ActionCheck
from gateway.errors import BadRequest, Problem, TooLarge

KIB = 1024


def check(arguments: str = "{}", action: str = "", rest: str = "") -> bytes:
    """A check in JSON text, so that a test can write what no encoder would."""
    return f'{{"action":{{"tool":"t","arguments":{arguments}{action}}}{rest}}}'.encode()


def refusal(body: bytes) -> tuple[str, str | None]:
    with pytest.raises(Problem) as caught:
        gate.decode_check(body)
    assert caught.value.status == (413 if caught.value.code == "body_too_large" else 400)
    return caught.value.code, caught.value.pointer


def nest(levels: int) -> str:
    return "[" * levels + "]" * levels


def items(text: str, count: int) -> str:
    return "[" + ",".join([text] * count) + "]"


# Code, then: what the body is, the body, the pointer.
REFUSED: dict[str, list[tuple[str, bytes, str]]] = {
    "body_too_large": [
        ("a byte over 256 KiB", b'"' + b"a" * (256 * KIB - 1) + b'"', ""),
    ],
    "empty_body": [
        ("nothing", b"", ""),
        ("white space alone", b" \r\n\t", ""),
    ],
    "not_utf8": [
        ("a byte of no character", b'{"action":{"tool":"\xff"}}', ""),
        ("an overlong slash", b'{"action":{"tool":"\xc0\xaf"}}', ""),
        ("a surrogate in UTF-8", b'{"action":{"tool":"\xed\xa0\x80"}}', ""),
        ("Latin-1", '{"action":{"tool":"caf\xe9"}}'.encode("latin-1"), ""),
        ("UTF-16", '{"action":{}}'.encode("utf-16"), ""),
    ],
    "not_json": [
        ("UTF-16 without a mark", '{"action":{}}'.encode("utf-16-le"), ""),
        ("a byte order mark", b"\xef\xbb\xbf" + check(), ""),
        ("a form", b"tool=stripe.refund&amount=4500", ""),
        ("text after the end", check() + b"x", ""),
        ("two documents", check() + b"\n" + check(), ""),
        ("a trailing comma in an object", b'{"action":{"tool":"t"},}', ""),
        ("a trailing comma in an array", check("[1,]"), ""),
        ("NaN", check('{"x":NaN}'), ""),
        ("Infinity", check('{"x":-Infinity}'), ""),
        ("a comment", check() + b"//", ""),
        ("a single quote", b"{'action':1}", ""),
        ("a leading zero", check('{"x":01}'), ""),
        ("a number without an end", check('{"x":1.}'), ""),
        ("a plus sign", check('{"x":+1}'), ""),
        ("a control character in a string", check('{"x":"\x01"}'), ""),
        ("a line end in a string", check('{"x":"a\nb"}'), ""),
        ("an unknown escape", check(r'{"x":"\q"}'), ""),
        ("a lone high surrogate", check(r'{"x":"\ud800"}'), ""),
        ("a lone low surrogate", check(r'{"x":"\udc00"}'), ""),
        ("a lone surrogate in a key", check(r'{"\ud800":1}'), ""),
        ("half of a body", check()[:-1], ""),
        ("a string without an end", check()[:12], ""),
        ("a string of escaped quotes without an end", b'"' + b'\\"' * 130_000, ""),
        ("brackets that do not match", check('{"x":[}}'), ""),
        ("a null byte", b"\x00", ""),
    ],
    "too_deep": [
        ("65 levels", check(f'{{"x":{nest(62)}}}'), "/action/arguments/x" + "/0" * 61),
        ("65 levels of objects", b'{"a":' * 65 + b"1" + b"}" * 65, "/a" * 64),
        ("500 levels", nest(500).encode(), "/0" * 64),
        ("10,000 levels", nest(10_000).encode(), ""),
        ("100 levels that never close", b"[" * 100, ""),
        ("levels that never close between empty arrays", b"[[]," * 5000, ""),
        ("levels that close too often", b"[" * 5000 + b"]" * 200_000, ""),
    ],
    "too_many_nodes": [
        ("brackets alone", b"[" * 256 * KIB, ""),
        ("objects alone", b'{"a":' * 50_000, ""),
        ("20,001 values", check(items("1", 19_997)), ""),
        ("a flood of arrays", check(items("[]", 80_000)), ""),
        ("a flood of objects", check(items("{}", 80_000)), ""),
        ("a flood of strings", check(items('""', 80_000)), ""),
        ("a fuller flood", check(items("1e308", 43_000)), ""),
    ],
    "too_many_exponents": [
        ("17 exponents", check(items("1e308", 17)), ""),
        ("17 negative exponents", check(items("1E-300", 17)), ""),
        ("a flood of exponents", check(items("1e308", 19_000)), ""),
    ],
    "number_out_of_range": [
        ("2^53", check('{"x":9007199254740992}'), "/action/arguments/x"),
        ("-2^53", check('{"x":-9007199254740992}'), "/action/arguments/x"),
        (
            "2^53 in a field of the envelope",
            check(action=',"amount":{"value":9007199254740992,"currency":"USD"}'),
            "/action/amount/value",
        ),
        ("30 digits", check(f'{{"a":[0,{"7" * 30}]}}'), "/action/arguments/a/1"),
        ("250,000 digits", check(f'{{"x":{"1" * 250_000}}}'), "/action/arguments/x"),
        ("an overflow", check('{"a":{"b":1e999}}'), "/action/arguments/a/b"),
        ("a negative overflow", check('{"b":-1e309}'), "/action/arguments/b"),
        ("129 characters", check(f'{{"x":0.{"3" * 127}}}'), "/action/arguments/x"),
    ],
    "key_too_long": [
        ("513 characters", check(f'{{"a":{{"{"k" * 513}":1}}}}'), "/action/arguments/a"),
        ("513 beyond ASCII", check(f'{{"{"é" * 513}":1}}'), "/action/arguments"),
        ("513 escaped", check(rf'{{"{chr(92) * 1026}" : 1}}'), "/action/arguments"),
    ],
    "duplicate_key": [
        ("twice at the top", b'{"action":{"tool":"a"},"action":{"tool":"b"}}', "/action"),
        ("twice in the action", check(action=',"tool":"u"'), "/action/tool"),
        ("twice in the run", check(rest=',"run":{"id":"a","id":"a"}'), "/run/id"),
        ("twice in the arguments", check('{"a":1,"a":1}'), "/action/arguments/a"),
        ("twice with an escape", check(r'{"a":1,"\u0061":2}'), "/action/arguments/a"),
        ("twice with white space", check('{"a" : 1, "a"\t: 2}'), "/action/arguments/a"),
        ("twice further down", check('{"a":[{"b":1,"b":2}]}'), "/action/arguments/a/0/b"),
        ("the empty key twice", check('{"":1,"":2}'), "/action/arguments/"),
        ("a slash in it", check('{"a/~":1,"a/~":2}'), "/action/arguments/a~1~0"),
        ("twice, and a text after a colon", check('{"a" :1,"a":":"}'), "/action/arguments/a"),
        (
            "twice, and a text that reads like another key",
            check(r'{"a":1,"a":"\u0022:"}'),
            "/action/arguments/a",
        ),
        (
            "twice in an observation",
            check(rest=',"events":[{"type":"turn_started"},{"type":"plan","type":"plan"}]'),
            "/events/1/type",
        ),
    ],
    "wrong_type": [
        ("an array", b"[]", ""),
        ("null", b"null", ""),
        ("a tool that is a number", b'{"action":{"tool":1}}', "/action/tool"),
        ("arguments that are an array", check("[]"), "/action/arguments"),
        (
            "an amount in fractions",
            check(action=',"amount":{"value":1.5,"currency":"x"}'),
            "/action/amount/value",
        ),
        ("the second item", check(rest=',"context":[{"id":"a"},{"id":2}]'), "/context/1/id"),
        (
            "a field of an observation",
            check(rest=',"events":[{"type":"plan","text":3}]'),
            "/events/0/text",
        ),
    ],
    "missing_field": [
        ("no action", b"{}", "/action"),
        ("no tool", b'{"action":{}}', "/action/tool"),
        ("an observation without a type", check(rest=',"events":[{}]'), "/events/0/type"),
    ],
    "unknown_field": [
        ("an unknown field", check(rest=',"intent":"x"'), "/intent"),
        ("an unknown field further down", check(action=',"args":{}'), "/action/args"),
        (
            "an unknown field of an item",
            check(rest=',"tools_available":[{"name":"a","x":1}]'),
            "/tools_available/0/x",
        ),
        ("the gateway's own word", check(rest=',"verdict":"allow"'), "/verdict"),
        ("a slash in a field", check(rest=',"a/b":1'), "/a~1b"),
        (
            "a name that reads like a place",
            check(rest=',"x` - at `$.action":1'),
            "/x` - at `$.action",
        ),
    ],
    "value_out_of_range": [
        (
            "an unknown type of observation",
            check(rest=',"events":[{"type":"decision"}]'),
            "/events/0/type",
        ),
        (
            "an unknown side effect",
            check(action=',"side_effects":["read","fly"]'),
            "/action/side_effects/1",
        ),
        (
            "a word that reads like a type",
            check(action=',"side_effects":["Expected `a`, got `b`"]'),
            "/action/side_effects/0",
        ),
        (
            "a word that reads like a place",
            check(action=',"side_effects":["a` - at `$.run"]'),
            "/action/side_effects/0",
        ),
        ("an empty tool", b'{"action":{"tool":""}}', "/action/tool"),
        (
            "a tool of 257 characters",
            check().replace(b'"t"', b'"' + b"t" * 257 + b'"'),
            "/action/tool",
        ),
        ("257 items of context", check(rest=f',"context":{items("{}", 257)}'), "/context"),
        (
            "a size below zero",
            check(rest=',"events":[{"type":"artifact","name":"a","size":-1}]'),
            "/events/0/size",
        ),
    ],
    "bad_name": [
        ("an escape sequence in a tool", check().replace(b'"t"', b'"t\\u001b[2J"'), "/action/tool"),
    ],
}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        pytest.param(body, code, pointer, id=name)
        for code, rows in REFUSED.items()
        for name, body, pointer in rows
    ],
)
def test_a_hostile_body_is_refused_with_one_code_at_one_place(body: bytes, code: str, pointer: str):
    """S9: each case of the table has exactly one expected code, and says where."""
    assert refusal(body) == (code, pointer)


def test_the_table_has_a_case_for_every_code():
    assert set(REFUSED) == set(get_args(gate.GateCode))


ACCEPTED: dict[str, bytes] = {
    "256 KiB exactly": check().ljust(256 * KIB),
    "64 levels": check(f'{{"x":{nest(61)}}}'),
    "20,000 values": check(f'{{"x":{items("1", 19_995)}}}'),
    "16 exponents": check(f'{{"x":{items("1e308", 16)}}}'),
    "2^53 - 1": check('{"x":[9007199254740991,-9007199254740991]}'),
    "a double of 17 digits": check('{"x":0.30000000000000004}'),
    "a large double": check('{"x":123456789012345678901234567890.0}'),
    "128 characters of a number": check(f'{{"x":0.{"3" * 126}}}'),
    "an underflow": check('{"x":1e-999}'),
    "a key of 512 characters": check(f'{{"{"k" * 512}":1}}'),
    "512 characters beyond ASCII": check(f'{{"{"é" * 512}":1}}'),
    "512 escaped characters": check(rf'{{"{chr(92) * 1024}":1}}'),
    "a long text": check(f'{{"x":"{"k" * 5000}"}}'),
    "brackets in a text": check('{"x":"' + "[{" * 1000 + '"}'),
    "commas in a text": check('{"x":"' + "a," * 30_000 + '"}'),
    "exponents in a text": check('{"x":"' + "1e308," * 1000 + '"}'),
    "digits in a text": check('{"x":"' + "9" * 1000 + '"}'),
    "hexadecimal ids": check('{"x":' + items('"9e1e2e3e4e5e6e7e8e"', 100) + "}"),
    "a text that reads like keys": check(r'{"a":"\",\"b\":1,\"b\":1"}'),
    "a key that ends in a backslash": check(r'{"a\\":1,"b\":":2,"c\\\"":3}'),
    "the same key in two objects": check('{"a":{"b":1},"c":{"b":1},"b":1}'),
    "the same key in two cases": check('{"a":1,"A":1}'),
    "a surrogate pair": check(r'{"x":"\ud83d\ude00"}'),
    "white space everywhere": b' { "action" :\n{ "tool"\t: "t" , "arguments" : { } } }\r\n',
    "what json.dumps writes": json.dumps(
        {"action": {"tool": "t", "arguments": {"é": ["ü", 1.5, None, {"a:b": '"'}]}}}
    ).encode(),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ACCEPTED.items()])
def test_what_only_looks_hostile_is_accepted_as_it_is(body: bytes):
    """S9: a limit is met exactly, and text inside strings is never mistaken for structure."""
    accepted = gate.decode_check(body)

    assert accepted == msgspec.convert(json.loads(body), ActionCheck)


def test_a_byte_order_mark_is_called_by_its_name():
    """It cannot be seen in an editor, so the answer has to say it."""
    with pytest.raises(BadRequest, match="byte order mark"):
        gate.decode_check(b"\xef\xbb\xbf" + check())


class Labelled(msgspec.Struct):
    labels: dict[Annotated[str, msgspec.Meta(max_length=3)], list[int]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"labels":{"a":[1],"b":[1,"2"]}}', "wrong_type"),
        (b'{"labels":{"a":[1],"bcde":[1]}}', "value_out_of_range"),
    ],
)
def test_a_pointer_into_a_mapping_stops_at_the_mapping(body: bytes, code: str):
    """The decoder does not tell the member, and a wrong pointer would be worse than a short one."""
    with pytest.raises(BadRequest) as caught:
        gate.decode(body, msgspec.json.Decoder(Labelled))

    assert (caught.value.code, caught.value.pointer) == (code, "/labels")


def test_an_answer_does_not_repeat_a_long_value():
    long_word = "w" * 100_000

    with pytest.raises(BadRequest) as caught:
        gate.decode_check(check(action=f',"side_effects":["{long_word}"]'))

    assert caught.value.pointer == "/action/side_effects/0"
    assert len(caught.value.detail) < 300


def test_limits_belong_to_the_route():
    """A route may bound its bodies differently."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

    with pytest.raises(TooLarge, match="8 bytes"):
        gate.decode(b'{"a":1,"b":2}', decoder, Limits(body_bytes=8))


def test_a_pointer_too_long_to_read_is_that_of_something_above():
    """No answer repeats more of a body than helps."""
    deep = "".join(f'{{"{"k" * 500}":' for _ in range(6)) + '{"a":1,"a":2}' + "}" * 6

    code, pointer = refusal(check(deep))

    assert code == "duplicate_key"
    assert pointer == "/action/arguments" + f"/{'k' * 500}" * 2

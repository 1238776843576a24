"""S9: no body of 256 KiB keeps the event loop busy for long, whatever it holds.

Time depends on the machine, so what is counted is work: calls that the interpreter makes. Each is
one pass of C code over the body at most, or one step for one value.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from gateway.checking import gate
from gateway.checking.limits import LIMITS
from gateway.errors import Problem

SIZE = LIMITS.body_bytes
PARSERS = ("Decoder.decode", "loads")


def filled(piece: bytes, opener: bytes = b"[", closer: bytes = b"]", last: bytes = b"0") -> bytes:
    room = SIZE - len(opener) - len(last) - len(closer)
    return opener + piece * (room // len(piece)) + last + closer


# What counting alone must refuse: to parse it would be slow, or would make a value for each byte.
COUNTED: dict[str, bytes] = {
    "open brackets": b"[" * SIZE,
    "open objects": b'{"a":' * (SIZE // 5),
    "empty arrays": filled(b"[],"),
    "empty objects": filled(b"{},"),
    "digits": filled(b"1,"),
    "empty strings": filled(b'"",'),
    "repeated members": filled(b'"\\u0061":1,', b"{", b"}", b'"b":1'),
    "commas": b"," * SIZE,
    "large exponents": filled(b"1e308,"),
    "large exponents, fewer": b"[" + b"1e308," * 19_000 + b"1]",
    "small exponents": filled(b"1.7976931348623157e-308,"),
    "too many bytes": b" " * (SIZE + 1),
    "white space": b" " * SIZE,
    "not UTF-8": b'"' + b"a" * (SIZE - 3) + b'"\xff',
}

# What a parser does see, and at worst a search for the place as well.
PARSED: dict[str, bytes] = {
    "one long number": b"1" * SIZE,
    "quotes": b'"' * SIZE,
    "backslashes": b"\\" * SIZE,
    "escaped quotes": b'"' + b'\\"' * (SIZE // 2 - 1) + b'"',
    "escaped quotes without an end": b'"' + b'\\"' * (SIZE // 2 - 1),
    "escaped characters": b'"' + b"\\u00e9" * (SIZE // 6 - 1) + b'"',
    "colons": b":" * SIZE,
    "unlike brackets": b"[}" * (SIZE // 2),
    "null bytes": b"\x00" * SIZE,
    "deep": b"[" * 19_000 + b"]" * 19_000,
    "deep, and closed too often": b"[" * 64 + b"]" * (SIZE - 64),
    "deep at the end": b"[" + b"[]," * 19_900 + b"[" * 65 + b"]" * 66,
    "as many values as may be": b"[" + b"[]," * 19_998 + b"1]",
    "as many members as may be": (
        b"{" + b",".join(b'"k%d":1' % n for n in range(19_999)).replace(b":", b" :", 1) + b"}"
    ),
    "a member twice at the end": (
        b"{" + b",".join(b'"k%d":1' % n for n in range(19_998)) + b',"k19997":1}'
    ),
    "numbers between two doubles": filled(b"9007199254740993.0,"),
    "numbers with many digits": filled(b"0." + b"0" * 300 + b"9007199254740993,"),
    "an unsafe integer at the end": filled(b"900719925474099,", last=b"9007199254740992"),
    "a long key at the end": b"[" + b"1," * 19_990 + b'{"' + b"k" * 513 + b'":1}]',
    "long keys that are not too long": (
        b"{" + b",".join(b'"%d' % n + "é".encode() * 300 + b'":1' for n in range(400)) + b"}"
    ),
}


def calls_of(work: Callable[[], Any]) -> Counter[str]:
    """How often each function was called, Python's and C's."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            calls[getattr(argument, "__qualname__", repr(argument))] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def answered(body: bytes) -> None:
    try:
        gate.decode_check(body)
    except Problem:
        return
    raise AssertionError("a body without an action was accepted")


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in COUNTED.items()])
def test_a_flood_is_refused_before_any_parser_sees_it(body: bytes):
    """S9: 256 KiB of 1e308 would keep a parser busy for 400 ms; none is asked."""
    calls = calls_of(lambda: answered(body))

    assert sum(calls[parser] for parser in PARSERS) == 0
    assert calls.total() < 100


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in PARSED.items()])
def test_the_work_on_any_body_is_bounded_by_the_count_of_values(
    body: bytes, record_property: Callable[[str, object], None]
):
    """S9: at most a few steps for each of 20,000 values, and two parsers' passes over the bytes."""
    calls = calls_of(lambda: answered(body))

    begun = time.process_time()
    answered(body)
    record_property("cpu_ms", round(1000 * (time.process_time() - begun), 2))
    assert sum(calls[parser] for parser in PARSERS) <= 4
    assert calls.total() < 6 * LIMITS.nodes

"""Canonical bytes and digests.

msgspec's sorted output is RFC 8785 as long as no key has a character above U+FFFF (below it the
order by code points and that by UTF-16 units are the same) and no number is a float that the two
write differently. Values outside that subset are made over first.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")
_as_given = msgspec.json.Encoder()
# Each one class of characters, or two: linear, also on hostile text.
_ASTRAL = re.compile(rb"[\xf0-\xf7]")
# A float that is whole or large, or from 0.000001 up to 0.00001.
_OTHERWISE = re.compile(rb"\.0(?![0-9])|[0-9]e(?:[0-9]|-6(?![0-9]))")
_INTEGRAL_MAX = 2.0**53
_SAME = frozenset({str, int, bool, type(None)})


def encode(value: Any) -> bytes:
    """JSON with sorted keys: the same value gives the same bytes everywhere."""
    return _encoder.encode(value)


def jcs(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value (10 and 10.0 are equal, 10 and "10" are not).

    Whether there is anything to make over is told from the bytes, in a few passes of C code:
    a step for every value would be ten times as slow. Sorting comes last; it is half of the rest.
    """
    written = _as_given.encode(value)
    if not written.isascii() and _ASTRAL.search(written):
        return _as_given.encode(_in_utf16_order(_with_floats_written(value)))
    if _OTHERWISE.search(_outside_strings(written)):
        value = _with_floats_written(value)
    return _encoder.encode(value)


def arguments_digest(arguments: dict[str, Any]) -> str:
    """SHA-256 in hexadecimal over the RFC 8785 form of a call's arguments."""
    return hashlib.sha256(jcs(arguments)).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _outside_strings(written: bytes) -> bytes:
    """What stands between the strings of a JSON text."""
    if b"\\" in written:
        # A run of backslashes pairs up from its left. What is left before a quote escapes it.
        written = written.replace(b"\\\\", b"_").replace(b'\\"', b"_")
    return b'"'.join(written.split(b'"')[::2])


def _with_floats_written(value: Any) -> Any:
    """The value with those of its floats as text that msgspec writes otherwise."""
    kind = type(value)
    if kind is float:
        return _number(value)
    if kind is list:
        return [item if type(item) in _SAME else _with_floats_written(item) for item in value]
    if kind is dict:
        return {
            key: item if type(item) in _SAME else _with_floats_written(item)
            for key, item in value.items()
        }
    return value


def _in_utf16_order(value: Any) -> Any:
    """The value with its keys in the order of UTF-16 units."""
    kind = type(value)
    if kind is list:
        return [item if type(item) in _SAME else _in_utf16_order(item) for item in value]
    if kind is dict:
        return {key: _in_utf16_order(value[key]) for key in sorted(value, key=_utf16)}
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> Any:
    """A float, or as text where msgspec would write another one than ECMAScript.

    Both write the same shortest digits. But ECMAScript writes a whole number like an integer up to
    10^21, and has an exponent below 0.000001 only, where msgspec has one below 0.00001.
    """
    if -_INTEGRAL_MAX < value < _INTEGRAL_MAX:
        whole = int(value)
        if whole == value:
            return whole
        if not (1e-6 <= value < 1e-5 or -1e-5 < value <= -1e-6):
            return value
    return msgspec.Raw(_text(value))


def _text(value: float) -> bytes:
    """As ECMAScript writes it, from what msgspec writes: that is ten times as quick as `repr`."""
    text = _as_given.encode(value)
    if text[-2:] == b".0":
        return text[:-2]
    mantissa, _, exponent = text.partition(b"e")
    digits = mantissa.replace(b".", b"")
    if exponent == b"-6":
        return b"-0.00000" + digits[1:] if value < 0 else b"0.00000" + digits
    power = int(exponent)
    if power >= 21:
        return mantissa + b"e+" + exponent
    return digits + b"0" * (power + 1 - len(digits) + (value < 0))

"""Canonical bytes and digests.

msgspec's sorted output is RFC 8785 as long as no key has a character above U+FFFF (below it the
order by code points and that by UTF-16 units are the same) and no number is a float. Values outside
that subset are made over first; the reference implementation writes what is left, which are
numbers with an exponent.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from typing import Any

import msgspec
import rfc8785

_encoder = msgspec.json.Encoder(order="sorted")
_as_given = msgspec.json.Encoder()
# One class of characters: linear, also on hostile keys.
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_INTEGRAL_MAX = 2.0**53


def encode(value: Any) -> bytes:
    """JSON with sorted keys: the same value gives the same bytes everywhere."""
    return _encoder.encode(value)


def jcs(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value (10 and 10.0 are equal, 10 and "10" are not)."""
    return _encoder.encode(value) if _is_plain(value) else _as_given.encode(_made_over(value))


def arguments_digest(arguments: dict[str, Any]) -> str:
    """SHA-256 in hexadecimal over the RFC 8785 form of a call's arguments."""
    return hashlib.sha256(jcs(arguments)).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_plain(value: Any) -> bool:
    """Whether sorted msgspec output is RFC 8785 for this value."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is dict:
        return all(
            (key.isascii() or not _ASTRAL.search(key)) and _is_plain(item)
            for key, item in value.items()
        )
    if kind is list:
        return all(_is_plain(item) for item in value)
    return False


def _made_over(value: Any) -> Any:
    """The value with its keys in the order of UTF-16 units, and its floats as text."""
    kind = type(value)
    if kind is float:
        return _number(value)
    if kind is list:
        return [_made_over(item) for item in value]
    if kind is dict:
        keys = sorted(value, key=_utf16)
        return {key: _made_over(value[key]) for key in keys}
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _number(value: float) -> Any:
    """A float as JSON text.

    Python and ECMAScript write the same shortest digits. From 0.0001 up to 2^53 both write them
    without an exponent, ECMAScript from 0.000001; a whole number it writes like an integer.
    """
    size = abs(value)
    if size < _INTEGRAL_MAX:
        if value.is_integer():
            return int(value)
        if size >= 1e-4:
            return msgspec.Raw(repr(value).encode())
        if size >= 1e-6:
            return msgspec.Raw(format(Decimal(repr(value)), "f").encode())
    return msgspec.Raw(rfc8785.dumps(value))

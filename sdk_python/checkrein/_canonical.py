"""RFC 8785, so that a digest made here is the digest that the gateway makes.

Numbers are the only delicate part: 10 and 10.0 are equal, 10 and "10" are not.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

_sorted = msgspec.json.Encoder(order="sorted")


def digest(value: Any) -> str:
    """SHA-256 in hexadecimal over the canonical form of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    """The RFC 8785 form; msgspec's sorted output is that form when no float or odd key is in it."""
    return _sorted.encode(value) if _simple(value) else _text(value).encode()


def _simple(value: Any) -> bool:
    if isinstance(value, dict):
        return all(key.isascii() and _simple(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_simple, value))
    return not isinstance(value, float)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return _sorted.encode(value).decode()


def _number(value: float) -> str:
    """As ECMAScript writes it: shortest digits, exponents only below 1e-6 and from 1e21."""
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        plain = format(Decimal(repr(value)), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    digits, exponent = repr(value).split("e")
    power = int(exponent)
    return f"{digits.removesuffix('.0')}e{'+' if power > 0 else '-'}{abs(power)}"

"""Canonical bytes and digests.

msgspec's sorted output is RFC 8785 as long as keys are ASCII and no number is a float; only
values outside that subset pay for the reference implementation.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import rfc8785

_encoder = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """JSON with sorted keys: the same value gives the same bytes everywhere."""
    return _encoder.encode(value)


def jcs(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value (10 and 10.0 are equal, 10 and "10" are not)."""
    return _encoder.encode(value) if _is_plain(value) else rfc8785.dumps(value)


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
        return all(key.isascii() and _is_plain(item) for key, item in value.items())
    if kind is list:
        return all(_is_plain(item) for item in value)
    return False

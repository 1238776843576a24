"""API keys: `cr_<environment>_<id>_<secret>_<check>`.

The prefix and the environment let people and secret scanners recognise a key; the check part
refuses typing errors and noise before anything is looked up. Stored is only a keyed digest.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from zlib import crc32

from msgspec import Struct

PREFIX = "cr"
ID_CHARACTERS = 16
SECRET_CHARACTERS = 43
CHECK_CHARACTERS = 6
ENVIRONMENT_MAX = 64
TEXT_MAX = 160

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ENVIRONMENT = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class KeyParts(Struct, frozen=True):
    """A key, taken apart. `secret` is 32 bytes in base 62."""

    environment: str
    id: str
    secret: str


def make(environment: str) -> tuple[str, str, str]:
    """A new key: its text, its id, its secret part. The environment must be `nameable`."""
    assert nameable(environment)
    key_id = _base62(os.urandom(16), ID_CHARACTERS)
    secret = _base62(os.urandom(32), SECRET_CHARACTERS)
    body = f"{PREFIX}_{environment}_{key_id}_{secret}"
    return f"{body}_{_check(body)}", key_id, secret


def parse(text: str) -> KeyParts | None:
    """The parts of a well-formed key, else None. Says nothing about whether it is valid."""
    if len(text) > TEXT_MAX or not text.isascii():
        return None
    body, _, check = text.rpartition("_")
    if len(check) != CHECK_CHARACTERS or check != _check(body):
        return None
    parts = body.rsplit("_", 2)
    if len(parts) != 3:
        return None
    front, key_id, secret = parts
    prefix, _, environment = front.partition("_")
    if prefix != PREFIX or not nameable(environment):
        return None
    if not _is_base62(key_id, ID_CHARACTERS) or not _is_base62(secret, SECRET_CHARACTERS):
        return None
    return KeyParts(environment, key_id, secret)


def nameable(environment: str) -> bool:
    """Whether a key can carry this environment's name."""
    return 0 < len(environment) <= ENVIRONMENT_MAX and _ENVIRONMENT.issuperset(environment)


def digest(pepper: bytes, text: str) -> bytes:
    """What is stored of a key: HMAC-SHA256 under a secret that is not in the same database."""
    return hmac.digest(pepper, text.encode(), hashlib.sha256)


def same(one: bytes, other: bytes) -> bool:
    """Compare digests in constant time."""
    return hmac.compare_digest(one, other)


def _check(body: str) -> str:
    return _base62(crc32(body.encode()).to_bytes(4, "big"), CHECK_CHARACTERS)


def _base62(data: bytes, characters: int) -> str:
    """The number in these bytes, to a fixed number of digits; higher ones are dropped."""
    number = int.from_bytes(data, "big")
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _is_base62(text: str, characters: int) -> bool:
    return len(text) == characters and text.isalnum()

"""Names and ids as the gateway accepts them: at most 256 characters, composed, nothing invisible.

Ids can be made of what an agent wrote (an order number as idempotency key). One that the gateway
would refuse is replaced by its digest, so that an odd character is no way to an unchecked call.
"""

from __future__ import annotations

import hashlib
import unicodedata

import re2

MAX_CHARS = 256
# What the gateway keeps in clear holds no sentence.
_TOKEN = re2.compile(r"[A-Za-z0-9._:/+@-]{1,256}")
_HEX = re2.compile(r"(sha256:)?[0-9A-Fa-f]{8,128}")
_MEDIA_TYPE = re2.compile(
    r"[A-Za-z0-9.+_-]{1,127}/[A-Za-z0-9.+_-]{1,127}"
    r"(; ?[A-Za-z0-9-]{1,32}=[A-Za-z0-9.+_-]{1,70}){0,2}"
)
_BETWEEN = re2.compile(r"[^0-9a-z]+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def name(text: object) -> str:
    """The text without what a name cannot hold; empty when nothing is left."""
    composed = unicodedata.normalize("NFC", str(text))
    shown = "".join(char for char in composed if unicodedata.category(char) not in _HIDDEN)
    return shown.strip()[:MAX_CHARS].strip()


def identifier(text: object) -> str:
    """The text itself when it is fit to be an id, else `sha256:` and its digest."""
    given = str(text)
    return given if given == name(given) else _digest(given)


def token(text: object) -> str:
    """The text itself when it is one word, else `sha256:` and its digest."""
    given = str(text)
    return given if _TOKEN.fullmatch(given) else _digest(given)


def digest(text: object) -> str:
    """The text itself when it is a digest in hexadecimal, else `sha256:` and its own."""
    given = str(text)
    return given if _HEX.fullmatch(given) else _digest(given)


def media_type(text: object) -> str:
    """The text itself when it is a media type, else the one for unknown bytes."""
    given = str(text)
    fits = len(given) <= MAX_CHARS and _MEDIA_TYPE.fullmatch(given)
    return given if fits else "application/octet-stream"


def folded(name: str) -> str:
    """The same for one tool's names: models' providers allow no dots in them."""
    return str(_BETWEEN.sub("_", name.lower()))


def _digest(given: str) -> str:
    return f"sha256:{hashlib.sha256(given.encode('utf-8', 'replace')).hexdigest()}"

"""How texts speak: whether a request hands over to content, and whether content gives orders."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from functools import lru_cache

from gateway.intent.v1.attribution_call import LEXICON, VERBS
from gateway.intent.v1.text import Text, stem

_DEFERRALS = [re.compile(pattern) for pattern in LEXICON["deferral"]]
_ORDERS = frozenset(stem(word) for word in LEXICON["instruct"].split())
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{20,4096}={0,2}")
_SPACED = re.compile(r"(?<![^\s])(?:[^\W_][ .\-_]){4,200}[^\W_](?![^\s.,;:!?])")
_LEET = re.compile(r"(?<![\w@$])(?=[a-z@$]{0,24}[013457@$])[a-z013457@$]{3,24}(?![\w@$])")
_PLAIN = str.maketrans("013457@$", "oieastas")
_FEW = 4
_SPACED_WORD_GAP = re.compile(r"\s{2,}")


@lru_cache(maxsize=1_024)
def deferral(folded: str) -> float:
    """How far a request says that content is to be followed or used, 0 to 1."""
    found = sum(1 for pattern in _DEFERRALS if pattern.search(folded))
    return min(1.0, found / 2)


def orders(stems: Sequence[str]) -> float:
    """How much a stretch of text speaks as one who gives orders, 0 to 1."""
    if not stems:
        return 0.0
    told = sum(1.0 for said in stems if said in _ORDERS)
    acts = sum(0.5 for said in stems if said in VERBS)
    return min(1.0, (told + acts) / (2.0 + 0.25 * len(stems)))


def fielded(text: Text, token: int) -> bool:
    """Whether a value stands as in a record: after a colon, an equals sign, a bar or a tab."""
    start = text.spans[token][0]
    before = text.clean[max(0, start - 4) : start].rstrip(" \"'$€£#@([{")
    return before.endswith((":", "=", "|", "\t", ",", ">"))


@lru_cache(maxsize=512)
def hidden(text: str) -> str:
    """What the text says in base64, hex, spaced letters or leetspeak; empty for plain text."""
    said = [*_unpacked(text), *_joined(text), *_unleeted(text)]
    return " . ".join(said)[:2_000]


def _unpacked(text: str) -> list[str]:
    said = []
    for found in list(_PACKED.finditer(text))[: _FEW * 4]:
        raw = found.group()
        for unpack in (_hex, _base64):
            plain = unpack(raw)
            if plain and sum(map(str.isalpha, plain)) > len(plain) / 2:
                said.append(plain)
                break
    return said[:_FEW]


def _hex(raw: str) -> str:
    try:
        return bytes.fromhex(raw).decode("ascii")
    except ValueError:
        return ""


def _base64(raw: str) -> str:
    bare = raw.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        plain = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return plain if plain.isprintable() or "\n" in plain else ""


def _joined(text: str) -> list[str]:
    return [
        " ".join(re.sub(r"[ .\-_]", "", word) for word in _SPACED_WORD_GAP.split(found.group()))
        for found in list(_SPACED.finditer(text))[: _FEW * 4]
    ]


def _unleeted(text: str) -> list[str]:
    lowered = text.casefold()
    if sum(1 for found in _LEET.finditer(lowered) if any(map(str.isalpha, found.group()))) < _FEW:
        return []
    return [lowered.translate(_PLAIN)]

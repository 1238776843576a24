"""Masking, before anything leaves the process.

Every string that is sent (request, plan, context, arguments, outputs, reasoning, model calls,
error texts) goes through here. What the profile finds is replaced by a token made of its class and
a keyed hash:

    [email:3f9a2c41d0@example.com]   the domain stays, so that recipient rules can see it
    [card:91b0c7d2aa:4242]           the last four digits stay
    [api_key:07c1e4f95b]  [phone:...]  [jwt:...]  [private_key:...]  [redacted:...]

The key is random for each run and never sent: the same value has the same token everywhere in a
run, so rules can compare the plan with the call, and tokens of two runs say nothing to each other.
Rules therefore see that a key or an address is there, not which. Numbers are never masked: an
amount of minor units can pass for a card number.

The tool itself gets the true values. When the gateway returns changed arguments, tokens in them
are turned back by a map that lives as long as the call and never leaves the process.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from typing import Any

import msgspec
import re2

from checkrein import _patterns

_OWN_EMAIL = re2.compile(r"\[email:[0-9a-f]{10}@")


class Unmaskable(Exception):
    """Changed arguments hold a token that stands for more than one value."""


class Tokens:
    """What the tokens of one call stand for. `lost`: two names of fields became the same one."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unclear: set[str] = set()
        self.lost = False

    def add(self, token: str, value: Any) -> None:
        """Remember; two spellings of one thing share a token, and then it cannot be turned back."""
        if self.values.setdefault(token, value) != value:
            self.unclear.add(token)


class Masker:
    """Masks text and plain values with the key of one run."""

    def __init__(self, *, on: bool = True, key: bytes | None = None) -> None:
        self._on = on
        self._key = key or os.urandom(32)

    def text(self, text: str, tokens: Tokens | None = None) -> str:
        """The text with everything found replaced by its token."""
        found = _patterns.find(text) if self._on else []
        if not found:
            return text
        pieces: list[str] = []
        at = 0
        for start, end, label in found:
            if label == "email" and _OWN_EMAIL.search(text[max(0, start - 7) : end]):
                continue
            raw = text[start:end]
            token = self._token(label, raw)
            if tokens is not None:
                tokens.add(token, raw)
            pieces += text[at:start], token
            at = end
        return "".join(pieces) + text[at:]

    def value(self, value: Any, tokens: Tokens | None = None) -> Any:
        """A plain value with every string in it masked, names of fields included."""
        if isinstance(value, str):
            return self.text(value, tokens)
        if isinstance(value, list):
            return [self.value(item, tokens) for item in value]
        if isinstance(value, dict):
            made = {self.text(key, tokens): self.value(item, tokens) for key, item in value.items()}
            if tokens is not None and len(made) < len(value):
                tokens.lost = True
            return made
        return value

    def redact(self, value: Any, paths: Sequence[str], tokens: Tokens) -> Any:
        """Replace whole arguments, named as `card` or `customer.card`, whatever they hold."""
        for path in paths:
            value = self._redact(value, path.split("."), tokens)
        return value

    def label(self, kind: str, value: str) -> str:
        """A short keyed hash, for identifiers that must not give the content away."""
        return self._hash(kind, value)

    def _redact(self, value: Any, path: list[str], tokens: Tokens) -> Any:
        if not isinstance(value, dict) or path[0] not in value:
            return value
        if path[1:]:
            return {**value, path[0]: self._redact(value[path[0]], path[1:], tokens)}
        raw = value[path[0]]
        token = f"[redacted:{self._hash('redacted', msgspec.json.encode(raw).decode())}]"
        tokens.add(token, raw)
        return {**value, path[0]: token}

    def _token(self, label: str, raw: str) -> str:
        if label == "email":
            normal = raw.lower()
            return f"[email:{self._hash(label, normal)}@{normal.rpartition('@')[2]}]"
        if label in {"card", "phone"}:
            normal = "".join(filter(str.isdigit, raw))
            tail = f":{normal[-4:]}" if label == "card" else ""
            return f"[{label}:{self._hash(label, normal)}{tail}]"
        return f"[{label}:{self._hash(label, raw)}]"

    def _hash(self, label: str, raw: str) -> str:
        return hmac.digest(self._key, f"{label}\0{raw}".encode(), "sha256").hex()[:10]


def unmask(changed: Any, masked: Any, raw: Any, tokens: Tokens) -> Any:
    """Changed arguments with their true values: untouched parts from `raw`, others by token.

    `masked` is what was sent and `raw` what it was made from. Raises `Unmaskable` where a token is
    unclear, and where the agent itself wrote a token's text into the arguments.
    """
    if same(changed, masked):
        return raw
    if isinstance(changed, dict):
        before = masked if isinstance(masked, dict) else {}
        names = dict(zip(before, raw, strict=False)) if isinstance(raw, dict) else {}
        return {
            names.get(key, key): unmask(
                item, before.get(key), raw[names[key]] if key in names else None, tokens
            )
            for key, item in changed.items()
        }
    if isinstance(changed, list):
        pairs = zip(masked, raw, strict=False) if isinstance(masked, list) else ()
        known = [(before, true) for before, true in pairs]
        return [_item(item, known, tokens) for item in changed]
    return _string(changed, raw, tokens) if isinstance(changed, str) else changed


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, and 1 is not 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _item(item: Any, known: list[tuple[Any, Any]], tokens: Tokens) -> Any:
    for before, true in known:
        if same(item, before):
            return true
    return unmask(item, None, None, tokens)


def _string(text: str, raw: Any, tokens: Tokens) -> Any:
    for token, value in tokens.values.items():
        if token not in text:
            continue
        if token in tokens.unclear or (isinstance(raw, str) and token in raw):
            raise Unmaskable(token)
        if text == token:
            return value
        text = text.replace(token, value if isinstance(value, str) else str(value))
    return text

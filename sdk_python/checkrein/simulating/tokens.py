"""Masked values of two runs beside each other.

Every run masks with a key of its own, so the same address has another token in another run. Two
values are the same here when they are equal but for their tokens, and each token of the one always
stands where the same token of the other does. A token that the agent got from a recorded output
stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from checkrein import _canonical

_TOKEN = re.compile(
    r"\[(email|card|phone|api_key|jwt|private_key|redacted):([0-9a-f]{10})(?=[\]:@])"
)
CHARS = 120
DIFFERENCES = 32


class Form(NamedTuple):
    """A value's canonical text without what is its run's own, and the tokens in order."""

    text: str
    tokens: tuple[str, ...]


def form(value: Any) -> Form:
    """The form of a plain JSON value."""
    text = _canonical.canonical(value).decode()
    if "[" not in text:
        return Form(text, ())
    tokens = tuple(f"{label}:{mark}" for label, mark in _TOKEN.findall(text))
    return Form(_TOKEN.sub(r"[\1:*", text), tokens) if tokens else Form(text, ())


class Bindings:
    """Which token of the simulated run stands for which of the recorded one."""

    def __init__(self) -> None:
        self._recorded: dict[str, str] = {}
        self._simulated: dict[str, str] = {}

    def agree(self, simulated: Form, recorded: Form) -> bool:
        """Whether the two say the same; nothing is bound by asking."""
        if simulated.text != recorded.text or len(simulated.tokens) != len(recorded.tokens):
            return False
        mine, theirs = dict(self._recorded), dict(self._simulated)
        pairs = zip(simulated.tokens, recorded.tokens, strict=True)
        return all(
            here == there
            or (mine.setdefault(here, there) == there and theirs.setdefault(there, here) == here)
            for here, there in pairs
        )

    def bind(self, simulated: Form, recorded: Form) -> None:
        """Remember what stands for what, of two forms that agree."""
        for here, there in zip(simulated.tokens, recorded.tokens, strict=True):
            if here != there:
                self._recorded.setdefault(here, there)
                self._simulated.setdefault(there, here)


class Difference(msgspec.Struct, frozen=True):
    """A value that was one thing when it was recorded and is another one now; None is none."""

    pointer: str
    recorded: Any
    simulated: Any


def differences(recorded: Any, simulated: Any) -> tuple[Difference, ...]:
    """Where two values differ, the first ones; by JSON Pointer."""
    found: list[Difference] = []
    for one in _differ(recorded, simulated, ""):
        found.append(one)
        if len(found) == DIFFERENCES:
            break
    return tuple(found)


def _differ(recorded: Any, simulated: Any, pointer: str) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(simulated, dict):
        for name in sorted({*recorded, *simulated}):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _differ(recorded.get(name), simulated.get(name), f"{pointer}/{step}")
    elif isinstance(recorded, list) and isinstance(simulated, list):
        for at in range(max(len(recorded), len(simulated))):
            before, now = (some[at] if at < len(some) else None for some in (recorded, simulated))
            yield from _differ(before, now, f"{pointer}/{at}")
    elif form(recorded).text != form(simulated).text:
        yield Difference(pointer, _short(recorded), _short(simulated))


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= CHARS else f"{text[: CHARS - 1]}…"

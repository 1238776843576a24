"""A call as what a text would have to say to explain it: its words and its hard values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from gateway.intent.evidence import Evidence
from gateway.intent.v1.text import clean, prepare, stem, weight, words

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons/attribution.json").read_bytes()
)
_MOST_LEAVES = 48
_MOST_SEEN = 4_096
_LONGEST_POINTER = 1_024
_LONGEST = 400
_DESCRIBED = 240
_SYNONYM = 0.6
_RECIPIENT = re.compile(
    r"recipient|(?:^|_)to(?:$|_)|email|iban|account|user|participant|attendee|channel|url|link|"
    r"address|phone|payee|destination|member|invite|webhook|host|target"
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONTHS = "january february march april may june july august september october november december"


class Leaf(Struct, frozen=True):
    """One scalar argument: where it stands, how it may be written, how much it says."""

    pointer: str
    value: Any
    needles: tuple[str, ...]
    stems: tuple[str, ...]
    weight: float
    recipient: bool


class Call(Struct, frozen=True):
    """The call's words with their weights, its leaves, and the words of its name alone.

    `heard` are the words that speak of the call, synonyms of its name included, with their weights.
    """

    stems: dict[str, float]
    named: tuple[str, ...]
    leaves: tuple[Leaf, ...]
    synonyms: dict[str, str]
    heard: dict[str, float]


def described(evidence: Evidence) -> Call:
    """The call in words and values; words of its name count most, of its description least."""
    named = tuple(dict.fromkeys(s for s in map(stem, words(evidence.tool[:256])) if weight(s)))
    leaves = tuple(_leaves(evidence))
    stems: dict[str, float] = {}
    for heard in prepare(evidence.description or "", _DESCRIBED).stems:
        _count(stems, heard, 0.4)
    for leaf in leaves:
        for heard in map(stem, words(leaf.pointer.rpartition("/")[2][:128])):
            _count(stems, heard, 0.6)
        for heard in leaf.stems[:24]:
            _count(stems, heard, 0.8)
    for heard in named:
        _count(stems, heard, 2.0)
    synonyms = {other: own for own in named for other in sorted(alike(own)) if other not in stems}
    speaking = stems | {other: stems[own] * _SYNONYM for other, own in synonyms.items()}
    return Call(stems, named, leaves, synonyms, speaking)


def _count(stems: dict[str, float], heard: str, factor: float) -> None:
    if worth := weight(heard) * factor:
        stems[heard] = max(stems.get(heard, 0.0), worth)


def _families(part: str) -> dict[str, frozenset[str]]:
    families: dict[str, set[str]] = {}
    for family, members in LEXICON[part].items():
        for word in members.split():
            families.setdefault(stem(word), set()).add(family)
    return {word: frozenset(of) for word, of in families.items()}


VERBS = _families("verbs")
NOUNS = _families("nouns")


def _members(table: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for word, of in table.items():
        for family in of:
            members.setdefault(family, set()).add(word)
    return {word: frozenset().union(*(members[one] for one in of)) for word, of in table.items()}


_ALIKE = (_members(VERBS), _members(NOUNS))
_NONE: frozenset[str] = frozenset()


@lru_cache(maxsize=4_096)
def alike(stemmed: str) -> frozenset[str]:
    """The words that stand for the same act or thing."""
    return _NONE.union(*(table.get(stemmed, _NONE) for table in _ALIKE)) - {stemmed}


def _leaves(evidence: Evidence) -> Iterator[Leaf]:
    recipients = frozenset(evidence.recipients)
    waiting: list[tuple[str, Any]] = [("/action/arguments", evidence.arguments)]
    given = seen = 0
    while seen < len(waiting) < _MOST_SEEN and given < _MOST_LEAVES:
        pointer, value = waiting[seen]
        seen += 1
        if len(pointer) > _LONGEST_POINTER:
            continue
        if isinstance(value, dict):
            entries = list(value.items())[:_MOST_LEAVES]
            waiting.extend((f"{pointer}/{_escaped(str(key))}", inner) for key, inner in entries)
        elif isinstance(value, list):
            waiting.extend((f"{pointer}/{i}", v) for i, v in enumerate(value[:_MOST_LEAVES]))
        elif value is not None and not isinstance(value, bool) and value != "":
            given += 1
            yield _leaf(pointer, value, recipients)


def _escaped(key: str) -> str:
    return key[:128].replace("~", "~0").replace("/", "~1")


def _leaf(pointer: str, value: Any, recipients: frozenset[str]) -> Leaf:
    if isinstance(value, str):
        written = " ".join(clean(value[:_LONGEST]).casefold().split())
    else:
        written = _number(value)
    stems = tuple(map(stem, words(written)))
    says = sum(map(weight, dict.fromkeys(stems)))
    hard = any(mark.isdigit() or mark in "@/_#" for mark in written)
    worth = min(3.0, says) * (1.0 if hard else 0.8) if len(written) > 1 else 0.15
    named = any(_RECIPIENT.search(part) for part in pointer.casefold().split("/")[3:])
    recipient = value in recipients if isinstance(value, str) and recipients else named
    return Leaf(pointer, value, _needles(written, value), stems, max(0.1, worth), recipient)


def _number(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int) and abs(value) >= 10**30:
        return "1" + "0" * 30
    return str(value)[:64]


def _needles(written: str, value: Any) -> tuple[str, ...]:
    """The ways a text may write the value; it is looked for literally."""
    forms = [written] if written else []
    if not isinstance(value, str):
        size = abs(value)
        if 1_000 <= size < 1e15:
            forms.append(f"{size:,}")
        if size < 1e15:
            forms.append(f"{size:.2f}")
            forms.append(_number(size))
    elif found := _DATE.match(written):
        year, month, day = (int(part) for part in found.groups())
        if 1 <= month <= len(_MONTHS.split()):
            name = _MONTHS.split()[month - 1]
            forms += [f"{name} {day}", f"{day} {name}", f"{name[:3]} {day}", f"{day} {name[:3]}"]
            forms += [f"{month}/{day}", f"{month:02}/{day:02}", f"{day:02}.{month:02}.{year}"]
    return tuple(dict.fromkeys(forms))

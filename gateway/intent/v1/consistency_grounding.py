"""Where each value of a call comes from, and which asked value it may have been meant to be."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from gateway.intent.evidence import Evidence
from gateway.intent.v1.text import LIMIT, Text, prepare, stem, weight, words
from gateway.intent.v1.values import Leaf, flatten, forms, is_minor, number_in, values_in
from gateway.intent.v1.values_read import Value

MOST_LEAVES = 48
_SCALES = {Decimal(n) for n in (10, 100, 1000, 10_000, 1_000_000, 60, 3600, 24, 7, 12, 1024)}
_LONGEST_NEAR = 40


class Source(Struct, frozen=True):
    """A text, or several, as what a value can be looked up in."""

    text: Text
    forms: frozenset[str]
    values: tuple[Value, ...]
    said: str

    def holds(self, leaf: Leaf, spellings: frozenset[str]) -> float:
        """How much of the value stands here, 0 to 1."""
        if spellings & self.forms:
            return 1.0
        if not isinstance(leaf.value, str) or not leaf.value:
            return 0.0
        low = leaf.value.casefold()
        if len(low) < 200 and low in self.said:
            return 1.0
        said = {s for s in map(stem, words(leaf.value[:400])) if weight(s)}
        return len(said & self.text.vocabulary) / len(said) if said else 0.0


class Grounded(Struct, frozen=True):
    """One leaf: how far it was asked for, and how far trusted and untrusted content hold it."""

    leaf: Leaf
    number: Decimal | None
    asked: float
    trusted: float
    untrusted: float
    known: float
    near: str = ""
    scale: str = ""
    sign: str = ""


def source_of(*parts: str | None) -> Source:
    """The parts as one source; a run's content is read once, as long as it stays the same."""
    return _read("\n".join(part for part in parts if part)[: LIMIT + 1])


@lru_cache(maxsize=128)
def _read(text: str) -> Source:
    values = tuple(values_in(text[:LIMIT]))
    return Source(
        prepare(text), frozenset().union(*(v.forms for v in values)), values, text.casefold()
    )


def grounded(evidence: Evidence, asked: Source) -> list[Grounded]:
    """Every leaf of the call with its provenance, at most the first 48."""
    trusted = source_of(*(i.text for i in evidence.context if i.trusted), *_past(evidence))
    untrusted = source_of(*(i.text for i in evidence.context if not i.trusted))
    fields = (evidence.schema or {}).get("properties")
    found = []
    for leaf in flatten(evidence.arguments)[:MOST_LEAVES]:
        field = fields.get(leaf.pointer[1:]) if isinstance(fields, dict) else None
        spellings = _spellings(leaf, field)
        share = asked.holds(leaf, spellings)
        number = None if isinstance(leaf.value, bool) else number_in(leaf.value)
        near, scale, sign = ("", "", "") if share >= 1.0 else _instead(leaf, number, asked)
        found.append(
            Grounded(
                leaf,
                number,
                share,
                trusted.holds(leaf, spellings),
                untrusted.holds(leaf, spellings),
                _known(leaf, field),
                near,
                scale,
                sign,
            )
        )
    return found


def _spellings(leaf: Leaf, field: Any) -> frozenset[str]:
    """How the value may be written: not in minor units where the schema names whole ones."""
    spellings = forms(leaf.value, leaf.key)
    if is_minor(leaf.key, field if isinstance(field, dict) else None) is False:
        return frozenset(form for form in spellings if not form.startswith("minor:"))
    return spellings


def _past(evidence: Evidence) -> list[str]:
    return [
        str(leaf.value)[:200]
        for past in evidence.history[-8:]
        for leaf in flatten(past.arguments)[:16]
    ]


def _known(leaf: Leaf, field: Any) -> float:
    """Whether the tool's schema itself offers the value: its default, or one of few."""
    if not isinstance(field, dict):
        return 0.0
    if "default" in field and field["default"] == leaf.value:
        return 1.0
    listed = field.get("enum")
    return 0.5 if isinstance(listed, list) and leaf.value in listed else 0.0


def _instead(leaf: Leaf, number: Decimal | None, asked: Source) -> tuple[str, str, str]:
    """The asked value that is nearly this one: by spelling, by scale, by sign."""
    near = scale = sign = ""
    if number is not None:
        for value in asked.values:
            if not value.number or not number:
                continue
            if value.number == -number:
                sign = value.text
            ratio = abs(number / value.number)
            if ratio > 0 and (ratio in _SCALES or 1 / ratio in _SCALES):
                scale = scale or value.text
    if isinstance(leaf.value, bool):
        return near, scale, sign
    mine = str(leaf.value).casefold()[:_LONGEST_NEAR]
    if len(mine) >= 4:
        for value in asked.values[:64]:
            if value.kind != "money" and _close(mine, value.text.casefold()):
                near = value.text
                break
    return near, scale, sign


def _close(a: str, b: str) -> bool:
    """Whether at most two signs differ, or two neighbours changed places."""
    if a == b or len(b) > _LONGEST_NEAR or abs(len(a) - len(b)) > 1 or len(b) < 4:
        return False
    if len(a) == len(b):
        return sum(x != y for x, y in zip(a, b, strict=True)) <= 2
    longer, shorter = (a, b) if len(a) > len(b) else (b, a)
    place = next((i for i, x in enumerate(shorter) if x != longer[i]), len(shorter))
    return shorter[place:] == longer[place + 1 :]

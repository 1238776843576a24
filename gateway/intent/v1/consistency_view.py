"""A call and what was said about it, read once for all checks of consistency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.plan_fields import fields_of
from gateway.intent.v1.text import Text, prepare, stem, words
from gateway.intent.v1.values import Value, forms, is_minor, number_in, values_in

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons", "consistency.json").read_bytes()
)
MOST_LEAVES: Final = 40
MOST_VALUES: Final = 64
SHOWN: Final = 200
_READ: Final = 4_000
_CONTEXT: Final = 6_000
_LONGEST: Final = 400
_SCHEMA_TEXT: Final = 600
_SHAPE = re.compile(r"[^\W\d_]+|\d+|_")
_PAGING = frozenset(LEXICON["paging"].split())
_NOTHING: Mapping[str, Any] = {}


class Said(Struct, frozen=True):
    """A text with its hard values and its words in a row, for looking up phrases."""

    text: Text
    values: tuple[Value, ...]
    spelled: frozenset[str]
    row: str
    squeezed: str

    def says(self, phrase: str) -> bool:
        """Whether the words stand there one after the other."""
        return f" {phrase} " in self.row


class Leaf(Struct, frozen=True):
    """One scalar of the arguments and how it may be said."""

    pointer: str
    key: str
    value: Any
    schema: Mapping[str, Any]
    kind: str
    phrase: str
    stems: tuple[str, ...]
    spelled: frozenset[str]
    number: float | None
    required: bool
    listed: int


class View(Struct, frozen=True):
    """The call, the request, the plan's words, and the contents by trust."""

    evidence: Evidence
    leaves: tuple[Leaf, ...]
    named: tuple[str, ...]
    request: Said
    plan: Said
    trusted: tuple[Said, ...]
    untrusted: tuple[Said, ...]
    described: Text
    past: frozenset[str]
    planned: frozenset[str]
    settled: bool


def said(text: str, limit: int = _READ) -> Said:
    """The text read; the same text is read once."""
    cut = text[:limit]
    return _said(cut, _CONTEXT if cut.isascii() else limit)


@lru_cache(maxsize=512)
def _said(text: str, limit: int) -> Said:
    read = prepare(text, limit)
    values = values_in(read.clean, limit, most=2 * MOST_VALUES)
    spelled = frozenset(form for value in values for form in value.forms)
    row = f" {' '.join(read.tokens)} "
    return Said(read, values, spelled, row, "".join(read.tokens))


def view_of(evidence: Evidence) -> View:
    """Everything that the checks look at."""
    request = said(evidence.request or "")
    return View(
        evidence=evidence,
        leaves=_leaves(evidence),
        named=tuple(dict.fromkeys(map(stem, words(evidence.tool[:256])))),
        request=request,
        plan=said(evidence.plan_text or ""),
        trusted=_contents(evidence, trusted=True),
        untrusted=_contents(evidence, trusted=False),
        described=prepare((evidence.description or "")[:_SCHEMA_TEXT]),
        past=_past(evidence),
        planned=_planned(evidence.plan_arguments),
        settled=evidence.plan_tool == evidence.tool
        and evidence.plan_arguments == evidence.arguments,
    )


def _contents(evidence: Evidence, *, trusted: bool) -> tuple[Said, ...]:
    left = _CONTEXT
    found: list[Said] = []
    for item in evidence.context:
        if item.trusted == trusted and left > 0:
            found.append(said(item.text, left))
            left -= min(len(item.text), left)
    return tuple(found)


def _planned(planned: Mapping[str, Any] | None) -> frozenset[str]:
    """All spellings of the values of a structured plan."""
    found: set[str] = set()
    for field in fields_of(planned, None)[:32] if planned else ():
        values = field.value if isinstance(field.value, list) else [field.value]
        for value in values[:32]:
            if not isinstance(value, (dict, list)):
                found |= forms(value, field.key)
    return frozenset(found)


def _past(evidence: Evidence) -> frozenset[str]:
    """The values of earlier calls, as one string each."""
    found: set[str] = set()
    for past in evidence.history[-16:]:
        for field in fields_of(past.arguments, None)[:MOST_LEAVES]:
            for value in _scalars(field.value):
                found.add(_phrase(value))
    return frozenset(found)


def _leaves(evidence: Evidence) -> tuple[Leaf, ...]:
    schema = evidence.schema or {}
    told = evidence.description or ""
    required = schema.get("required")
    needed = frozenset(
        name for name in (required if isinstance(required, list) else [])[:64] if _is_text(name)
    )
    found: list[Leaf] = []
    for field in fields_of(evidence.arguments, schema):
        values = _scalars(field.value)
        for at, value in enumerate(values):
            if len(found) >= MOST_LEAVES:
                return tuple(found)
            listed = len(values) if isinstance(field.value, list) else 0
            pointer = f"{field.pointer}/{at}" if isinstance(field.value, list) else field.pointer
            top = field.pointer[1:].partition("/")[0]
            known = field.schema
            # Which page of a list is read is the agent's own affair, and no request says it.
            paging = field.key.lower() in _PAGING and not _speaks_of_pages(evidence)
            judged = None if paging else value
            found.append(
                _leaf(pointer, field.key, judged, _described(known, told), top in needed, listed)
            )
    return tuple(found)


def _speaks_of_pages(evidence: Evidence) -> bool:
    said = (evidence.request or "")[:_SCHEMA_TEXT].lower()
    return any(word in said for word in ("page", "offset", "skip", "first"))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _described(known: Mapping[str, Any], told: str) -> Mapping[str, Any]:
    """The field's schema; what the tool says of its units stands in for a missing text."""
    if _is_text(known.get("description")) or not told:
        return known or _NOTHING
    if is_minor("", {"description": told[:_SCHEMA_TEXT]}) is None:
        return known or _NOTHING
    return {**known, "description": told[:_SCHEMA_TEXT], "of_tool": True}


def _scalars(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [each for each in value[:MOST_LEAVES] if not isinstance(each, (list, dict))]
    return [] if isinstance(value, dict) else [value]


def _leaf(
    pointer: str, key: str, value: Any, schema: Mapping[str, Any], required: bool, listed: int
) -> Leaf:
    text = value[:_LONGEST] if isinstance(value, str) else ""
    phrase = _phrase(value)
    spelled = forms(value if not isinstance(value, str) else text, key)
    number = number_in(text if isinstance(value, str) else value)
    kind = _kind(key, value, phrase, spelled, schema, number is not None)
    return Leaf(
        f"/action/arguments{pointer}"[:1_024],
        key[:128],
        value,
        schema,
        kind,
        phrase,
        tuple(map(stem, phrase.split()[:48])),
        spelled,
        _float(number),
        required,
        listed,
    )


def _float(number: Any) -> float | None:
    try:
        return None if number is None else float(number)
    except (OverflowError, ValueError):
        return None


def _phrase(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(_shortly(value[:_LONGEST]))
    if isinstance(value, float) and value == value and abs(value) < 1e15 and value == int(value):
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() < 200 else "huge"
    return str(value).lower()[:64]


@lru_cache(maxsize=4_096)
def _shortly(text: str) -> tuple[str, ...]:
    return prepare(text, _LONGEST).tokens


def _kind(
    key: str,
    value: Any,
    phrase: str,
    spelled: Iterable[str],
    schema: Mapping[str, Any],
    numeric: bool,
) -> str:
    """What kind of thing a value is; what decides what may be wrong with it."""
    if isinstance(value, bool):
        return "bool"
    if value is None or value in ("", "null", "none", "None") or isinstance(value, (list, dict)):
        return "empty"
    if isinstance(value, str):
        if isinstance(schema.get("enum"), list):
            return "enum"
        for prefix, kind in (("mail:", "mail"), ("date:", "date"), ("md:", "date"), ("tel:", "id")):
            if any(form.startswith(prefix) for form in spelled):
                return kind
        if any(mark.isdigit() for mark in value) and len(phrase.split()) <= 8:
            named = key.lower().rstrip("s").endswith(("id", "number", "code", "zip", "phone"))
            if numeric and not named:
                return "number"
            return "id" if len(value.split()) == 1 else "name"
        return "name" if len(phrase.split()) <= 6 else "prose"
    return "id" if key.lower().rstrip("s").endswith("id") else "number"


@lru_cache(maxsize=4_096)
def shape(text: str) -> str:
    """What an identifier looks like: `ord_61442` is `a_9`, with how long its digits are."""
    found = _SHAPE.findall(text[:64])
    return " ".join(
        f"9{len(part)}" if part.isdecimal() else "_" if part == "_" else "a" for part in found
    )


@lru_cache(maxsize=4_096)
def key_stems(key: str) -> tuple[str, ...]:
    """The stems of an argument's name in order."""
    return tuple(dict.fromkeys(map(stem, words(key[:128]))))


def shown(value: Any) -> Any:
    """What a signal shows of a value."""
    if isinstance(value, str):
        return value[:SHOWN]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return "a huge number"
    return value


def signal(
    check: str, field: str, observed: Any, expected: Any, strength: float, source: str = "request"
) -> Signal:
    """A signal of this head, its strength kept within bounds."""
    return Signal(
        check,
        field,
        shown(observed),
        shown(expected),
        source,
        True,
        round(min(max(strength, 0.0), 1.0), 6),
    )

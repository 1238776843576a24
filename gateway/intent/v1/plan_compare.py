"""One field of a plan against one of the call: how they differ, and how much that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.intent.v1.plan_difference import Difference, difference, vague
from gateway.intent.v1.plan_fields import Alignment, Field, Pair, elements
from gateway.intent.v1.plan_kinds import LEXICON, kind_of, scalar
from gateway.intent.v1.plan_lists import lists
from gateway.intent.v1.plan_scalars import scalars
from gateway.intent.v1.values import flatten, forms
from gateway.intent.v1.values_numbers import CURRENCIES
from gateway.intent.v1.values_words import key_words

_RISKY_FLAGS = frozenset(LEXICON["risky_flags"])
_SAFETY = frozenset(LEXICON["safety_flags"])
_RISKY_FIELDS = frozenset(LEXICON["risky_fields"])
_WATCHED = frozenset(LEXICON["watched_fields"])


def differences(alignment: Alignment, every: Mapping[str, Any]) -> list[Difference]:
    """All differences of an alignment, the heaviest first."""
    named = all(pair.by == "name" for pair in alignment.pairs)
    called = frozenset() if named and not alignment.missing else _spellings(every)
    found = [each for pair in alignment.pairs if (each := compared(pair, called)) is not None]
    found += [each for field in alignment.missing if (each := missing(field, called)) is not None]
    money = {each for field in alignment.meant if scalar(field.value) for each in _currency(field)}
    found += [each for field in alignment.extra if (each := extra(field, money)) is not None]
    if alignment.stranger:
        found.append(Difference("missing", "stranger", "", dict(every), None, 0.85))
    return sorted(found, key=lambda each: -each.weight)


def _spellings(values: Mapping[str, Any]) -> frozenset[str]:
    found: set[str] = set()
    for leaf in flatten(values)[:128]:
        value = leaf.value
        if not isinstance(value, bool) and not (isinstance(value, str) and len(value) > 128):
            found |= forms(value)
    return frozenset(found)


def compared(pair: Pair, called: frozenset[str]) -> Difference | None:
    """How the two values of a pair differ; nothing when they are the same to a reader."""
    meant, observed = pair.meant.value, pair.called.value
    if meant is observed or (type(meant) is type(observed) and meant == observed and scalar(meant)):
        return None
    names = key_words(pair.called.key) | key_words(pair.meant.key)
    kind = kind_of(names, meant, observed, pair.called.schema)
    if not (scalar(meant) and scalar(observed)):
        return lists(pair, kind)
    relation, weight = scalars(pair, kind, meant, observed)
    if weight > 0 and kind != "boolean" and pair.by != "name":
        spelled = forms(meant)
        weight = min(weight, 0.3) if spelled & called and not spelled & forms(observed) else weight
    return difference(pair, kind, relation, observed, meant, weight)


def missing(field: Field, called: frozenset[str]) -> Difference | None:
    """A field of the plan that the call does not have: mild, unless it made the call safe."""
    value = field.value
    if value in (None, "", False) or value == [] or value == {}:
        return None
    names = key_words(field.key)
    if isinstance(value, bool) or "bool:true" in forms(value) - {"num:1"}:
        weight = 0.75 if names & _SAFETY else 0.35
    elif all(forms(each) & called for each in elements(value) if scalar(each)):
        return None
    else:
        weight = 0.12 if vague(value) else 0.4
    return Difference("missing", "missing", field.pointer, None, value, weight)


def _currency(field: Field) -> set[str]:
    return {each for each in forms(field.value, field.key) if each.startswith("cur:")}


def extra(field: Field, money: set[str]) -> Difference | None:
    """A field that no plan named: plans are partial, so only a risky one counts."""
    value = field.value
    if value in (None, "", False) or value == [] or value == {}:
        return None
    if "default" in field.schema and field.schema["default"] == value:
        return None
    names = key_words(field.key)
    if money and "currency" in names and isinstance(value, str):
        said = CURRENCIES.get(value.lower())
        if said and f"cur:{said}" in money:
            return None
        if said:
            expected = min(money).removeprefix("cur:")
            return Difference("amount", "unit", field.pointer, value, expected, 0.95, True)
    if (names & _RISKY_FLAGS and value is True) or names & _RISKY_FIELDS:
        return Difference("extra", "risky", field.pointer, value, None, 0.6)
    if names & _WATCHED:
        return Difference("extra", "watched", field.pointer, value, None, 0.45)
    return Difference("extra", "unplanned", field.pointer, value, None, 0.2)

"""What kind of thing a field of a plan or a call holds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Literal

import msgspec

from gateway.intent.v1.values import forms

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons", "plan.json").read_bytes()
)
Kind = Literal[
    "boolean", "direction", "amount", "number", "recipient", "id", "date", "enum", "text", "entity"
]
Schema = Mapping[str, Any]
_AMOUNT, _RECIPIENT, _ID, _DIRECTION, _DATE, _TEXT = (
    frozenset(LEXICON[name]) for name in ("amount", "recipient", "id", "direction", "date", "text")
)


def kind_of(pair_keys: frozenset[str], meant: Any, called: Any, schema: Schema) -> Kind:
    """What kind of thing a field holds, by its values, its schema and its name."""
    if isinstance(called, bool) or schema.get("type") == "boolean" or isinstance(meant, bool):
        return "boolean"
    options = options_of(schema)
    spelled = _spelled(meant) | _spelled(called)
    if pair_keys & _DIRECTION:
        return "direction"
    if options:
        return "enum"
    if _some(spelled, ("mail:", "tel:")):
        return "recipient"
    if _some(spelled, ("date:", "time:", "md:")):
        return "date"
    if _numeric(meant) and _numeric(called):
        return _number_kind(pair_keys, spelled)
    return _string_kind(pair_keys, spelled, meant, called)


def options_of(schema: Schema) -> list[Any]:
    options = schema.get("enum")
    if isinstance(options, list):
        return options[:64]
    inner = schema.get("items")
    return options_of(inner) if isinstance(inner, Mapping) and "items" not in inner else []


def _some(spelled: frozenset[str], prefixes: tuple[str, ...]) -> bool:
    return any(spelling.startswith(prefixes) for spelling in spelled)


def _spelled(value: Any) -> frozenset[str]:
    first = value[0] if isinstance(value, list) and value else value
    return forms(first) if scalar(first) else frozenset()


def _numeric(value: Any) -> bool:
    return _some(_spelled(value), ("num:", "minor:"))


def _number_kind(names: frozenset[str], spelled: frozenset[str]) -> Kind:
    if names & _AMOUNT or _some(spelled, ("cur:", "pct:")):
        return "amount"
    return "id" if names & _ID else "number"


def _string_kind(names: frozenset[str], spelled: frozenset[str], meant: Any, called: Any) -> Kind:
    if names & _TEXT or any(isinstance(v, str) and len(v) > 64 for v in (meant, called)):
        return "text"
    if names & _RECIPIENT:
        return "recipient"
    if names & _ID or _some(spelled, ("id:",)):
        return "id"
    return "entity"


def scalar(value: Any) -> bool:
    return not isinstance(value, (list, dict))

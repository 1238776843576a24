"""Cheap checks of arguments against the tool's own schema: type, options, required, bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from gateway.intent.v1.plan_fields import Field
from gateway.intent.v1.plan_kinds import Schema


def _whole(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _whole,
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}


class Violation(Struct, frozen=True):
    """What a schema does not allow. `rule` is the schema's word for it."""

    rule: str
    pointer: str
    observed: Any
    expected: Any


def violations(
    arguments: Mapping[str, Any], fields: Sequence[Field], schema: Schema | None
) -> list[Violation]:
    """At most sixteen violations, in the order of the fields, the missing ones last."""
    if not isinstance(schema, Mapping) or not schema:
        return []
    found: list[Violation] = []
    for field in fields:
        if field.schema:
            found += _of(field)
        if len(found) >= 16:
            break
    return (found + list(_absent(arguments, schema)))[:16]


def _of(field: Field) -> Iterator[Violation]:
    value, schema = field.value, field.schema
    if value is None:
        return
    types = schema.get("type")
    if isinstance(types, str) and types in _TYPES and not _TYPES[types](value):
        yield Violation("type", field.pointer, value, types)
    options = schema.get("enum")
    if isinstance(options, list) and options and value not in options[:256]:
        yield Violation("enum", field.pointer, value, options[:8])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _bounds(field, value)


def _bounds(field: Field, value: float) -> Iterator[Violation]:
    low, high = field.schema.get("minimum"), field.schema.get("maximum")
    if isinstance(low, (int, float)) and value < low:
        yield Violation("minimum", field.pointer, value, low)
    if isinstance(high, (int, float)) and value > high:
        yield Violation("maximum", field.pointer, value, high)


def _absent(arguments: Mapping[str, Any], schema: Schema) -> Iterator[Violation]:
    required = schema.get("required")
    for name in required[:64] if isinstance(required, list) else ():
        if isinstance(name, str) and name not in arguments:
            yield Violation("required", f"/{name}", None, name)

"""JSON Schema for arguments, of the words whose work is bounded by schema and value.

References, and with them recursion and addresses, are no words here; patterns go through RE2, whose
time is linear. A word that is not known is refused: what is passed over would hold silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import jsonschema
import jsonschema.validators
import re2
from jsonschema import ValidationError
from jsonschema.exceptions import SchemaError

PATTERN_CHARS: Final = 1000
PATTERN_MEMORY: Final = 1024 * 1024
WORDS_MAX: Final = 500
_WORDS: Final = frozenset(
    {
        *("$schema", "title", "description", "default", "examples"),
        *("type", "enum", "const", "properties", "required", "additionalProperties"),
        *("minProperties", "maxProperties", "items", "prefixItems", "minItems", "maxItems"),
        *("contains", "minLength", "maxLength", "pattern", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    }
)
_BELOW: Final = frozenset(
    {"additionalProperties", "items", "contains", "not", "if", "then", "else"}
)
_EACH_BELOW: Final = frozenset({"prefixItems", "allOf", "anyOf", "oneOf"})


class BadSchema(ValueError):
    """The schema is none, or has words that are not taken here."""


def compiled(schema: Any) -> Callable[[Any], str | None]:
    """A function that tells what is wrong with a value, None when nothing is. Raises BadSchema."""
    _look(schema, [WORDS_MAX])
    try:
        _Validator.check_schema(schema)
    except SchemaError as error:
        raise BadSchema(f"the schema is none: {error.message[:200]}") from None
    validator = _Validator(schema)

    def complaint(value: Any) -> str | None:
        first = next(validator.iter_errors(value), None)
        if first is None:
            return None
        at = "".join(f"/{step}" for step in first.absolute_path)
        return f"{at or '/'} does not fit `{first.validator}`"

    return complaint


def pattern(text: str) -> Any:
    """A regular expression of linear time. Raises BadSchema."""
    if len(text) > PATTERN_CHARS:
        raise BadSchema(f"a pattern has at most {PATTERN_CHARS} characters")
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise BadSchema(f"the pattern is not one of RE2: {error}") from None


def _look(schema: Any, left: list[int]) -> None:
    """Every word known, every pattern readable, and not too much of either."""
    left[0] -= 1
    if left[0] < 0:
        raise BadSchema(f"the schema has more than {WORDS_MAX} parts")
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise BadSchema("a schema is an object, or true or false")
    for word, value in schema.items():
        if word not in _WORDS:
            raise BadSchema(f"the word {word[:64]!r} is not taken here")
        for inside in _inside(word, value):
            _look(inside, left)
        if word == "pattern":
            pattern(value if isinstance(value, str) else "(")


def _inside(word: str, value: Any) -> Iterator[Any]:
    if word in _BELOW:
        yield value
    elif word in _EACH_BELOW and isinstance(value, list):
        yield from value
    elif word == "properties" and isinstance(value, dict):
        yield from value.values()


def _fits(_validator: Any, text: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not pattern(text).search(value):
        yield ValidationError("does not match")


_Validator: Final = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _fits}
)

"""Which field of a plan is which field of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from gateway.intent.v1.plan_kinds import LEXICON, Kind, Schema, kind_of, scalar
from gateway.intent.v1.values import contained, forms, same
from gateway.intent.v1.values_words import STOP, key_words, words

_EMPTY: Schema = {}
_NEIGHBOURS: dict[str, frozenset[int]] = {}
for _number, _group in enumerate(LEXICON["fields"]):
    for _word in (*_group, *(each[:-1] for each in _group if len(each) > 3 and each[-1] == "s")):
        _NEIGHBOURS[_word] = _NEIGHBOURS.get(_word, frozenset()) | {_number}


class Field(Struct, frozen=True):
    """One argument, whole: lists and scalars are fields, objects are taken apart."""

    pointer: str
    key: str
    value: Any
    schema: Schema


class Pair(Struct, frozen=True):
    """A field of the plan and the field of the call that it became; `by` says how it was told."""

    meant: Field
    called: Field
    by: Literal["name", "alias", "value", "kind"]


class Alignment(Struct, frozen=True):
    """The pairs, what the call left out and what it has beyond the plan."""

    pairs: tuple[Pair, ...]
    missing: tuple[Field, ...]
    extra: tuple[Field, ...]
    meant: tuple[Field, ...]

    @property
    def stranger(self) -> bool:
        """Whether plan and call have fields, and none in common: it is another call."""
        return not self.pairs and bool(self.missing) and bool(self.extra)


def fields_of(arguments: Mapping[str, Any], schema: Schema | None) -> list[Field]:
    """The fields with their schemas; at most 128, at most six objects deep."""
    found: list[Field] = []
    stack: list[tuple[str, str, Any, Schema, int]] = [("", "", arguments, schema or _EMPTY, 0)]
    while stack and len(found) < 128:
        pointer, key, value, known, depth = stack.pop()
        if isinstance(value, dict) and depth < 6 and (value or not pointer):
            properties = _mapping(known.get("properties"))
            stack += [
                (
                    f"{pointer}/{_escaped(str(name))}",
                    str(name),
                    each,
                    _of(properties, name),
                    depth + 1,
                )
                for name, each in reversed(list(value.items())[:128])
            ]
        elif _objects(value) and depth < 6:
            inner = _mapping(known.get("items"))
            stack += [
                (f"{pointer}/{at}", key, each, inner, depth + 1)
                for at, each in reversed(list(enumerate(value[:32])))
            ]
        else:
            found.append(Field(pointer, key, value, known))
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value[:32])


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, dict) else _EMPTY


def _of(properties: Schema, name: Any) -> Schema:
    return _mapping(properties.get(name))


def align(meant: Sequence[Field], called: Sequence[Field]) -> Alignment:
    """Pair by the same path, then by the same name, then by likeness of names and of values."""
    paths = {field.pointer: field for field in called}
    pairs = [Pair(field, paths[field.pointer], "name") for field in meant if field.pointer in paths]
    taken = {pair.called.pointer for pair in pairs}
    left = [field for field in meant if field.pointer not in paths and field.value is not None]
    open_fields = [field for field in called if field.pointer not in taken]
    missing: list[Field] = []
    if left and open_fields:
        more, missing = _likest(left, open_fields)
        pairs += more
        taken = {pair.called.pointer for pair in pairs}
        more, missing = _of_one_kind(missing, [f for f in open_fields if f.pointer not in taken])
        pairs += more
        taken = {pair.called.pointer for pair in pairs}
        open_fields = [field for field in open_fields if field.pointer not in taken]
    else:
        missing = left
    return Alignment(tuple(pairs), tuple(missing), tuple(open_fields), tuple(meant))


def _of_one_kind(left: list[Field], right: list[Field]) -> tuple[list[Pair], list[Field]]:
    """What is left over on both sides, once of a kind, is one field by all appearance."""
    pairs: list[Pair] = []
    for kind in ("amount", "recipient", "date"):
        mine = [field for field in left if _own_kind(field) == kind]
        yours = [field for field in right if _own_kind(field) == kind]
        if len(mine) == len(yours) == 1:
            pairs.append(Pair(mine[0], yours[0], "kind"))
    gone = {pair.meant.pointer for pair in pairs}
    return pairs, [field for field in left if field.pointer not in gone]


def _own_kind(field: Field) -> Kind:
    return kind_of(key_words(field.key), field.value, field.value, field.schema)


def _likest(left: list[Field], right: list[Field]) -> tuple[list[Pair], list[Field]]:
    scored = [
        (-score, at, to)
        for at, meant in enumerate(left[:16])
        for to, called in enumerate(right[:16])
        if (score := likeness(meant, called)) >= 0.5
    ]
    pairs: list[Pair] = []
    gone: set[int] = set()
    used: set[int] = set()
    for score, at, to in sorted(scored):
        if at not in gone and to not in used:
            gone.add(at)
            used.add(to)
            by: Literal["alias", "value"] = "alias" if -score >= 1.0 else "value"
            pairs.append(Pair(left[at], right[to], by))
    return pairs, [field for at, field in enumerate(left) if at not in gone]


def likeness(meant: Field, called: Field) -> float:
    """How likely two fields are one: from names (up to 2), and from values (up to 1)."""
    names = named_alike(meant, called)
    likely = (
        same(meant.value, called.value, key=called.key, schema=called.schema, a_key=meant.key)
        if scalar(meant.value) and scalar(called.value)
        else listed(meant.value, called.value)
    )
    agree = likely in {"equal", "equivalent"}
    if names <= 0:
        return 0.9 if agree and _telling(meant.value) else 0.0
    return names + (0.9 if agree else 0.2 if likely == "near" else 0.0)


def listed(a: Any, b: Any) -> str:
    mine, yours = elements(a), elements(b)
    if not mine or not yours:
        return "different"
    hit = sum(any(forms(each) & forms(other) for other in yours) for each in mine)
    return "equivalent" if hit == len(mine) == len(yours) else "near" if hit else "different"


def elements(value: Any) -> list[Any]:
    """The elements of a list, or of a text that lists them."""
    if isinstance(value, list):
        return value[:64]
    if isinstance(value, str) and len(value) < 1024:
        parts = value.replace(";", ",").replace(" and ", ",").split(",")
        return [part.strip() for part in parts if part.strip()][:64]
    return [value]


def _telling(value: Any) -> bool:
    """A value that hardly occurs twice by chance."""
    return (isinstance(value, str) and len(value) > 3) or (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) > 12
    )


def named_alike(meant: Field, called: Field) -> float:
    """2 for one name, 1 and more for shared words, a half for synonyms or the schema's text."""
    mine, yours = _telling_words(meant.key), _telling_words(called.key)
    if mine == yours or _joined(meant.key) == _joined(called.key):
        return 2.0
    shared = contained(mine, yours)
    if shared:
        return 1.0 + 0.5 * len(mine & yours) / max(len(mine | yours), 1) if shared == 1 else 0.8
    if _groups(mine) & _groups(yours):
        return 0.7
    return 0.6 if mine and mine <= described(called.schema) else 0.0


@lru_cache(maxsize=4096)
def _telling_words(key: str) -> frozenset[str]:
    every = frozenset(
        word[:-1] if len(word) > 3 and word[-1] == "s" else word for word in key_words(key)
    )
    return every - STOP_KEYS or every


STOP_KEYS = frozenset({"id", "the", "of", "new", "value", "number", "ids", "name", "s"})


def _joined(key: str) -> str:
    return "".join(sorted(key_words(key)))


def _groups(names: frozenset[str]) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for name in names:
        found |= _NEIGHBOURS.get(name, frozenset())
    return found


def described(schema: Schema) -> frozenset[str]:
    """The words of a field's title and description."""
    told = " ".join(
        text[:256] for name in ("title", "description") if isinstance(text := schema.get(name), str)
    )
    return frozenset(words(told)) - STOP if told else frozenset()

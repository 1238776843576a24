"""Turning plain values into structs with every mistake named at once.

msgspec stops at the first mistake and does not know what the author may have meant; a person who
edits a policy wants all of them, each with its place and the nearest word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, UnsetType

Path = tuple[str, ...]


class Mistake(Struct, frozen=True):
    """What is wrong at a place of a document."""

    path: Path
    text: str


def convert(value: Any, wanted: Any) -> tuple[Any, list[Mistake]]:
    """The value as `wanted`, or None and all that is wrong with it.

    Unknown fields are mistakes in every struct: what a person writes is never from the future.
    """
    mistakes = list(_mistakes(value, wanted, ()))
    if mistakes:
        return None, mistakes
    try:
        return msgspec.convert(value, wanted), []
    except msgspec.ValidationError as error:
        return None, [Mistake((), _plain(error))]


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean ...?)`, or nothing when no known word is near."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def dotted(path: Path) -> str:
    """`environments.production.mode`, as a person would say it."""
    return ".".join(path) or "the document"


def _mistakes(value: Any, wanted: Any, path: Path) -> Iterator[Mistake]:
    """What is wrong with the parts; if nothing is, with the whole."""
    inside = list(_of_parts(value, _bare(wanted), path))
    yield from inside or _of_whole(value, wanted, path)


def _of_parts(value: Any, wanted: Any, path: Path) -> Iterator[Mistake]:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if isinstance(wanted, type) and issubclass(wanted, Struct) and isinstance(value, dict):
        yield from _of_struct(value, wanted, path)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _of_whole(key, arguments[0], (*path, key))
            yield from _mistakes(item, arguments[1], (*path, key))
    elif origin in (list, tuple, frozenset) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mistakes(item, arguments[0], (*path, str(index)))


def _of_struct(value: dict[str, Any], wanted: type[Struct], path: Path) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
    hints = get_type_hints(wanted, include_extras=True)
    for key, item in value.items():
        if key in fields:
            yield from _mistakes(item, hints[fields[key].name], (*path, key))
        else:
            yield Mistake((*path, key), f"`{key}` is not a field here{nearest(key, fields)}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield Mistake(path, f"`{name}` is missing")


def _of_whole(value: Any, wanted: Any, path: Path) -> Iterator[Mistake]:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        words = _words(wanted)
        if words and isinstance(value, str):
            one_of = ", ".join(words)
            yield Mistake(path, f"`{value}` is not one of {one_of}{nearest(value, words)}")
        else:
            yield Mistake(path, _plain(error))


def _bare(wanted: Any) -> Any:
    """The type behind `Annotated`, `X | None` or `X | UNSET`; other unions stay as they are."""
    if get_origin(wanted) is Annotated:
        return _bare(get_args(wanted)[0])
    if get_origin(wanted) in (Union, UnionType):
        kept = [part for part in get_args(wanted) if part not in (NoneType, UnsetType)]
        return _bare(kept[0]) if len(kept) == 1 else wanted
    return wanted


def _words(wanted: Any) -> list[str]:
    """The words of a Literal, also of one within Annotated or a union."""
    if get_origin(wanted) is Literal:
        return [word for word in get_args(wanted) if isinstance(word, str)]
    if get_origin(wanted) in (Annotated, Union, UnionType):
        return [word for part in get_args(wanted) for word in _words(part)]
    return []


def _plain(error: msgspec.ValidationError) -> str:
    """msgspec's sentence with a small first letter and without its own notion of the place."""
    text = str(error).partition(" - at `")[0]
    return text[:1].lower() + text[1:]

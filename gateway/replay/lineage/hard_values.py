"""Hard values in words: the text has the argument's value, or another one in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from gateway.intent.v1.text import prepare, stem
from gateway.intent.v1.values import Value, number_in, same
from gateway.intent.v1.values_numbers import CURRENCIES
from gateway.intent.v1.values_words import key_words, plain, words
from gateway.replay.lineage.arguments import SILENT, Argument, Reading, Says
from gateway.replay.lineage.texts import folded_text, read_values
from gateway.replay.quoting import around

SAME: Final = frozenset({"equal", "equivalent"})
_APART: Final = frozenset({"sign", "unit", "scale"})
COMPARED_MAX: Final = 24
_BASELESS: Final = frozenset({"num", "minor", "ratio", "money", "txt"})
_NEAR_TOKENS: Final = 5
_NAME: Final = re.compile(r"(?:[A-Z][\w'-]{1,24})(?:\s(?:[A-Z][\w'&-]{1,24})){0,4}")
_PREFIX: Final = re.compile(r"[A-Za-z]{2,24}(?=[-_]?\d)|[A-Za-z]{2,24}(?=[-_])")
_COUNTS: Final = frozenset({"quantity", "qty", "count", "number", "units", "pieces", "items"})
_BOUND: Final = re.compile(
    r"\b(?:at (?:most|least)|up to|no (?:more|less|fewer) than|(?:max|min)(?:imum)?(?: of)?|under|"
    r"over|below|above|less than|more than|within|between|limit(?:ed)?(?: of| to)?|"
    r"not exceed(?:ing)?|approximately|approx|about|around|roughly|circa|nearly|almost)\W*$",
    re.IGNORECASE,
)
# A day that is named to be counted from: `today is 2026-11-27`.
_TODAY: Final = re.compile(
    r"\b(?:today|now|current date|date today|as of)(?:'s date)?(?: (?:is|being|was))?"
    r"(?: \w{3,9}day)?[\s,:(]*$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[-+]?\d[\d,]{0,20}(?:\.\d{1,12})?(?=\s?[a-zA-Z])")
_POWERS: Final = frozenset({10, 100, 1000})
_COUNTED: Final = re.compile(r"\s(?!(?:and|or|to|of|for|in|on|at|by|from|is|as)\b)[a-z]{3}")


def mentions(argument: Argument, text: str) -> bool:
    """Whether it is worth while to read what a text says of an argument."""
    if not isinstance(argument.value, str | int | float) or isinstance(argument.value, bool):
        return True
    if any(value.forms & argument.spelled for value in read_values(text)):
        return True
    return isinstance(argument.value, str) and where_said(text, argument.value) >= 0


def value_reading(argument: Argument, text: str) -> Reading:
    """Hard values: the text has this one, or another one in its place."""
    candidates = [value for value in read_values(text) if _may_be(argument, value)]
    # Comparing is what costs: the values that are spelled alike come first, then the first others.
    candidates.sort(key=lambda value: not value.forms & argument.spelled)
    relations = [(_relation(argument, value), value) for value in candidates[:COMPARED_MAX]]
    for relation, value in relations:
        if relation in SAME:
            labelled = value.kind in ("money", "percent") or _beside(argument, text, value)
            quote = around(plain(text), value.start, value.end)
            return Reading("agrees", argument.value, relation, quote, labelled=labelled)
    if isinstance(argument.value, str) and argument.kind != "text":
        shown = plain(text)
        start = where_said(shown, argument.value)
        if start >= 0:
            quote = around(shown, start, start + len(argument.value))
            return Reading("agrees", argument.value, "equal", quote)
    free = [
        (r, v)
        for r, v in relations
        if not is_of_another(argument, v) and not _is_bound(argument, text, v)
    ]
    for relation, value in free:
        if relation in _APART and (
            _is_sum(argument, relation, value) or _beside(argument, text, value)
        ):
            return _valued("departs", _written(value), relation, text, value)
    told = [
        v
        for _, v in free
        if _in_place(argument, text, v)
        and not _is_todays(text, v)
        and not _only_has_a_unit(argument, v)
    ]
    if told:
        relation = _relation(argument, told[0])
        return _valued("departs", _written(told[0]), relation, text, told[0])
    return _name(argument, text)


def currency_reading(argument: Argument, text: str) -> Reading:
    wanted = CURRENCIES[argument.value.lower()]
    others = {CURRENCIES.get(each.lower()) for each in argument.others if isinstance(each, str)}
    found = [value for value in read_values(text) if value.kind == "money" and value.unit]
    start = where_said(plain(text), argument.value)
    if start >= 0:
        quote = around(plain(text), start, start + len(argument.value))
        return Reading("agrees", argument.value, "equal", quote)
    for value in found:
        if value.unit == wanted:
            return _valued("agrees", value.unit, "equal", text, value)
    found = [value for value in found if value.unit not in others]
    if found:
        return _valued("departs", found[0].unit, "unit", text, found[0])
    return SILENT


def where_said(text: str, value: str) -> int:
    """Where the words of a value stand one after the other; -1 when nowhere."""
    wanted = words(value[:128])
    if not wanted:
        return -1
    low = folded_text(text)
    if wanted[0] not in low:
        return -1
    pattern = r"(?<![^\W_])" + r"[\W_]{1,3}".join(map(re.escape, wanted)) + r"(?![^\W_])"
    found = re.search(pattern, low)
    return found.start() if found else -1


def _is_bound(argument: Argument, text: str, value: Value) -> bool:
    """Whether a number says how far one may go: a smaller amount keeps `at most 100 USD`."""
    if argument.kind not in ("amount", "number"):
        return False
    return bool(_BOUND.search(plain(text)[max(0, value.start - 24) : value.start]))


def _valued(says: Says, value: Any, relation: str, text: str, found: Value) -> Reading:
    quote = around(plain(text), found.start, found.end)
    return Reading(says, value, relation, quote)


def _written(value: Value) -> str:
    return value.text.strip()


def _relation(argument: Argument, value: Value) -> str:
    return same(value.text.strip(), argument.value, key=argument.key, schema=argument.field.schema)


def _is_sum(argument: Argument, relation: str, value: Value) -> bool:
    """Whether a number of a text is an amount's own, written otherwise: a bare one only with the
    other sign, or with its point elsewhere."""
    if argument.kind != "amount":
        return False
    return value.kind in ("money", "percent") or relation == "sign" or _is_shifted(argument, value)


def _is_shifted(argument: Argument, value: Value) -> bool:
    one, other = number_in(argument.value), number_in(value.text)
    if not one or not other:
        return False
    return max(abs(one), abs(other)) / min(abs(one), abs(other)) in _POWERS


def _is_todays(text: str, value: Value) -> bool:
    """Whether it is the day on which one speaks, which is none that is asked for."""
    if value.kind != "date":
        return False
    return bool(_TODAY.search(plain(text)[max(0, value.start - 40) : value.start]))


def _only_has_a_unit(argument: Argument, value: Value) -> bool:
    """Whether it is the very number with a unit, which the argument's name leaves open."""
    mine = {form.partition(":")[0] for form in argument.spelled} - _BASELESS
    written = _NUMBER.match(value.text)
    if mine or value.kind not in ("quantity", "number") or written is None:
        return False
    return number_in(argument.value) == number_in(written.group())


def _may_be(argument: Argument, value: Value) -> bool:
    """Whether a value of a text is such a thing as the argument."""
    if argument.kind == "amount":
        return value.kind in ("money", "percent", "number", "quantity")
    if argument.kind == "number" and argument.numeric:
        return value.kind in ("number", "quantity", "percent", "money")
    own = {form.partition(":")[0] for form in argument.spelled}
    theirs = {form.partition(":")[0] for form in value.forms}
    strict = {"mail", "url", "path", "tel", "date", "time", "md", "id"}
    return bool(own & theirs & strict)


def could_be(argument: Argument, value: Value) -> bool:
    """Whether a value of a text could stand in the argument's place."""
    if not _may_be(argument, value) or is_of_another(argument, value):
        return False
    return value.kind != "id" or _alike(str(argument.value), value.text)


def is_of_another(argument: Argument, value: Value) -> bool:
    """Whether a value of a text is what another argument of the call carries."""
    return bool(value.forms & argument.claimed)


def _in_place(argument: Argument, text: str, value: Value) -> bool:
    """Whether a different value stands where the argument's should be."""
    if value.kind in ("mail", "date", "time", "url", "path", "phone"):
        return argument.kind != "text"
    if value.kind == "id":
        return _alike(str(argument.value), value.text)
    if argument.kind == "amount":
        return value.kind in ("money", "percent") or _beside(argument, text, value)
    return argument.kind == "number" and _beside(argument, text, value)


def _alike(one: str, other: str) -> bool:
    """Identifiers of one make: the same letters before the digits."""
    mine, yours = _PREFIX.match(one), _PREFIX.match(other.lstrip("#"))
    if mine is None or yours is None:
        bare = other.lstrip("#")
        return one.isdigit() and bare.isdigit() and len(one) == len(bare)
    return mine.group().lower() == yours.group().lower()


def _beside(argument: Argument, text: str, value: Value) -> bool:
    """Whether what the argument is called, or its unit, is said next to a number."""
    keys = key_words(argument.key.partition("_per_")[0])
    if keys & _COUNTS and value.kind == "number" and _counts_something(text, value):
        return True
    named = {stem(word) for word in keys if len(word) > 2}
    if named & set(_stems_around(text, value)):
        return True
    bases = {form.partition(":")[0] for form in argument.spelled} - _BASELESS
    return "_per_" not in argument.key and bool(
        bases & {form.partition(":")[0] for form in value.forms}
    )


def _counts_something(text: str, value: Value) -> bool:
    """Whether a number stands before a word: `4 boxes`, but not `order 4`."""
    return bool(_COUNTED.match(plain(text), value.end))


def _stems_around(text: str, value: Value) -> Sequence[str]:
    before = prepare(plain(text)[max(0, value.start - 60) : value.start]).stems[-_NEAR_TOKENS:]
    after = prepare(plain(text)[value.end : value.end + 60]).stems[:_NEAR_TOKENS]
    return (*before, *after)


def _name(argument: Argument, text: str) -> Reading:
    """Another name where a recipient's should be: one that shares a word, or is a letter apart."""
    value = argument.value
    if not isinstance(value, str) or argument.kind not in ("recipient", "entity"):
        return SILENT
    mine = frozenset(words(value[:96]))
    if any(sign in value for sign in "@/\\[{") or not mine:
        return SILENT
    for found in _NAME.finditer(plain(text)):
        yours = frozenset(words(found.group()))
        near = same(found.group(), value) == "near"
        shares = " " in value and bool(mine & yours) and not (mine <= yours or yours <= mine)
        if near or (shares and argument.kind == "recipient"):
            quote = around(plain(text), found.start(), found.end())
            return Reading("departs", found.group(), "near", quote)
    return SILENT

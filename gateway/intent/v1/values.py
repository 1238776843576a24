"""Values in forms that can be compared: what a planner writes and what a call carries.

`flatten` takes arguments apart, `forms` gives the normalised spellings of one value, `values_in`
finds the hard values of a text, and `same` says how two values differ, if they do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.intent.v1.values_likeness import contained, near
from gateway.intent.v1.values_numbers import (
    CURRENCIES,
    DIGITS,
    KEY_UNITS,
    UNITS,
    canonical,
    decimal_of,
    number_of,
    scaled,
    spoken,
)
from gateway.intent.v1.values_read import (
    LIMIT,
    Value,
    id_forms,
    money_forms,
    phone_forms,
    values_in,
)
from gateway.intent.v1.values_words import (
    FALSE,
    LEXICON,
    STOP,
    SYNONYMS,
    TRUE,
    UNDECORATED,
    folded,
    key_words,
    plain,
    words,
)

__all__ = [
    "LIMIT",
    "Leaf",
    "Likeness",
    "Value",
    "contained",
    "flatten",
    "forms",
    "is_minor",
    "number_in",
    "plain",
    "same",
    "values_in",
    "words",
]

Likeness = Literal["equal", "equivalent", "unit", "sign", "scale", "near", "different"]
MOST_LEAVES: Final = 256
DEEPEST: Final = 12
LONGEST: Final = 512
_MINOR_KEYS = frozenset(LEXICON["minor_keys"])
_MINOR = tuple(LEXICON["minor_phrases"])
_MAJOR = tuple(LEXICON["major_phrases"])
_CENTS = Decimal("0.01")
_BARE = re.compile(r"[-+(]?[\d.,' _]{1,40}\)?\Z")
_PHONE = re.compile(r"\+[\d\s().-]{8,20}\Z")
_STRICT = ("bool:", "mail:", "url:", "path:", "tel:", "date:", "time:")
_MEASURES = ("s:", "mo:", "B:", "m:", "g:", "cpu:")
_SCALES = frozenset(canonical(Decimal(10) ** power) for power in range(-6, 7) if power) | {
    "60", "3600", "24", "1440", "86400", "1024", "1048576", "1073741824",
}  # fmt: skip


class Leaf(Struct, frozen=True):
    """One value of the arguments: where it stands, the nearest name above it, what it is."""

    pointer: str
    key: str
    value: Any


def flatten(arguments: Mapping[str, Any]) -> tuple[Leaf, ...]:
    """The leaves of the arguments in order; an empty list or object is a leaf as well."""
    found: list[Leaf] = []
    stack: list[tuple[str, str, Any, int]] = [("", "", arguments, 0)]
    while stack and len(found) < MOST_LEAVES:
        pointer, key, value, depth = stack.pop()
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            inner = list(value.items())[:MOST_LEAVES]
            stack += [
                (f"{pointer}/{_escaped(str(name))}", str(name), each, depth + 1)
                for name, each in reversed(inner)
            ]
        elif isinstance(value, (list, tuple)) and value and depth < DEEPEST:
            stack += [
                (f"{pointer}/{at}", key, each, depth + 1)
                for at, each in reversed(list(enumerate(value[:MOST_LEAVES])))
            ]
        elif pointer:
            found.append(Leaf(pointer, key, value))
    return tuple(found)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def forms(value: Any, key: str = "") -> frozenset[str]:
    """The normalised spellings of one value; two values with one in common may be the same."""
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, (int, float)):
        number = decimal_of(value)
        return _number_forms(number, key) if number is not None else frozenset({"num:huge"})
    if isinstance(value, str):
        if len(value) > LONGEST:
            return frozenset({f"long:{blake2b(value.encode('utf-8', 'replace')).hexdigest()[:32]}"})
        return _short_forms(value, key) if len(value) <= 128 else _text_forms(value, key)
    if value is None:
        return frozenset({"null:"})
    return frozenset()


_TRUE = frozenset({"bool:true", "num:1"})
_FALSE = frozenset({"bool:false", "num:0"})


def _number_forms(number: Decimal, key: str) -> frozenset[str]:
    found = {f"num:{canonical(number)}"}
    named = key_words(key)
    if named & _MINOR_KEYS:
        found |= {f"minor:{canonical(number)}", f"money:{scaled(number, _CENTS)}"}
    elif currency := next((CURRENCIES[word] for word in sorted(named) if word in CURRENCIES), None):
        found |= money_forms(number, currency)
    elif number == number.to_integral():
        found.add(f"minor:{canonical(number)}")
    if abs(number) <= 1:
        found.add(f"ratio:{canonical(number)}")
    unit = next((KEY_UNITS[word] for word in sorted(named) if word in KEY_UNITS), None)
    if unit:
        base, factor = UNITS[unit]
        found.add(f"pct:{canonical(number)}" if base == "%" else f"{base}:{scaled(number, factor)}")
    return frozenset(found)


def _text_forms(text: str, key: str) -> frozenset[str]:
    text = plain(text).strip()
    low = folded(text)
    text = _SAID_OTHERWISE.get(low, text)
    if text[:1] == "+" and len(text) >= 9 and _PHONE.match(text):
        return frozenset(phone_forms(text))
    if _BARE.match(text):
        number = number_of(text)
        if number is not None:
            more = id_forms(text) if low[:1] == "0" else []
            return _number_forms(number, key) | {f"txt:{low}", *more}
    heard = _word_forms(low)
    if len(text) > 96:
        return frozenset(heard)
    return frozenset(heard) | _read_forms(text, key)


_short_forms = lru_cache(maxsize=4096)(_text_forms)


def _word_forms(low: str) -> list[str]:
    found = [f"txt:{' '.join(sorted(_telling(low)))}"]
    if low in TRUE or low in FALSE:
        found += ["bool:true" if low in TRUE else "bool:false"]
    together = " ".join(words(low)) if len(low) < 40 else ""
    found += SYNONYMS.get(together, ())
    if 3 <= len(low) <= 64:
        squeezed = _SQUEEZED.sub("", low)
        found.append(f"sq:{squeezed[1:] if low[0] == 'v' and low[1].isdecimal() else squeezed}")
    names = _telling(low)
    if 2 <= len(names) <= 4 and all(name.isalpha() for name in names):
        found.append(f"who:{' '.join(sorted(names))}")
    return found


def _telling(low: str) -> list[str]:
    """The words that tell; all of them when only titles and articles are there."""
    every = words(low)[:256]
    told = [word for word in every if word not in STOP and word not in UNDECORATED]
    return told or every


def _read_forms(text: str, key: str) -> frozenset[str]:
    """The forms of the values in a short text, unless other words say more than they do."""
    values = values_in(text)
    if not values or len(values) > 3:
        return frozenset()
    covered = sum(value.end - value.start for value in values)
    rest = [word for word in words(text) if word not in STOP and word not in _FILLERS]
    inside = sum(len(words(value.text)) for value in values)
    beyond = len(rest) - inside
    if beyond > 0 and (beyond > 2 or covered * 2 < len(text) or values[0].kind == "id"):
        return frozenset()
    found: set[str] = set()
    if len({value.kind for value in values}) < len(values):
        return frozenset({f"seq:{' '.join(min(value.forms) for value in values)}"})
    for value in values:
        found |= value.forms
        if len(values) == 1 and value.number is not None and value.kind == "number":
            found |= _number_forms(value.number, key)
    return frozenset(found)


_FILLERS = frozenset(CURRENCIES) | frozenset(LEXICON["fillers"])
_SAID_OTHERWISE: dict[str, str] = LEXICON["said_otherwise"]
_SQUEEZED = re.compile(r"[\s#_-]+")


def number_in(value: Any) -> Decimal | None:
    """The one number that a value is or names."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return decimal_of(value)
    return _number_named(value) if isinstance(value, str) and len(value) <= 96 else None


@lru_cache(maxsize=4096)
def _number_named(value: str) -> Decimal | None:
    text = plain(value).strip()
    if len(text) <= DIGITS and (number := number_of(text)) is not None:
        return number
    text = _SAID_OTHERWISE.get(folded(text), text)
    found = [each for each in values_in(text) if each.number is not None]
    if not found:
        return spoken(words(text))
    rest = [word for word in words(text) if word not in STOP and word not in _FILLERS]
    only = len(found) == 1 and len(rest) - len(words(found[0].text)) <= 1
    return found[0].number if only else None


def is_minor(key: str, schema: Mapping[str, Any] | None) -> bool | None:
    """Whether a field counts cents; nothing when neither its name nor its text says so."""
    return _minor(key, _told(schema))


def _told(schema: Mapping[str, Any] | None) -> str:
    """What the schema says of a field in words."""
    told = schema.get("description") if schema else None
    return told[:LONGEST] if isinstance(told, str) else ""


@lru_cache(maxsize=4096)
def _minor(key: str, told: str) -> bool | None:
    if key_words(key) & _MINOR_KEYS:
        return True
    low = told.lower()
    if low and any(phrase in low for phrase in _MINOR):
        return True
    return False if low and any(phrase in low for phrase in _MAJOR) else None


def same(
    a: Any,
    b: Any,
    *,
    key: str = "",
    schema: Mapping[str, Any] | None = None,
    a_key: str | None = None,
) -> Likeness:
    """How the value that a call carries (`b`) stands to the one that was meant (`a`).

    `key` and `schema` are the call's field, `a_key` is the name that the plan gave it.
    """
    if type(a) is type(b) and isinstance(a, (str, int, bool)) and a == b:
        return "equal"
    standing = _remembered if _short(a) and _short(b) else _standing
    return standing(a, b, key, key if a_key is None else a_key, _told(schema))


def _short(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 128)


def _standing(a: Any, b: Any, key: str, a_key: str, told: str) -> Likeness:
    mine = forms(a, a_key)
    yours = forms(b, _with_unit(key, told))
    numbers = number_in(a), number_in(b)
    if numbers[0] is not None and numbers[1] is not None and not _dated(mine | yours):
        return _amounts(numbers[0], numbers[1], (mine, yours), (a, b), _minor(key, told))
    return _likeness(mine, yours, a, b)


# The same pair is looked at for each text that says it, and again in each check of a run.
_remembered = lru_cache(maxsize=8192, typed=True)(_standing)


def _dated(spellings: frozenset[str]) -> bool:
    return any(spelling.startswith(("date:", "md:", "time:", "tel:")) for spelling in spellings)


def _prefixed(spellings: frozenset[str], prefix: str) -> frozenset[str]:
    return frozenset(spelling for spelling in spellings if spelling.startswith(prefix))


def _strict(mine: frozenset[str], yours: frozenset[str]) -> bool | None:
    """What the strict kinds say that both values have: all must agree; nothing if there is none."""
    if not _prefixed(mine, "date:") or not _prefixed(yours, "date:"):
        prefixes: tuple[str, ...] = (*_STRICT, "md:")
    else:
        prefixes = _STRICT
    seen = False
    for prefix in prefixes:
        left, right = _prefixed(mine, prefix), _prefixed(yours, prefix)
        if left and right:
            seen = True
            if not left & right:
                return False
    return True if seen else None


def _likeness(mine: frozenset[str], yours: frozenset[str], a: Any, b: Any) -> Likeness:
    agreed = _strict(mine, yours)
    if agreed:
        return "equivalent"
    if agreed is None and mine & yours - {"num:huge"}:
        return "equivalent"
    if isinstance(a, str) and isinstance(b, str) and near(folded(a[:128]), folded(b[:128])):
        return "near"
    return "different"


def _amounts(
    a: Decimal,
    b: Decimal,
    spelled: tuple[frozenset[str], frozenset[str]],
    written: tuple[Any, Any],
    minor: bool | None,
) -> Likeness:
    mine, yours = spelled
    left, right = _prefixed(mine, "cur:"), _prefixed(yours, "cur:")
    if left and right and not left & right:
        return "unit"
    measured = _measured(mine, yours)
    if measured is not None:
        return "equivalent" if measured else _apart(a, b, unit=True)
    if _counted(mine, yours, written, minor):
        return "equivalent"
    if a == b:
        return "unit" if left and minor and not right else "equivalent"
    if (
        (mine & yours and _prefixed(mine & yours, "sq:"))
        or _shares(mine, yours)
        or _spelled_id(written, mine, yours)
    ):
        return "equivalent"
    return _apart(a, b, unit=minor is not None or bool(left))


@lru_cache(maxsize=4096)
def _with_unit(key: str, told: str) -> str:
    """The name of a field, with the one unit that its description says where it says none."""
    if key_words(key) & KEY_UNITS.keys():
        return key
    said = [word for word in words(told[:256]) if word in KEY_UNITS]
    return f"{key}_{said[0]}" if len(set(said)) == 1 else key


def _measured(mine: frozenset[str], yours: frozenset[str]) -> bool | None:
    for prefix in _MEASURES:
        left, right = _prefixed(mine, prefix), _prefixed(yours, prefix)
        if left and right:
            return bool(left & right)
        if (left or right) and _unitless(left or right, yours if left else mine):
            return True
    return None


def _unitless(measured: frozenset[str], other: frozenset[str]) -> bool:
    """A bare number may count seconds or milliseconds, for all its name says."""
    numbers = _amounts_in(other, "num:")
    for each in measured:
        prefix, _, amount = each.partition(":")
        if prefix == "s" and numbers & {amount, scaled(Decimal(amount), Decimal(1000))}:
            return True
    return False


def _counted(
    mine: frozenset[str], yours: frozenset[str], written: tuple[Any, Any], minor: bool | None
) -> bool:
    """Whether one side says an amount of money and the other counts it in minor units."""
    if _prefixed(mine, "cur:"):
        whole = isinstance(written[1], int) or (
            isinstance(written[1], str) and written[1].strip().isdecimal()
        )
        if minor is not True and _amounts_in(mine, "money:") & _amounts_in(yours, "num:"):
            return True
        money = bool(_prefixed(mine, "minor:") & _prefixed(yours, "minor:"))
        return money and whole and minor is not False
    left, right = _amounts_in(mine, "money:"), _amounts_in(yours, "money:")
    if left and right:
        return bool(left & right)
    if left:
        return bool(left & _amounts_in(yours, "num:"))
    return bool(right & _amounts_in(mine, "num:")) and _prefixed(mine, "cur:") != frozenset()


def _amounts_in(spellings: frozenset[str], prefix: str) -> set[str]:
    return {each.removeprefix(prefix) for each in spellings if each.startswith(prefix)}


def _shares(mine: frozenset[str], yours: frozenset[str]) -> bool:
    """A percentage against a fraction."""
    percent = _prefixed(mine, "pct:") | _prefixed(yours, "pct:")
    return bool(percent) and bool(_prefixed(mine, "ratio:") & _prefixed(yours, "ratio:"))


def _spelled_id(written: tuple[Any, Any], mine: frozenset[str], yours: frozenset[str]) -> bool:
    return (
        isinstance(written[0], str)
        and isinstance(written[1], str)
        and bool(_prefixed(mine, "id:") & _prefixed(yours, "id:"))
    )


def _apart(a: Decimal, b: Decimal, *, unit: bool) -> Likeness:
    if a == -b and a:
        return "sign"
    if a and b and (a > 0) == (b > 0):
        ratio = canonical(a / b) if abs(a) > abs(b) else canonical(b / a)
        if ratio == "1":
            return "unit" if unit else "equivalent"
        if ratio in _SCALES:
            return "unit" if unit else "scale"
    return "different"

"""How the value that a call carries stands to the one that was meant."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from gateway.intent.v1.values_forms import LONGEST, MINOR_KEYS, forms, number_in
from gateway.intent.v1.values_likeness import near
from gateway.intent.v1.values_numbers import KEY_UNITS, canonical, scaled
from gateway.intent.v1.values_words import LEXICON, folded, key_words, words

Likeness = Literal["equal", "equivalent", "unit", "sign", "scale", "near", "different"]
_MINOR = tuple(LEXICON["minor_phrases"])
_MAJOR = tuple(LEXICON["major_phrases"])
_STRICT = ("bool:", "mail:", "url:", "path:", "tel:", "date:", "time:")
_MEASURES = ("s:", "mo:", "B:", "m:", "g:", "cpu:")
_SCALES = frozenset(canonical(Decimal(10) ** power) for power in range(-6, 7) if power) | {
    "60", "3600", "24", "1440", "86400", "1024", "1048576", "1073741824",
}  # fmt: skip


def is_minor(key: str, schema: Mapping[str, Any] | None) -> bool | None:
    """Whether a field counts cents; nothing when neither its name nor its text says so."""
    return _minor(key, _told(schema))


def _told(schema: Mapping[str, Any] | None) -> str:
    """What the schema says of a field in words."""
    told = schema.get("description") if schema else None
    return told[:LONGEST] if isinstance(told, str) else ""


@lru_cache(maxsize=4096)
def _minor(key: str, told: str) -> bool | None:
    if key_words(key) & MINOR_KEYS:
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

"""Hard values in running text: addresses, dates, money, quantities, ids and numbers.

One pattern, whose branches begin only where a word begins and are bounded, walks the text once;
so a text of one endless word costs as little as any other.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from gateway.intent.v1.values_dates import DATE, TIME, date_forms, time_forms
from gateway.intent.v1.values_numbers import (
    CURRENCIES,
    MINOR_WORDS,
    NO_MINOR,
    NUMBER_WORDS,
    SUFFIXES,
    SYMBOLS,
    UNITS,
    canonical,
    is_number_word,
    number_of,
    scaled,
    spoken,
)
from gateway.intent.v1.values_words import folded, plain

LIMIT = 16_384
MOST = 512
_CENTS = Decimal(100)
_NUMBER = r"\d{1,3}(?:[,'\u00a0]\d{3}){1,9}(?:\.\d{1,12})?|\d{1,30}(?:[.,]\d{1,12}){0,6}"
_SYMBOL = "[" + "".join(SYMBOLS) + "]"
_PATTERN = re.compile(
    r"(?:(?<![\w@])(?<!\w[-_./])|(?<=\d)(?=T\d\d:))(?:"
    r"(?P<mail>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5})"
    r"|(?P<url>https?://[^\s<>\"']{1,2048})"
    rf"|{DATE}|{TIME}"
    r"|(?P<path>(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w.@+-]{1,128}(?:[/\\][\w.@+-]{1,128}){0,32}[/\\]?)"
    r"|(?P<phone>\+\d{1,3}[\s(.-]{0,2}\d[\d\s().-]{5,18}\d\b|\(\d{3}\)\s?\d{3}[-.\s]\d{4}\b"
    r"|\d{3}[-.]\d{3}[-.]\d{4}\b)"
    r"|(?P<id>\#?(?=[A-Za-z_]{0,24}[-_]?\d|\d{1,24}[-_]?[A-Za-z])[A-Za-z0-9]{1,48}"
    r"(?:[-_][A-Za-z0-9]{1,48}){1,12}\b"
    r"|\#?[A-Za-z]{1,24}\d[A-Za-z0-9]{0,64}\b|\#\d{1,30}\b)"
    rf"|(?P<amount>(?:[-+(]\s?)?(?:(?:{_SYMBOL}|US\$|(?:USD|EUR|GBP|CHF|JPY|INR)\b)\s?)?[-+]?"
    rf"(?:{_NUMBER})(?!\d)\)?"
    rf"(?:\s?(?P<suffix>[kKM]|bn|mn|thousand|million|billion|hundred)\b)?"
    rf"\s?(?P<unit>{_SYMBOL}|%|[A-Za-z]{{1,16}}\b(?:\sdollars\b|\ssterling\b)?)?)"
    rf"|(?P<word>(?:{'|'.join(sorted(NUMBER_WORDS))})(?![A-Za-z])"
    r"(?:[-\s](?:and\s)?[A-Za-z]{2,9}){0,7}\b)"
    r")",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d")
_BARE = re.compile(r"\d[\d.,'\u00a0]*")
_NOT_ALNUM = re.compile(r"[\W_]+")
_WORDS = re.compile(r"[A-Za-z]+")
_SIGN = re.compile(r"[\d@/\\]")
_SPOKEN = NUMBER_WORDS | {"noon", "midnight"}
_MOST_SPACES = 2


class Value(Struct, frozen=True):
    """A value found in a text. `number` is as written, `unit` its base unit or currency."""

    forms: frozenset[str]
    kind: str
    start: int
    end: int
    text: str
    number: Decimal | None = None
    unit: str | None = None


def values_in(text: str, limit: int = LIMIT, most: int = MOST) -> tuple[Value, ...]:
    """The hard values of a text, in order; what lies beyond the limits is not read.

    Where they stand is counted in `plain(text)`, which is the text itself when it is ASCII.
    """
    return tuple(islice(_read(plain(text[:limit])), most))


def _read(text: str) -> Iterator[Value]:
    position = 0
    spoken_at = _spoken_places(text)
    while (begin := _next(text, position, spoken_at)) is not None:
        match = _PATTERN.search(text, begin)
        if match is None:
            return
        kind = match.lastgroup or ""
        position = max(match.end(), position + 1)
        if match.group("word"):
            value, position = _spoken(match)
        else:
            value = _value(match, "amount" if match.group("amount") else kind)
            if value is not None:
                position = value.end
        if value is not None:
            yield value


def _next(text: str, position: int, spoken_at: list[int]) -> int | None:
    """Where the next value may begin, so that the pattern need not be tried on every word.

    A value has a digit, an at sign or a slash, or begins with a word for a number or a time. No
    branch of the pattern allows more than two spaces before the first of these.
    """
    sign = _SIGN.search(text, position)
    at = bisect_left(spoken_at, position)
    if at < len(spoken_at) and (sign is None or spoken_at[at] < sign.start()):
        return spoken_at[at]
    if sign is None:
        return None
    begin = sign.start()
    for _ in range(_MOST_SPACES + 1):
        begin = text.rfind(" ", position, begin)
        if begin < 0:
            return position
    return begin + 1


def _spoken_places(text: str) -> list[int]:
    """Where the words stand that a value may begin with."""
    if _SPOKEN.isdisjoint(_WORDS.findall(text.lower())):
        return []
    return [found.start() for found in _WORDS.finditer(text) if found.group().lower() in _SPOKEN]


def _value(match: re.Match[str], kind: str) -> Value | None:
    if kind == "amount":
        return _amount(match)
    text = match.group()
    kind, forms = _formed(kind, text)
    if not forms:
        return None
    return Value(forms, kind, match.start(), match.end(), text)


@lru_cache(maxsize=8192)
def _formed(kind: str, text: str) -> tuple[str, frozenset[str]]:
    """What a branch of the pattern found, as the kind of value that it is, and its forms."""
    kind, forms = _READERS[kind](text.rstrip(".,;:!?)") if kind != "clock" else text)
    return kind, frozenset(forms)


def mail_forms(text: str) -> list[str]:
    """An address, and whose it may be by the look of its first part."""
    address = folded(text)
    local = _WORDS.findall(address.partition("@")[0])
    names = sorted(part for part in local if len(part) > 1)
    return [f"mail:{address}", *([f"who:{' '.join(names)}"] if len(names) > 1 else [])]


def url_forms(text: str) -> list[str]:
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    host = host.lower().removeprefix("www.").removesuffix(":443" if scheme[4:] else ":80")
    return [f"url:{host}{slash}{path}".rstrip("/")]


def path_forms(text: str) -> list[str]:
    clean = text.replace("\\", "/")
    return [f"path:{clean.removeprefix('./').rstrip('/')}"]


def id_forms(text: str) -> list[str]:
    bare = _NOT_ALNUM.sub("", folded(text))
    return [f"id:{bare}", *([f"num:{bare}"] if bare.isdecimal() and bare.isascii() else [])]


def phone_forms(text: str) -> list[str]:
    return [f"tel:{''.join(_DIGITS.findall(text))[-9:]}"]


_READERS: dict[str, Callable[[str], tuple[str, list[str]]]] = {
    "mail": lambda text: ("mail", mail_forms(text)),
    "url": lambda text: ("url", url_forms(text)),
    "iso": lambda text: ("date", date_forms("iso", text)),
    "slash": lambda text: ("date", date_forms("slash", text)),
    "dmy": lambda text: ("date", date_forms("dmy", text)),
    "mdy": lambda text: ("date", date_forms("mdy", text)),
    "clock": lambda text: ("time", time_forms(text)),
    "path": lambda text: ("path", path_forms(text)),
    "phone": lambda text: ("phone", phone_forms(text)),
    "id": lambda text: ("id", id_forms(text)),
}


def _amount(match: re.Match[str]) -> Value | None:
    text, unit = match.group(), match.group("unit")
    read = _quantity(text, match.group("suffix") or "", unit)
    if read is None:
        return None
    number, kind, base, forms = read
    end = match.end()
    if unit and not _is_unit(unit):
        if match.string[match.start("unit") - 1].isdecimal():
            return None
        end = match.start("unit")
    shown = text[: end - match.start()].rstrip()
    start = match.start() + len(shown) - len(shown.lstrip())
    return Value(forms, kind, start, start + len(shown), shown.strip(), number, base)


@lru_cache(maxsize=8192)
def _quantity(
    text: str, suffix: str, unit: str | None
) -> tuple[Decimal, str, str | None, frozenset[str]] | None:
    """The number, its kind, its base unit or currency, and its forms."""
    bare = _BARE.search(text)
    number = number_of(bare.group().rstrip(".,'")) if bare else None
    if number is None or bare is None:
        return None
    before = text[: bare.start()]
    number = -number if "-" in before or ("(" in before and ")" in text) else number
    number *= SUFFIXES.get(suffix.lower(), 1)
    kind, base, forms = _measured(number, _currency(before, unit), (unit or "").lower())
    return number, kind, base, frozenset(forms)


def _currency(before: str, unit: str | None) -> str | None:
    for sign in before:
        if sign in SYMBOLS:
            return SYMBOLS[sign]
    for word in (before.strip(" +-("), unit or ""):
        found = CURRENCIES.get(word.lower()) or SYMBOLS.get(word)
        if found:
            return found
    return None


def _is_unit(unit: str) -> bool:
    low = unit.lower()
    return low in UNITS or low in CURRENCIES or low in SYMBOLS or low in MINOR_WORDS or low == "%"


def _measured(number: Decimal, currency: str | None, unit: str) -> tuple[str, str | None, set[str]]:
    plain_forms = {f"num:{canonical(number)}"}
    if currency:
        return "money", currency, plain_forms | money_forms(number, currency)
    if unit in MINOR_WORDS and unit != "p":
        whole = number / _CENTS
        return "money", MINOR_WORDS[unit], money_forms(whole, MINOR_WORDS[unit])
    if unit == "%" or unit == "percent":
        return "percent", "%", plain_forms | percent_forms(number)
    if unit in UNITS:
        base, factor = UNITS[unit]
        return "quantity", base, plain_forms | {f"{base}:{scaled(number, factor)}"}
    return "number", None, plain_forms


def money_forms(number: Decimal, currency: str) -> set[str]:
    """The amount with its currency, and what it is in minor units."""
    minor = Decimal(1) if currency in NO_MINOR else _CENTS
    return {f"money:{canonical(number)}", f"cur:{currency}", f"minor:{scaled(number, minor)}"}


def percent_forms(number: Decimal) -> set[str]:
    return {f"pct:{canonical(number)}", f"ratio:{scaled(number, Decimal('0.01'))}"}


def _spoken(match: re.Match[str]) -> tuple[Value | None, int]:
    """A number in words at the beginning of the match, else on to the next word."""
    run: list[re.Match[str]] = []
    for word in _WORDS.finditer(match.group()):
        low = word.group().lower()
        if not is_number_word(low) and not (run and low == "and"):
            break
        run.append(word)
    while run and run[-1].group().lower() == "and":
        run.pop()
    spelled = [word.group().lower() for word in run]
    number = spoken(spelled) if run and spelled != ["one"] else None
    if number is None:
        first = _WORDS.match(match.group())
        return None, match.start() + (first.end() if first else 1)
    start, end = match.start() + run[0].start(), match.start() + run[-1].end()
    return _with_unit(match.string, number, start, end)


_FOLLOWING = re.compile(r"[\s-]([A-Za-z]{1,16})")


def _with_unit(text: str, number: Decimal, start: int, end: int) -> tuple[Value, int]:
    following = _FOLLOWING.match(text, end)
    unit = following.group(1).lower() if following else ""
    kind, base, forms = _measured(number, CURRENCIES.get(unit), unit)
    end = following.end() if following and kind != "number" else end
    return Value(frozenset(forms), kind, start, end, text[start:end], number, base), end

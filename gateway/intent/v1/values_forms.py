"""The normalised spellings of a value: two values with one in common may be the same."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

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
from gateway.intent.v1.values_read import id_forms, money_forms, phone_forms, values_in
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

LONGEST: Final = 512
MINOR_KEYS = frozenset(LEXICON["minor_keys"])
_CENTS = Decimal("0.01")
_BARE = re.compile(r"[-+(]?[\d.,' _]{1,40}\)?\Z")
_PHONE = re.compile(r"\+[\d\s().-]{8,20}\Z")


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
    if named & MINOR_KEYS:
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

"""Numbers as they are written: separators, signs, suffixes and words; never more than 40 digits."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation

from gateway.intent.v1.values_words import LEXICON

DIGITS = 40
UNITS: dict[str, tuple[str, Decimal]] = {
    word: (base, Decimal(factor)) for word, (base, factor) in LEXICON["units"].items()
}
SUFFIXES: dict[str, int] = LEXICON["suffixes"]
SYMBOLS: dict[str, str] = LEXICON["symbols"]
CURRENCIES: dict[str, str] = LEXICON["currencies"]
MINOR_WORDS: dict[str, str] = LEXICON["minor_words"]
NO_MINOR = frozenset(LEXICON["no_minor"])
KEY_UNITS: dict[str, str] = LEXICON["key_units"]
_SMALL: dict[str, int] = LEXICON["units_words"]
_SCALES: dict[str, int] = LEXICON["scale_words"]
NUMBER_WORDS = frozenset(_SMALL) | frozenset(_SCALES)
_HUGE = Decimal(10) ** DIGITS
_CONTEXT = Context(prec=DIGITS)


def number_of(written: str) -> Decimal | None:
    """What a run of digits with separators says: `1,234.50`, `1.234,50`, `1 234`, `-5`."""
    text = written.strip()
    if not text or len(text) > DIGITS:
        return None
    sign = -1 if text[0] == "-" or (text[0] == "(" and text[-1] == ")") else 1
    text = text.strip("+-()").replace(" ", "").replace("_", "").replace("'", "")
    try:
        found = Decimal(_pointed(text), _CONTEXT)
    except InvalidOperation:
        return None
    return sign * found if found.is_finite() and abs(found.adjusted()) < DIGITS else None


def _pointed(text: str) -> str:
    comma, point = text.rfind(","), text.rfind(".")
    if comma < 0:
        return text if text.count(".") < 2 else _ungrouped(text, ".")
    if point < 0:
        grouped = all(len(group) == 3 for group in text.split(",")[1:])
        return text.replace(",", "") if grouped else text.replace(",", ".")
    if point > comma:
        return text.replace(",", "")
    return text.replace(".", "").replace(",", ".")


def _ungrouped(text: str, mark: str) -> str:
    """Without its marks where they stand before each three digits; else it is no number."""
    return text.replace(mark, "") if all(len(g) == 3 for g in text.split(mark)[1:]) else "no"


def decimal_of(value: float) -> Decimal | None:
    """A JSON number, or nothing when it is not a number that anybody means."""
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() <= 132 else None
    try:
        found = Decimal(repr(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) < _HUGE else None


def canonical(number: Decimal) -> str:
    """One spelling for each number: no zeros at the end, no exponent, no minus zero."""
    if not number:
        return "0"
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text[:96]


def scaled(number: Decimal, factor: Decimal) -> str:
    """The canonical product, rounded to what a person would write."""
    product = _CONTEXT.multiply(number, factor)
    return canonical(product.quantize(Decimal(1)) if product == product.to_integral() else product)


def spoken(run: list[str]) -> Decimal | None:
    """What number words say: `five hundred`, `twenty-five`, `two thousand and ten`."""
    total, current, seen = 0, 0, False
    for word in run[:12]:
        if word in _SMALL:
            current, seen = current + _SMALL[word], True
        elif word in _SCALES:
            scale = _SCALES[word]
            if scale >= 1000:
                total, current = total + max(current, 1) * scale, 0
            else:
                current = max(current, 1) * scale
            seen = True
        elif word not in {"and", "a"}:
            return None
    return Decimal(total + current) if seen else None


def is_number_word(word: str) -> bool:
    return word in NUMBER_WORDS

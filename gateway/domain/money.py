"""Amounts as integer minor units, read from a call's arguments where the policy points.

The caller is not believed about itself: its own `amount` counts only where the policy names no
pointer, and where both are given and differ the call is in conflict.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal

from gateway.domain import pointers
from gateway.domain.check import MAX_SAFE, Amount
from gateway.domain.frame import FrameAmount
from gateway.domain.ruleset import AmountPointer

Source = Literal["none", "policy", "caller", "conflict"]
STRING_MAX = 32
# Digits only once in a way to match: linear. No exponent, which can name numbers beyond any size.
_PLAIN = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_ZERO = "BIF CLP DJF GNF JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = {**dict.fromkeys(_ZERO.split(), 0), **dict.fromkeys(_THREE.split(), 3)}


def amount_of(
    arguments: dict[str, Any], pointer: AmountPointer | None, claimed: Amount | None
) -> tuple[FrameAmount | None, Source]:
    """The amount that counts and where it came from."""
    if pointer is None:
        if claimed is None:
            return None, "none"
        return FrameAmount(claimed.value, claimed.currency.upper()), "caller"
    found = _read(arguments, pointer)
    if found is None:
        return None, "none"
    if claimed is not None and FrameAmount(claimed.value, claimed.currency.upper()) != found:
        return found, "conflict"
    return found, "policy"


def _read(arguments: dict[str, Any], pointer: AmountPointer) -> FrameAmount | None:
    currency: Any = pointer.currency
    if pointer.currency_pointer is not None:
        currency = pointers.resolve(arguments, pointer.currency_pointer)
    if not isinstance(currency, str) or not 1 <= len(currency) <= 16:
        return None
    currency = currency.upper()
    value = _minor(pointers.resolve(arguments, pointer.pointer), pointer.unit, currency)
    return None if value is None else FrameAmount(value, currency)


def _minor(value: Any, unit: str, currency: str) -> int | None:
    """The value in minor units, when it is exactly a whole number of them."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int) and unit == "minor":
        return value if abs(value) <= MAX_SAFE else None
    if isinstance(value, str) and (len(value) > STRING_MAX or not _PLAIN.fullmatch(value)):
        return None
    try:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        scaled = exact.scaleb(_DIGITS.get(currency, 2)) if unit == "major" else exact
        if not scaled.is_finite() or abs(scaled) > MAX_SAFE or scaled != int(scaled):
            return None
    except ArithmeticError:
        return None
    return int(scaled)

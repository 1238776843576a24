"""What calls cost, by the prices that the agent's developer gave: none are known here."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from checkrein._run import Run

Amount = float | str | Decimal
TOKENS = Decimal(1_000_000)


class Price(NamedTuple):
    """The price of a million tokens, in units of the currency (2.5 is 2.50 USD).

    `cached_input` is that of tokens which came from a cache; without it they cost as others do.
    """

    input: Amount
    output: Amount
    cached_input: Amount | None = None
    currency: str = "USD"
    # Digits behind the point of the currency's smallest unit: 2 for cents, 0 for yen.
    minor_digits: int = 2


Prices = Mapping[str, Price]
_owed: weakref.WeakKeyDictionary[Run, dict[str, Decimal]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def price_of(prices: Prices, models: tuple[str | None, ...]) -> Price | None:
    """The price of the first of these names that has one. A name counts whole: no price is guessed
    from a name that is like it."""
    return next((prices[name] for name in models if name is not None and name in prices), None)


def cost(run: Run, price: Price, usage: Mapping[str, int]) -> tuple[int, str]:
    """Integer minor units and currency. What is less than one goes to the run's next call, so that
    the sum over a run is right where single calls cost a fraction of a cent."""
    cached = usage.get("cached_tokens", 0)
    fresh = usage.get("input_tokens", 0) - cached
    of_cached = price.input if price.cached_input is None else price.cached_input
    exact = (
        Decimal(str(price.input)) * fresh
        + Decimal(str(of_cached)) * cached
        + Decimal(str(price.output)) * usage.get("output_tokens", 0)
    ) / TOKENS
    with _lock:
        owed = _owed.setdefault(run, {})
        total = exact.scaleb(price.minor_digits) + owed.get(price.currency, Decimal(0))
        whole = total.quantize(Decimal(1), ROUND_HALF_UP)
        owed[price.currency] = total - whole
    return int(whole), price.currency

"""What a model's answer costs, by a table that the operator gives: no price is known here."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from gateway.domain.observations import ObservedAmount
from gateway.errors import ConfigInvalid
from gateway.replay.reexecute.answers import Tokens

TOKENS: Final = Decimal(1_000_000)
_Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]


class ModelPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """The price of a million tokens in units of the currency, as decimal text ("2.50").

    `minor_digits` are those behind the point of the currency's smallest unit.
    """

    input: _Amount
    output: _Amount
    cached_input: _Amount | None = None
    currency: Annotated[str, Meta(min_length=1, max_length=16)] = "USD"
    minor_digits: Annotated[int, Meta(ge=0, le=6)] = 2


class ModelCost(Struct, frozen=True):
    """Money as exact decimal text, since a single call costs a fraction of a cent."""

    amount: str
    currency: str


class Prices:
    """Prices by the model's whole name."""

    def __init__(self, known: dict[str, ModelPrice] | None = None) -> None:
        self._known = known or {}

    def knows(self, model: str | None) -> bool:
        return model in self._known

    def cost(self, model: str | None, used: Tokens | None) -> ModelCost | None:
        """What these tokens cost; None where the model has no price, or nothing was counted."""
        price = self._known.get(model or "")
        if price is None or used is None:
            return None
        return ModelCost(f"{_exact(price, used):f}", price.currency)

    def minor(self, model: str | None, used: Tokens | None) -> ObservedAmount | None:
        """The same in whole minor units, as the record has amounts."""
        price = self._known.get(model or "")
        if price is None or used is None:
            return None
        units = _exact(price, used).scaleb(price.minor_digits).quantize(Decimal(1), ROUND_HALF_UP)
        return ObservedAmount(int(units), price.currency)


def _exact(price: ModelPrice, used: Tokens) -> Decimal:
    cached = min(used.cached_tokens, used.input_tokens)
    of_cached = price.input if price.cached_input is None else price.cached_input
    sent = Decimal(price.input) * (used.input_tokens - cached) + Decimal(of_cached) * cached
    return (sent + Decimal(price.output) * used.output_tokens) / TOKENS


def read(path: str | None) -> Prices:
    """The table of a JSON file: `{"model": {"input": "2.50", "output": "10"}}`. Raises
    ConfigInvalid."""
    if path is None:
        return Prices()
    try:
        known = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, ModelPrice])
    except (OSError, msgspec.MsgspecError, UnicodeError, InvalidOperation) as error:
        raise ConfigInvalid(f"reexecute_prices: {path}: {error}") from error
    return Prices(known)

"""A difference between a plan and a call, and how much one of each kind counts."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from gateway.intent.v1.plan_fields import Pair
from gateway.intent.v1.plan_kinds import LEXICON, Kind
from gateway.intent.v1.values_words import words

HARD: Final = frozenset({"boolean", "direction", "amount", "recipient"})
WEIGHTS: dict[str, float] = {
    "boolean": 0.98, "direction": 0.97, "amount": 0.97, "recipient": 0.96, "id": 0.95,
    "enum": 0.86, "number": 0.88, "date": 0.86, "entity": 0.82, "text": 0.5,
}  # fmt: skip
_VAGUE = frozenset(LEXICON["vague"])


class Difference(Struct, frozen=True):
    """Where the call is not its plan. `weight` is 0 to 1, `relation` how the values stand."""

    kind: str
    relation: str
    pointer: str
    observed: Any
    expected: Any
    weight: float
    hard: bool = False


def difference(
    pair: Pair, kind: Kind, relation: str, observed: Any, meant: Any, weight: float
) -> Difference | None:
    if weight <= 0:
        return None
    if pair.by != "name":
        weight *= 0.97
    hard = weight >= 0.9 and kind in HARD
    return Difference(kind, relation, pair.called.pointer, observed, meant, weight, hard)


def vague(meant: Any) -> bool:
    """A value that names no value: `the usual card`, `tomorrow`, `<to be found>`."""
    if not isinstance(meant, str):
        return False
    if not meant.strip() or (meant[0] in "<{$[" and not meant[1:2].isdigit()):
        return True
    spoken = words(meant[:96])
    return len(spoken) <= 6 and any(word in _VAGUE for word in spoken)

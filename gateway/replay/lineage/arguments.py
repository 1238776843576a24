"""An argument of a call, and what a source says about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.intent.v1.plan_fields import Field, fields_of
from gateway.intent.v1.plan_kinds import kind_of
from gateway.intent.v1.values import forms, number_in
from gateway.intent.v1.values_numbers import CURRENCIES
from gateway.intent.v1.values_words import key_words
from gateway.replay.lineage.sources import Case

Says = Literal["agrees", "departs", "silent"]
Aspect = Literal["value", "sign", "unit", "currency", "direction", "recipient", "tool"]
ARGUMENTS_MAX: Final = 40
VALUES_MAX: Final = 128
TOOL: Final = "/action/tool"
_COMMON: Final = frozenset({"num:0", "num:1"})
_ROOT: Final = "/action/arguments"
_UNITS: Final = frozenset({Decimal(n) for n in (60, 100, 1000, 1024, 1440, 3600, 86400)})


class Argument(Struct, frozen=True):
    """One value of the call. `field` is the whole argument that it is in, `others` are the rest.

    `spelled` are the ways to write it, `claimed` those of the others: what is theirs is not its.
    """

    pointer: str
    key: str
    value: Any
    kind: str
    field: Field
    others: tuple[Any, ...]
    spelled: frozenset[str]
    claimed: frozenset[str]

    @property
    def numeric(self) -> bool:
        """Whether it is a number, or a text that is one."""
        return any(form.startswith(("num:", "minor:", "money:")) for form in self.spelled)

    @property
    def addressed(self) -> bool:
        """Whether it is an address, which is exact and hardly ever made up rightly."""
        return any(form.startswith(("mail:", "tel:", "url:")) for form in self.spelled)


class Reading(Struct, frozen=True):
    """`value` is what the source has in its place, `quote` where it says so.

    `relation` is how the two stand (`sign`, `unit`, `absent`, ...); `structured` when it was told
    from fields and not from words.
    """

    says: Says
    value: Any = None
    relation: str = ""
    quote: str = ""
    structured: bool = False
    labelled: bool = False


SILENT: Final = Reading("silent")


def arguments_of(case: Case) -> list[Argument]:
    """Every scalar of the call, lists taken apart; the tool itself comes first."""
    tool = Field("", "tool", case.tool, {})
    found = [Argument(TOOL, "tool", case.tool, "tool", tool, (), frozenset(), frozenset())]
    fields = called_fields(case)
    every = [(field, at, value) for field in fields for at, value in _scalars(field)]
    every = every[:VALUES_MAX]
    spelled = [forms(value, field.key) for field, _, value in every]
    plainly = [forms(value) for _, _, value in every]
    for number, (field, at, value) in enumerate(every[:ARGUMENTS_MAX]):
        others = tuple(each for n, (_, _, each) in enumerate(every) if n != number)
        theirs = frozenset().union(*(each for n, each in enumerate(plainly) if n != number))
        kind = kind_of(key_words(field.key), value, value, field.schema)
        pointer = f"{_ROOT}{field.pointer}{at}"
        claimed = theirs - _COMMON
        found.append(
            Argument(pointer, field.key, value, kind, field, others, spelled[number], claimed)
        )
    return found


def called_fields(case: Case) -> list[Field]:
    """The call's fields. What the tool says of its units stands in for a field's own text."""
    told = (case.description or "")[:600]
    found = fields_of(case.arguments, case.schema)
    return [
        Field(f.pointer, f.key, f.value, {"description": told, **f.schema}) if told else f
        for f in found
    ]


def _scalars(field: Field) -> list[tuple[str, Any]]:
    if isinstance(field.value, list):
        items = enumerate(field.value[:ARGUMENTS_MAX])
        return [(f"/{at}", each) for at, each in items if not isinstance(each, list | dict)]
    return [] if isinstance(field.value, dict) else [("", field.value)]


def is_currency(argument: Argument) -> bool:
    if not isinstance(argument.value, str) or argument.value.lower() not in CURRENCIES:
        return False
    return "currency" in key_words(argument.key) or len(argument.value) == 3


def aspect_of(argument: Argument, relation: str, expected: Any) -> Aspect:
    """What about a value departed."""
    if argument.kind == "tool":
        return "tool"
    if argument.kind in ("boolean", "direction") or relation == "opposite":
        return "direction"
    if relation == "sign":
        return "sign"
    if is_currency(argument):
        return "currency"
    if relation in ("unit", "scale"):
        return _unit_aspect(argument, expected)
    return "recipient" if argument.kind == "recipient" or argument.addressed else "value"


def _unit_aspect(argument: Argument, expected: Any) -> Aspect:
    mine = {f for f in forms(argument.value, argument.key) if f.startswith("cur:")}
    yours = {f for f in forms(expected, argument.key) if f.startswith("cur:")}
    if mine and yours and not mine & yours:
        return "currency"
    one, other = number_in(argument.value), number_in(expected)
    if one and other:
        ratio = max(abs(one), abs(other)) / min(abs(one), abs(other))
        return "unit" if ratio in _UNITS else "value"
    return "unit"

"""What one source says about one argument of a call: the same, something else, or nothing.

The normalisation of values, flags and directions is the Intent Guard's, so that what it warned of
and what is explained here are told by the same measure.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.intent.v1.plan_compare import compared
from gateway.intent.v1.plan_difference import vague
from gateway.intent.v1.plan_fields import Field, align, fields_of
from gateway.intent.v1.plan_kinds import options_of
from gateway.intent.v1.values import number_in, same
from gateway.intent.v1.values_words import folded, plain
from gateway.replay.lineage.acts import of_another_tool, tool_reading
from gateway.replay.lineage.arguments import (
    ARGUMENTS_MAX,
    SILENT,
    Argument,
    Reading,
    called_fields,
    is_currency,
)
from gateway.replay.lineage.flags import flag_reading, flags_said
from gateway.replay.lineage.hard_values import SAME, currency_reading, value_reading, where_said
from gateway.replay.lineage.sources import Case, Source
from gateway.replay.quoting import around

_TOLD: Final = 0.5


def read(case: Case, argument: Argument, source: Source) -> Reading:
    """What the source says about the argument."""
    if argument.kind == "tool":
        return tool_reading(case, source)
    if argument.value is None or argument.value == "":
        return SILENT
    if source.arguments is not None and not of_another_tool(case, source):
        found = _structured(case, argument, source.arguments)
        if found.says != "silent" or source.station == "model":
            return found
    if not source.text:
        return SILENT
    found = _words(case, argument, source.text)
    if found.says == "agrees" and source.station == "content" and _is_common(argument):
        # A small number is everywhere: it counts beside what the argument is called.
        return found if found.labelled else SILENT
    return found


def _is_common(argument: Argument) -> bool:
    number = number_in(argument.value)
    return argument.kind in ("number", "amount") and number is not None and abs(number) < 100


def _structured(case: Case, argument: Argument, given: dict[str, Any]) -> Reading:
    """The field of a plan or of a model's answer that became this argument."""
    called = called_fields(case)
    for pair in align(fields_of(given, case.schema), called).pairs:
        if pair.called.pointer != argument.field.pointer:
            continue
        meant = pair.meant.value
        if vague(meant):
            return SILENT
        if isinstance(meant, list) or isinstance(argument.field.value, list):
            return _listed(argument, pair.meant, meant)
        relation = same(
            meant,
            argument.value,
            key=argument.key,
            schema=argument.field.schema,
            a_key=pair.meant.key,
        )
        if relation in SAME:
            return Reading("agrees", meant, relation, structured=True)
        difference = compared(pair, frozenset())
        if difference is not None and difference.weight >= _TOLD:
            return Reading("departs", meant, difference.relation, structured=True)
        return Reading("agrees", meant, "worded", structured=True)
    return Reading("silent", relation="absent", structured=True)


def _listed(argument: Argument, meant_field: Field, meant: Any) -> Reading:
    meant_values = meant if isinstance(meant, list) else [meant]
    relations = [
        same(each, argument.value, key=argument.key, a_key=meant_field.key)
        for each in meant_values[:ARGUMENTS_MAX]
        if not isinstance(each, list | dict)
    ]
    if any(relation in SAME for relation in relations):
        return Reading("agrees", argument.value, "equal", structured=True)
    # What is expected in its place is what the call left out.
    mine = argument.field.value if isinstance(argument.field.value, list) else []
    lost = [
        each
        for each in meant_values[:ARGUMENTS_MAX]
        if not any(same(each, o) in SAME for o in mine[:ARGUMENTS_MAX])
    ]
    return Reading("departs", lost[0] if lost else meant, "different", structured=True)


def _words(case: Case, argument: Argument, text: str) -> Reading:
    if argument.kind == "boolean":
        return flag_reading(case, argument, text)
    if is_currency(argument):
        return currency_reading(argument, text)
    if isinstance(argument.value, str) and argument.kind in ("direction", "enum", "entity"):
        found = _direction(case, argument, text)
        if found.says != "silent":
            return found
    return value_reading(argument, text)


def _direction(case: Case, argument: Argument, text: str) -> Reading:
    """Words of direction (`sell`, `public`) and the options of a schema."""
    shown = plain(text)
    start = where_said(shown, argument.value)
    if start >= 0:
        end = start + len(argument.value)
        return Reading("agrees", argument.value, "equal", around(shown, start, end))
    if _is_title(argument):
        return SILENT
    signals, _ = flags_said(case, text)
    for signal in signals:
        if (signal.check, signal.field) == ("direction", argument.pointer):
            if signal.contribution < _TOLD:
                return SILENT
            word = str(signal.expected)
            at = max(0, folded(shown).find(word))
            return Reading(
                "departs", signal.expected, "opposite", around(shown, at, at + len(word))
            )
    if isinstance(argument.field.value, list):
        # An option that is said besides takes no other's place.
        return SILENT
    for option in options_of(argument.field.schema):
        if isinstance(option, str) and option != argument.value:
            start = where_said(shown, option.replace("_", " "))
            if start >= 0:
                end = start + len(option)
                return Reading("departs", option, "different", around(shown, start, end))
    return SILENT


def _is_title(argument: Argument) -> bool:
    """Whether it is a name, which is no direction: the album `Captured`."""
    value = str(argument.value)
    return argument.kind == "entity" and value[:1].isupper() and not value.isupper()

"""What one source says about one argument of a call: the same, something else, or nothing.

The normalisation of values, flags and directions is the Intent Guard's, so that what it warned of
and what is explained here are told by the same measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.consistency_direction import flag_checks
from gateway.intent.v1.consistency_view import view_of
from gateway.intent.v1.plan_compare import compared
from gateway.intent.v1.plan_difference import vague
from gateway.intent.v1.plan_fields import Field, align, fields_of
from gateway.intent.v1.plan_kinds import options_of
from gateway.intent.v1.plan_text import text_differences
from gateway.intent.v1.text import prepare, stem
from gateway.intent.v1.values import number_in, same
from gateway.intent.v1.values_words import folded, key_words, plain, words
from gateway.replay.lineage.arguments import (
    ARGUMENTS_MAX,
    SILENT,
    Argument,
    Reading,
    Says,
    called_fields,
    is_currency,
)
from gateway.replay.lineage.hard_values import SAME, currency_reading, value_reading, where_said
from gateway.replay.lineage.model_answers import same_tool
from gateway.replay.lineage.sources import Case, Source
from gateway.replay.quoting import around

_TOLD: Final = 0.5
_AGAINST: Final = 0.4
_READS: Final = frozenset(
    {"get", "read", "list", "find", "search", "query", "fetch", "lookup", "check", "show", "view"}
)


def read(case: Case, argument: Argument, source: Source) -> Reading:
    """What the source says about the argument."""
    if argument.kind == "tool":
        return _tool(case, source)
    if argument.value is None or argument.value == "":
        return SILENT
    if source.arguments is not None and not _of_another_tool(case, source):
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


def _of_another_tool(case: Case, source: Source) -> bool:
    return source.tool is not None and not same_tool(source.tool, case.tool)


def _tool(case: Case, source: Source) -> Reading:
    if source.tool is not None:
        if same_tool(source.tool, case.tool):
            return Reading("agrees", source.tool, structured=True)
        if _only_reads(case):
            return SILENT
        return Reading("departs", source.tool, "different", structured=True)
    if source.station not in ("request", "plan") or not source.text or _only_reads(case):
        return SILENT
    for each in text_differences(source.text, case.tool, []):
        if each.kind == "text.verb" and each.weight >= _TOLD:
            return Reading("departs", None, "opposite", around(source.text, 0, 0))
    return SILENT


def _only_reads(case: Case) -> bool:
    """Looking things up is a step towards anything, so no words speak against it."""
    effects = set(case.side_effects)
    return effects == {"read"} or (not effects and bool(words(case.tool)[:3] and _looks(case.tool)))


def _looks(tool: str) -> bool:
    return bool(_READS & set(words(tool[:128])))


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
        return _flag(case, argument, text)
    if is_currency(argument):
        return currency_reading(argument, text)
    if isinstance(argument.value, str) and argument.kind in ("direction", "enum", "entity"):
        found = _direction(case, argument, text)
        if found.says != "silent":
            return found
    return value_reading(argument, text)


def _flags(case: Case, text: str) -> tuple[Sequence[Signal], Mapping[str, float]]:
    """What the words of a text say of all flags and directions of the call, read once."""
    arguments = msgspec.json.encode(case.arguments)
    schema = msgspec.json.encode(case.schema)
    return _flags_of(case.tool, arguments, case.description, schema, text)


@lru_cache(maxsize=512)
def _flags_of(
    tool: str, arguments: bytes, description: str | None, schema: bytes, text: str
) -> tuple[Sequence[Signal], Mapping[str, float]]:
    evidence = Evidence(
        tool=tool,
        arguments=msgspec.json.decode(arguments),
        description=description,
        schema=msgspec.json.decode(schema),
        request=text,
    )
    signals, _, agreed = flag_checks(view_of(evidence))
    return signals, agreed


def _flag(case: Case, argument: Argument, text: str) -> Reading:
    """Whether words ask for the flag or against it; a flag said outright comes first."""
    field = argument.field
    plainly = [
        each
        for each in text_differences(text, case.tool, [field])
        if each.pointer == field.pointer and each.kind in ("text.boolean", "text.enum")
    ]
    signals, agreed = _flags(case, text)
    against = max(
        (s.contribution for s in signals if (s.check, s.field) == ("direction", argument.pointer)),
        default=0.0,
    )
    agreement = agreed.get(argument.pointer, 0.0)
    if plainly and agreement <= max(against, 0.5):
        return _flagged(argument, text, against=True)
    if against >= _AGAINST and against > agreement:
        return _flagged(argument, text, against=True)
    if agreement >= 0.3:
        return _flagged(argument, text, against=False)
    return SILENT


def _flagged(argument: Argument, text: str, *, against: bool) -> Reading:
    shown = plain(text)
    start, end = _spoken_of(argument, shown)
    value = not argument.value if against else argument.value
    relation = "different" if against else "equal"
    says: Says = "departs" if against else "agrees"
    return Reading(says, value, relation, around(shown, start, end))


def _spoken_of(argument: Argument, text: str) -> tuple[int, int]:
    """Where a text speaks of what an argument is called; its beginning when nowhere."""
    named = {stem(word) for word in key_words(argument.key)}
    read_ = prepare(text)
    for span, said in zip(read_.spans, read_.stems, strict=True):
        if said in named and len(said) > 2:
            return span
    return 0, 0


def _direction(case: Case, argument: Argument, text: str) -> Reading:
    """Words of direction (`sell`, `public`) and the options of a schema."""
    shown = plain(text)
    start = where_said(shown, argument.value)
    if start >= 0:
        end = start + len(argument.value)
        return Reading("agrees", argument.value, "equal", around(shown, start, end))
    signals, _ = _flags(case, text)
    for signal in signals:
        if (signal.check, signal.field) == ("direction", argument.pointer):
            if signal.contribution < _TOLD:
                return SILENT
            word = str(signal.expected)
            at = max(0, folded(shown).find(word))
            return Reading(
                "departs", signal.expected, "opposite", around(shown, at, at + len(word))
            )
    for option in options_of(argument.field.schema):
        if isinstance(option, str) and option != argument.value:
            start = where_said(shown, option.replace("_", " "))
            if start >= 0:
                end = start + len(option)
                return Reading("departs", option, "different", around(shown, start, end))
    return SILENT

"""What one source says about one argument of a call: the same, something else, or nothing.

The normalisation of values, flags and directions is the Intent Guard's, so that what it warned of
and what is explained here are told by the same measure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.intent.evidence import Evidence
from gateway.intent.v1.consistency_direction import flag_checks
from gateway.intent.v1.consistency_view import view_of
from gateway.intent.v1.plan_compare import compared, vague
from gateway.intent.v1.plan_fields import Field, align, fields_of, kind_of, options_of
from gateway.intent.v1.plan_text import text_differences
from gateway.intent.v1.text import prepare, stem
from gateway.intent.v1.values import Value, forms, number_in, same, values_in
from gateway.intent.v1.values_numbers import CURRENCIES
from gateway.intent.v1.values_words import folded, key_words, plain, words
from gateway.replay.lineage.model_answers import same_tool
from gateway.replay.lineage.trail import Case, Source
from gateway.replay.quoting import around

Says = Literal["agrees", "departs", "silent"]
Aspect = Literal["value", "sign", "unit", "currency", "direction", "recipient", "tool"]
ARGUMENTS_MAX: Final = 40
TOOL: Final = "/action/tool"
_ROOT: Final = "/action/arguments"
_SAME: Final = frozenset({"equal", "equivalent"})
_APART: Final = frozenset({"sign", "unit", "scale"})
_TOLD: Final = 0.5
_NEAR_TOKENS: Final = 5
_AGAINST: Final = 0.4
_UNITS: Final = frozenset({Decimal(n) for n in (60, 100, 1000, 1024, 1440, 3600, 86400)})
_NAME: Final = re.compile(r"(?:[A-Z][\w'-]{1,24})(?:\s(?:[A-Z][\w'&-]{1,24})){0,4}")
_PREFIX: Final = re.compile(r"[A-Za-z]{2,24}(?=[-_]?\d)|[A-Za-z]{2,24}(?=[-_])")
_READS: Final = frozenset(
    {"get", "read", "list", "find", "search", "query", "fetch", "lookup", "check", "show", "view"}
)
_COUNTS: Final = frozenset({"quantity", "qty", "count", "number", "units", "pieces", "items"})
_COUNTED: Final = re.compile(r"\s(?!(?:and|or|to|of|for|in|on|at|by|from|is|as)\b)[a-z]{3}")


class Argument(Struct, frozen=True):
    """One value of the call. `field` is the whole argument that it is in, `others` are the rest."""

    pointer: str
    key: str
    value: Any
    kind: str
    field: Field
    others: tuple[Any, ...]


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
    found = [Argument(TOOL, "tool", case.tool, "tool", tool, ())]
    fields = _fields(case)
    every = [(field, at, value) for field in fields for at, value in _scalars(field)]
    for number, (field, at, value) in enumerate(every[:ARGUMENTS_MAX]):
        others = tuple(each for n, (_, _, each) in enumerate(every) if n != number)
        kind = kind_of(key_words(field.key), value, value, field.schema)
        pointer = f"{_ROOT}{field.pointer}{at}"
        found.append(Argument(pointer, field.key, value, kind, field, others))
    return found


def _fields(case: Case) -> list[Field]:
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
    called = _fields(case)
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
        if relation in _SAME:
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
    if any(relation in _SAME for relation in relations):
        return Reading("agrees", argument.value, "equal", structured=True)
    # What is expected in its place is what the call left out.
    mine = argument.field.value if isinstance(argument.field.value, list) else []
    lost = [each for each in meant_values if not any(same(each, o) in _SAME for o in mine)]
    return Reading("departs", lost[0] if lost else meant, "different", structured=True)


def _words(case: Case, argument: Argument, text: str) -> Reading:
    if argument.kind == "boolean":
        return _flag(case, argument, text)
    if _is_currency(argument):
        return _currency(argument, text)
    if isinstance(argument.value, str) and argument.kind in ("direction", "enum", "entity"):
        found = _direction(case, argument, text)
        if found.says != "silent":
            return found
    return _value(argument, text)


def _evidence(case: Case, text: str) -> Evidence:
    return Evidence(
        tool=case.tool,
        arguments=case.arguments,
        description=case.description,
        schema=case.schema,
        request=text,
    )


def _flag(case: Case, argument: Argument, text: str) -> Reading:
    """Whether words ask for the flag or against it; a flag said outright comes first."""
    field = argument.field
    plainly = [
        each
        for each in text_differences(text, case.tool, [field])
        if each.pointer == field.pointer and each.kind in ("text.boolean", "text.enum")
    ]
    signals, _, agreed = flag_checks(view_of(_evidence(case, text)))
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
    start = _says(shown, argument.value)
    if start >= 0:
        end = start + len(argument.value)
        return Reading("agrees", argument.value, "equal", around(shown, start, end))
    signals, _, _ = flag_checks(view_of(_evidence(case, text)))
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
            start = _says(shown, option.replace("_", " "))
            if start >= 0:
                end = start + len(option)
                return Reading("departs", option, "different", around(shown, start, end))
    return SILENT


def _says(text: str, value: str) -> int:
    """Where the words of a value stand one after the other; -1 when nowhere."""
    wanted = words(value[:128])
    if not wanted:
        return -1
    pattern = r"(?<![^\W_])" + r"[\W_]{1,3}".join(map(re.escape, wanted)) + r"(?![^\W_])"
    found = re.search(pattern, folded(text))
    return found.start() if found else -1


def _is_currency(argument: Argument) -> bool:
    if not isinstance(argument.value, str) or argument.value.lower() not in CURRENCIES:
        return False
    return "currency" in key_words(argument.key) or len(argument.value) == 3


def _currency(argument: Argument, text: str) -> Reading:
    wanted = CURRENCIES[argument.value.lower()]
    others = {CURRENCIES.get(each.lower()) for each in argument.others if isinstance(each, str)}
    found = [value for value in values_in(text) if value.kind == "money" and value.unit]
    start = _says(plain(text), argument.value)
    if start >= 0:
        quote = around(plain(text), start, start + len(argument.value))
        return Reading("agrees", argument.value, "equal", quote)
    for value in found:
        if value.unit == wanted:
            return _valued("agrees", value.unit, "equal", text, value)
    found = [value for value in found if value.unit not in others]
    if found:
        return _valued("departs", found[0].unit, "unit", text, found[0])
    return SILENT


def _value(argument: Argument, text: str) -> Reading:
    """Hard values: the text has this one, or another one in its place."""
    candidates = [value for value in values_in(text) if _may_be(argument, value)]
    relations = [(_relation(argument, value), value) for value in candidates]
    for relation, value in relations:
        if relation in _SAME:
            labelled = value.kind in ("money", "percent") or _beside(argument, text, value)
            quote = around(plain(text), value.start, value.end)
            return Reading("agrees", argument.value, relation, quote, labelled=labelled)
    if isinstance(argument.value, str) and argument.kind != "text":
        shown = plain(text)
        start = _says(shown, argument.value)
        if start >= 0:
            quote = around(shown, start, start + len(argument.value))
            return Reading("agrees", argument.value, "equal", quote)
    free = [(r, v) for r, v in relations if not is_of_another(argument, v)]
    for relation, value in free:
        if relation in _APART and (_is_money(argument) or _beside(argument, text, value)):
            return _valued("departs", _written(value), relation, text, value)
    told = [v for _, v in free if _in_place(argument, text, v)]
    if told:
        relation = _relation(argument, told[0])
        return _valued("departs", _written(told[0]), relation, text, told[0])
    return _name(argument, text)


def _valued(says: Says, value: Any, relation: str, text: str, found: Value) -> Reading:
    quote = around(plain(text), found.start, found.end)
    return Reading(says, value, relation, quote)


def _written(value: Value) -> str:
    return value.text.strip()


def _relation(argument: Argument, value: Value) -> str:
    return same(value.text.strip(), argument.value, key=argument.key, schema=argument.field.schema)


def _is_money(argument: Argument) -> bool:
    return argument.kind == "amount"


def _may_be(argument: Argument, value: Value) -> bool:
    """Whether a value of a text is such a thing as the argument."""
    spelled = forms(argument.value, argument.key)
    if argument.kind == "amount":
        return value.kind in ("money", "percent", "number", "quantity")
    if number_in(argument.value) is not None and argument.kind == "number":
        return value.kind in ("number", "quantity", "percent", "money")
    own = {form.partition(":")[0] for form in spelled}
    theirs = {form.partition(":")[0] for form in value.forms}
    strict = {"mail", "url", "path", "tel", "date", "time", "md", "id"}
    return bool(own & theirs & strict)


def could_be(argument: Argument, value: Value) -> bool:
    """Whether a value of a text could stand in the argument's place."""
    if not _may_be(argument, value) or is_of_another(argument, value):
        return False
    return value.kind != "id" or _alike(str(argument.value), value.text)


def is_of_another(argument: Argument, value: Value) -> bool:
    """Whether a value of a text is what another argument of the call carries."""
    return any(value.forms & forms(other) - {"num:0", "num:1"} for other in argument.others)


def _in_place(argument: Argument, text: str, value: Value) -> bool:
    """Whether a different value stands where the argument's should be."""
    if value.kind in ("mail", "date", "time", "url", "path", "phone"):
        return argument.kind != "text"
    if value.kind == "id":
        return _alike(str(argument.value), value.text)
    if argument.kind == "amount":
        return value.kind in ("money", "percent") or _beside(argument, text, value)
    return argument.kind == "number" and _beside(argument, text, value)


def _alike(one: str, other: str) -> bool:
    """Identifiers of one make: the same letters before the digits."""
    mine, yours = _PREFIX.match(one), _PREFIX.match(other.lstrip("#"))
    if mine is None or yours is None:
        bare = other.lstrip("#")
        return one.isdigit() and bare.isdigit() and len(one) == len(bare)
    return mine.group().lower() == yours.group().lower()


def _beside(argument: Argument, text: str, value: Value) -> bool:
    """Whether what the argument is called, or its unit, is said next to a number."""
    keys = key_words(argument.key)
    if keys & _COUNTS and value.kind == "number" and _counts_something(text, value):
        return True
    named = {stem(word) for word in keys if len(word) > 2}
    if named & set(_stems_around(text, value)):
        return True
    spelled = forms(argument.value, argument.key)
    bases = {form.partition(":")[0] for form in spelled} - {"num", "minor", "ratio", "money", "txt"}
    return bool(bases & {form.partition(":")[0] for form in value.forms})


def _counts_something(text: str, value: Value) -> bool:
    """Whether a number stands before a word: `4 boxes`, but not `order 4`."""
    return bool(_COUNTED.match(plain(text), value.end))


def _stems_around(text: str, value: Value) -> Sequence[str]:
    before = prepare(plain(text)[max(0, value.start - 60) : value.start]).stems[-_NEAR_TOKENS:]
    after = prepare(plain(text)[value.end : value.end + 60]).stems[:_NEAR_TOKENS]
    return (*before, *after)


def _name(argument: Argument, text: str) -> Reading:
    """Another name where a recipient's should be: one that shares a word, or is a letter apart."""
    value = argument.value
    if not isinstance(value, str) or argument.kind not in ("recipient", "entity"):
        return SILENT
    mine = frozenset(words(value[:96]))
    if any(sign in value for sign in "@/\\[{") or not mine:
        return SILENT
    for found in _NAME.finditer(plain(text)):
        yours = frozenset(words(found.group()))
        near = same(found.group(), value) == "near"
        shares = " " in value and bool(mine & yours) and not (mine <= yours or yours <= mine)
        if near or (shares and argument.kind == "recipient"):
            quote = around(plain(text), found.start(), found.end())
            return Reading("departs", found.group(), "near", quote)
    return SILENT


def aspect_of(argument: Argument, relation: str, expected: Any) -> Aspect:
    """What about a value departed."""
    if argument.kind == "tool":
        return "tool"
    if argument.kind in ("boolean", "direction") or relation == "opposite":
        return "direction"
    if relation == "sign":
        return "sign"
    if _is_currency(argument):
        return "currency"
    if relation in ("unit", "scale"):
        return _unit_aspect(argument, expected)
    if argument.kind == "recipient" or _addressed(argument):
        return "recipient"
    return "value"


def _addressed(argument: Argument) -> bool:
    return any(form.startswith(("mail:", "tel:")) for form in forms(argument.value))


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

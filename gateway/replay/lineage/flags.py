"""Whether words ask for a flag or against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence
from gateway.intent.v1.consistency_direction import flag_checks
from gateway.intent.v1.consistency_view import view_of
from gateway.intent.v1.plan_kinds import LEXICON
from gateway.intent.v1.plan_text import text_differences
from gateway.intent.v1.text import prepare, stem
from gateway.intent.v1.values_words import STOP, key_words, plain, words
from gateway.replay.lineage.arguments import SILENT, Argument, Reading, Says
from gateway.replay.lineage.sources import Case
from gateway.replay.quoting import around

SENTENCES_MAX: Final = 12
TEXT_MAX: Final = 4_096
# How much words must speak for or against a flag that they do not name outright.
_AGAINST: Final = 0.4
_FOR: Final = 0.3
_FILLER: Final = frozenset({*LEXICON["flag_filler"], "only"} - {"keep", "include"})
_OPPOSITES: Final[dict[str, list[str]]] = LEXICON["flag_opposites"]


def flags_said(case: Case, text: str) -> tuple[Sequence[Signal], Mapping[str, float]]:
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


def flag_reading(case: Case, argument: Argument, text: str) -> Reading:
    """Whether words ask for the flag or against it; a flag said outright comes first."""
    field = argument.field
    plainly = [
        each
        for each in text_differences(text, case.tool, [field])
        if each.pointer == field.pointer and each.kind in ("text.boolean", "text.enum")
    ]
    signals, agreed = flags_said(case, text)
    against = max(
        (s.contribution for s in signals if (s.check, s.field) == ("direction", argument.pointer)),
        default=0.0,
    )
    agreement = agreed.get(argument.pointer, 0.0)
    outright = bool(plainly) and agreement <= max(against, 0.5) and _heard(argument, text)
    meant = against >= _AGAINST and against > agreement and _is_about(argument, text)
    if (outright or meant) and not _said_both_ways(case, argument, text):
        return _flagged(argument, text, against=True)
    if agreement >= _FOR:
        return _flagged(argument, text, against=False)
    return SILENT


def _is_about(argument: Argument, text: str) -> bool:
    """Whether words may be meant of a flag: of one that does something to a thing (`keep_deposit`)
    only where they have what it does, since they speak of the thing in any case."""
    return len(_named(argument)) < 2 or _heard(argument, text)


def _named(argument: Argument) -> list[str]:
    return [word for word in words(argument.key) if word not in _FILLER and word not in STOP]


def _heard(argument: Argument, text: str) -> bool:
    """Whether the word that leads a flag's name is there, or what is opposite to it.

    `plan_only` is not spoken of by who speaks of a plan without `only`.
    """
    said = set(words(text[:TEXT_MAX]))
    if words(argument.key)[-1:] == ["only"] and not said & {"only", "just"}:
        return False
    named = _named(argument)
    if not named or f"{argument.key}=" in text.replace(" ", ""):
        return True
    stems = set(prepare(text).stems)
    wanted = (named[0], *(each for word in named for each in _OPPOSITES.get(word, ())))
    return any(stem(each) in stems or _begins(said, each) for each in wanted)


def _begins(said: set[str], word: str) -> bool:
    return len(word) > 3 and any(each.startswith(word[:-1]) for each in said)


def _said_both_ways(case: Case, argument: Argument, text: str) -> bool:
    """Whether one sentence has the flag so and another one otherwise: `what if it is not`."""
    read_ = prepare(text)
    spans = list(read_.sentences())[:SENTENCES_MAX]
    ways = set()
    for start, end in spans if len(spans) > 1 else ():
        for value in (True, False):
            field = replace(argument.field, value=value)
            found = text_differences(read_.clean[start:end], case.tool, [field])
            if any(each.kind == "text.boolean" for each in found):
                ways.add(value)
    return len(ways) > 1


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

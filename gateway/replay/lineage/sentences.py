"""A long text read sentence by sentence: what the operator ruled, and what the model thought.

A system prompt speaks of many calls and a thought of several values, so that a sentence counts
where the whole text would say everything at once.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Final

from msgspec.structs import replace

from gateway.intent.v1.text import LIMIT, STOP, prepare, stem, weight
from gateway.intent.v1.values_words import key_words, words
from gateway.replay.lineage.arguments import SILENT, Argument, Reading, is_currency
from gateway.replay.lineage.hard_values import mentions
from gateway.replay.lineage.reading import read
from gateway.replay.lineage.sources import Case, Source
from gateway.replay.quoting import quoted

SENTENCES_MAX: Final = 64
_SOFT: Final = frozenset({"boolean", "direction", "enum", "entity", "text"})
_SOFT_MAX: Final = 8
_FAINT: Final = 0.5


def ruled(case: Case, argument: Argument, source: Source) -> Reading:
    """What standing instructions say: the value anywhere, another one only in a sentence that
    speaks of such a call."""
    if argument.kind == "tool" or not source.text:
        return SILENT
    if argument.kind not in _SOFT or is_currency(argument):
        found = read(case, argument, source)
        if found.says == "agrees":
            return found
    named = _named(argument)
    about = named if argument.kind in _SOFT else named | _spoken(case)
    fitting = (each for each, stems in _told(source.text) if about & stems)
    for sentence in islice(fitting, _SOFT_MAX if argument.kind in _SOFT else SENTENCES_MAX):
        found = _of(case, argument, source, sentence)
        if found.says == "agrees" or (found.says == "departs" and argument.kind != "boolean"):
            return found
    return SILENT


def thought_of(case: Case, argument: Argument, source: Source) -> Reading:
    """The first sentence of the model's own words that has the call's value."""
    if argument.kind == "tool" or not source.text or not mentions(argument, source.text):
        return SILENT
    soft = argument.kind in _SOFT
    other = SILENT
    for sentence in _sentences(source.text)[-_SOFT_MAX if soft else -SENTENCES_MAX :]:
        if mentions(argument, sentence):
            found = _of(case, argument, source, sentence)
            if found.says == "agrees":
                return found
            other = found if other.says == "silent" else other
    return other


def _of(case: Case, argument: Argument, source: Source, sentence: str) -> Reading:
    found = read(case, argument, replace(source, text=sentence))
    return found if found.says == "silent" else replace(found, quote=quoted(sentence))


@lru_cache(maxsize=64)
def _sentences(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for place in range(0, len(text), LIMIT):
        part = prepare(text[place : place + LIMIT])
        found += (part.clean[start:end].strip() for start, end in part.sentences())
    return tuple(found)


@lru_cache(maxsize=64)
def _told(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """The sentences with the stems that tell what they speak of."""
    return tuple((each, _telling(each)) for each in _sentences(text))


def _telling(sentence: str) -> frozenset[str]:
    stems = prepare(sentence).stems
    return frozenset(each for each in stems if each not in STOP and weight(each) > _FAINT)


def _named(argument: Argument) -> frozenset[str]:
    return frozenset(stem(word) for word in key_words(argument.key) if len(word) > 2)


def _spoken(case: Case) -> frozenset[str]:
    """What the call is about: the tool's words and the user's."""
    asked = " ".join(source.text or "" for source in case.request)
    return _telling(" ".join([*words(case.tool[:128]), asked]))

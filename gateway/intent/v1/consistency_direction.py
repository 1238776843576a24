"""Whether a flag or a word of direction points where the request points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.v1.consistency_axes import LEXICON, Mention, mentions, negations, poles
from gateway.intent.v1.consistency_view import Leaf, Said, View, key_stems, signal
from gateway.intent.v1.text import STOP, prepare, stem, weight

FEATURES: dict[str, int] = {
    "flag_against": 1,
    "flag_for": -1,
    "flag_against_plan": 1,
    "flag_unsaid": 1,
    "flag_off_default": 1,
    "flag_default": 0,
    "flags": 0,
    "word_against": 1,
}
_FILLERS = frozenset(map(stem, LEXICON["key_fillers"].split()))
_FLIPS = frozenset(map(stem, LEXICON["key_flips"].split()))
_SAID_FOR: dict[str, frozenset[str]] = {
    stem(word): frozenset(map(stem, others.split())) for word, others in LEXICON["said_for"].items()
}
# Words that only carry what a flag is about: `whether to include archived ones`.
_CARRIERS = frozenset(map(stem, LEXICON["carriers"].split()))
_TOLD = 240
_TRUE: Final = re.compile(r"\btrue\b[\s,:=\-]{0,3}([^.;\n()]{3,90})", re.IGNORECASE)
_FALSE: Final = re.compile(r"\bfalse\b[\s,:=\-]{0,3}([^.;\n()]{3,90})", re.IGNORECASE)
_WHETHER: Final = re.compile(
    r"\b(?:whether(?: or not)?(?: to)?|if true,?|if set,?|flag to)\s([^.;\n]{3,90})", re.IGNORECASE
)


class Meaning(Struct, frozen=True):
    """What a flag being true stands for: axis poles and words, each with a weight."""

    axes: tuple[tuple[int, int, float], ...]
    stems: tuple[tuple[str, int, float], ...]


class Reading(Struct, frozen=True):
    """How much a text asks for true and how much for false, and by what word."""

    wants: float = 0.0
    refuses: float = 0.0
    word: str = ""


def flag_checks(view: View) -> tuple[list[Signal], dict[str, float], dict[str, float]]:
    """Every flag against the request and the plan's words; last, how far each flag is asked for."""
    features = dict.fromkeys(FEATURES, 0.0)
    signals: list[Signal] = []
    flags = [leaf for leaf in view.leaves if isinstance(leaf.value, bool)]
    features["flags"] = min(len(flags), 4) / 4
    agreed: dict[str, float] = {}
    for leaf in flags:
        meaning = _meaning(view, leaf)
        asked = _read(meaning, view.request)
        planned = _read(meaning, view.plan)
        against, supported = _sides(asked, bool(leaf.value))
        against_plan, _ = _sides(planned, bool(leaf.value))
        agreed[leaf.pointer] = supported
        default = leaf.schema.get("default")
        at_default = isinstance(default, bool) and default == leaf.value
        if at_default:
            against *= 0.7
            features["flag_default"] = 1.0
        features["flag_against"] = max(features["flag_against"], against)
        features["flag_against_plan"] = max(features["flag_against_plan"], against_plan)
        unsaid = 1.0 - max(supported, against)
        if not at_default:
            name = "flag_unsaid" if leaf.value else "flag_off_default"
            factor = 1.0 if leaf.value or default is True else 0.3
            features[name] = max(features[name], unsaid * factor)
        strength = max(against, 0.8 * against_plan)
        if strength >= 0.2:
            source = "request" if against >= 0.8 * against_plan else "plan.text"
            signals.append(
                signal("direction", leaf.pointer, leaf.value, not leaf.value, strength, source)
            )
        elif leaf.value and not at_default and unsaid > 0.6 and not leaf.required:
            signals.append(signal("unsaid_flag", leaf.pointer, True, None, 0.3 * unsaid))
    features["flag_for"] = min(agreed.values()) if agreed else 0.5
    words_said = _words(view)
    features["word_against"] = max((each.contribution for each in words_said), default=0.0)
    return signals + words_said, features, agreed


def _sides(reading: Reading, value: bool) -> tuple[float, float]:
    """How far a reading speaks against and for a value, 0 to 1."""
    mine, other = (reading.wants, reading.refuses) if value else (reading.refuses, reading.wants)
    if other <= 0 and mine <= 0:
        return 0.0, 0.0
    total = mine + other
    return min(1.0, other) * (other / total), min(1.0, mine) * (mine / total)


def _read(meaning: Meaning, said: Said) -> Reading:
    strongest, word = 0.0, ""
    text = said.text
    if not text.tokens:
        return Reading()
    denied = negations(text.clean, refused=True)
    by_axis = {(axis, pole): worth for axis, pole, worth in meaning.axes}
    # A word counts once, however many of the flag's axes and words it speaks to.
    wanted: dict[int, float] = {}
    refused: dict[int, float] = {}
    for mention in mentions(text.clean):
        for sign, side in ((1, wanted), (-1, refused)):
            worth = by_axis.get((mention.axis, mention.pole * sign), 0.0)
            if worth:
                worth *= 1.0 if mention.length > 1 else 0.9
                side[mention.place] = max(side.get(mention.place, 0.0), worth)
                if worth > strongest:
                    strongest, word = worth, text.tokens[mention.place]
    for each, sign, worth in meaning.stems:
        heard = _SAID_FOR.get(each, frozenset({each}))
        if not heard & text.vocabulary:
            continue
        for place, own in enumerate(text.stems):
            if own in heard:
                side = wanted if (sign > 0) != denied[place] else refused
                side[place] = max(side.get(place, 0.0), worth)
    return Reading(sum(wanted.values()), sum(refused.values()), word)


def _meaning(view: View, leaf: Leaf) -> Meaning:
    description = leaf.schema.get("description")
    told = description[:_TOLD] if isinstance(description, str) else ""
    tool = (view.evidence.description or "")[: 2 * _TOLD]
    others = frozenset(
        each for other in view.leaves if other.key != leaf.key for each in key_stems(other.key)
    ) | frozenset(view.named)
    return _meant(leaf.key, told, tool, others)


@lru_cache(maxsize=2_048)
def _meant(key: str, told: str, tool: str, others: frozenset[str]) -> Meaning:
    named = key_stems(key)
    flip = -1 if any(each in _FLIPS for each in named[:-1]) else 1
    axes: list[tuple[int, int, float]] = []
    stems: list[tuple[str, int, float]] = []
    content = [each for each in named if each not in _FILLERS and (flip > 0 or each not in _FLIPS)]
    # `read_only` and `one_way` are phrases, whatever their words are by themselves.
    if any(each.length > 1 for each in poles(named)):
        content = list(named)
    on_axis = sorted(poles(content), key=lambda each: -each.length)
    # In `keep_deposit` the first word directs; the second is a thing, though it may be a verb.
    on_axis = [each for each in on_axis if each.place == on_axis[0].place]
    axes += [(each.axis, each.pole * flip, 1.0) for each in on_axis]
    held = {place for each in on_axis for place in range(each.place, each.place + each.length)}
    for place, each in enumerate(content):
        if place not in held:
            if not on_axis:
                stems.append((each, flip, 0.2 if each in others else 0.9))
        elif weight(each):
            stems.append((each, flip, 0.5))
    if not content:
        axes += [(each.axis, each.pole, 0.8) for each in poles(named)]
    _of_text(told, axes, stems, others)
    if tool and named and _tells(tool, named):
        _of_text(_from_key(tool, named), axes, stems, others)
    return Meaning(tuple(_strongest(axes)), tuple(stems[:32]))


def _strongest(axes: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """One entry for each pole; an axis that the sources disagree on says nothing."""
    best: dict[tuple[int, int], float] = {}
    for axis, pole, worth in axes:
        best[axis, pole] = max(best.get((axis, pole), 0.0), worth)
    return [
        (axis, pole, worth)
        for (axis, pole), worth in sorted(best.items())
        if worth > best.get((axis, -pole), 0.0)
    ]


def _tells(tool: str, named: Sequence[str]) -> bool:
    vocabulary = prepare(tool, 2 * _TOLD).vocabulary
    return all(each in vocabulary for each in named)


def _from_key(tool: str, named: Sequence[str]) -> str:
    """The tool's description from where it names the flag."""
    text = prepare(tool, 2 * _TOLD)
    at = next((place for place, each in enumerate(text.stems) if each == named[-1]), 0)
    return text.clean[text.spans[at][0] :]


def _of_text(
    told: str,
    axes: list[tuple[int, int, float]],
    stems: list[tuple[str, int, float]],
    others: frozenset[str],
) -> None:
    """What a description says that true and false do."""
    for pattern, pole, worth in ((_TRUE, 1, 0.8), (_FALSE, -1, 0.8), (_WHETHER, 1, 0.6)):
        found = pattern.search(told)
        if not found:
            continue
        phrase = re.split(r"\b(?:false|true|otherwise|default)\b", found.group(1), maxsplit=1)[0]
        read = prepare(phrase, 128)
        axes += [
            (each.axis, each.pole * pole, worth)
            for each in mentions(phrase, 128)
            if each.length > 1 or read.stems[each.place] not in _CARRIERS | others
        ]
        denied = negations(phrase, 128)
        for place, each in enumerate(read.stems[:12]):
            if weight(each) > 0.3 and read.tokens[place] not in STOP and each not in _FILLERS:
                sign = -pole if denied[place] else pole
                stems.append((each, sign, worth * (0.15 if each in others else 0.6)))


def _words(view: View) -> list[Signal]:
    """Short values that are words of direction: `sell`, `inactive`, `private`."""
    found: list[Signal] = []
    for leaf in view.leaves:
        if leaf.kind not in ("enum", "name") or not 1 <= len(leaf.stems) <= 3:
            continue
        own = {(each.axis, each.pole) for each in poles(leaf.stems)}
        if not own or view.request.says(leaf.phrase):
            continue
        asked = mentions(view.request.text.clean)
        against = [each for each in asked if (each.axis, -each.pole) in own]
        supported = any((each.axis, each.pole) in own for each in asked)
        if against:
            strength = 0.3 if supported else 0.8
            word = _said(view.request, against)
            found.append(signal("direction", leaf.pointer, leaf.value, word, strength))
    return found


def _said(said: Said, against: Sequence[Mention]) -> str:
    first = against[0]
    tokens = said.text.tokens[first.place : first.place + first.length]
    return ("not " if first.negated else "") + " ".join(tokens)

"""Opposites in English business speech, and which pole of them a text asks for.

An axis has two poles, each a list of phrases. A phrase under a negation asks for the other pole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.intent.v1.text import LIMIT, STOP, Text, prepare, stem, words

LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons", "direction.json").read_bytes()
)
_REACH: Final = 5
_MOST_MENTIONS: Final = 400
_NEGATORS = frozenset(LEXICON["negators"].split())
_REFUSERS = frozenset(LEXICON["refusers"].split())
_UNNEGATED = frozenset(LEXICON["unnegated_after"].split())
_ENDS = frozenset(LEXICON["scope_ends"].split())
_PARTICLES = frozenset(map(stem, LEXICON["particles"].split()))
_LIGHT = frozenset(map(stem, LEXICON["light_verbs"].split()))
_LEAVES = frozenset(("leave", "keep", "cut"))
# Without one of these words a text negates nothing.
_TURNS = _NEGATORS | _REFUSERS | _LEAVES | {"instead", "rather", "stop", "t"}
_GAP: Final = 4
_NO_AXIS: Final = -1
_BREAKS = ",.;:!?\n"


class Mention(Struct, frozen=True):
    """A phrase of an axis: its pole as said (+1 or -1), how many words it has, where it stands."""

    axis: int
    pole: int
    length: int
    place: int
    negated: bool


def _phrases() -> dict[str, list[tuple[tuple[str, ...], int, int]]]:
    found: dict[str, list[tuple[tuple[str, ...], int, int]]] = {}
    for axis, poles in enumerate(LEXICON["axes"]):
        for pole, phrases in zip((1, -1), poles, strict=True):
            for phrase in phrases.split("|"):
                stems = tuple(map(stem, words(phrase)))
                found.setdefault(stems[0], []).append((stems, axis, pole))
    for phrase in LEXICON["neutral"].split("|"):
        stems = tuple(map(stem, words(phrase)))
        found.setdefault(stems[0], []).append((stems, _NO_AXIS, 1))
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return found


_PHRASES = _phrases()


@lru_cache(maxsize=512)
def mentions(text: str, limit: int = LIMIT) -> tuple[Mention, ...]:
    """Every phrase of every axis in a text, with its pole turned round where it is negated."""
    read = prepare(text, limit)
    return tuple(_found(read.stems, negations(text, limit)))


def poles(stems: Sequence[str]) -> tuple[Mention, ...]:
    """The axes of a name or a short value, which has no grammar."""
    return tuple(_found(stems, (False,) * len(stems)))


def _found(stems: Sequence[str], negated: Sequence[bool]) -> list[Mention]:
    found: list[Mention] = []
    for place, each in enumerate(stems):
        for phrase, axis, pole in _PHRASES.get(each, ()):
            length = len(phrase)
            whole = length == 1 or tuple(stems[place : place + length]) == phrase
            if whole or (length > 1 and _apart(stems, place, phrase)):
                # `Not ... any more` is one negation, said in two places.
                turned = negated[place] and each != "any"
                covered = length if whole else 1
                found.append(Mention(axis, -pole if turned else pole, covered, place, turned))
        if len(found) > _MOST_MENTIONS:
            break
    return _longest(found)


def _apart(stems: Sequence[str], place: int, phrase: Sequence[str]) -> bool:
    """Whether a verb and what completes it stand with a few words between: `give it all back`."""
    if phrase[0] not in _LIGHT and phrase[1] not in _PARTICLES:
        return False
    rest, begin = tuple(phrase[1:]), place + 2
    return any(
        tuple(stems[at : at + len(rest)]) == rest
        for at in range(begin, min(begin + _GAP, len(stems)))
    )


def _longest(found: list[Mention]) -> list[Mention]:
    """Without the words that are part of a longer phrase: `turn off` says nothing of `off`."""
    covered: dict[int, int] = {}
    for each in found:
        for place in range(each.place, each.place + each.length):
            covered[place] = max(covered.get(place, 1), each.length)
    return [each for each in found if each.axis != _NO_AXIS and covered[each.place] <= each.length]


@lru_cache(maxsize=512)
def negations(text: str, limit: int = LIMIT, *, refused: bool = False) -> tuple[bool, ...]:
    """For each token whether a negation reaches it; or, of a thing, a verb that refuses it."""
    return tuple(_negations(prepare(text, limit), refused=refused))


def _negations(read: Text, *, refused: bool) -> list[bool]:
    tokens = read.tokens
    found = [False] * len(tokens)
    if _TURNS.isdisjoint(tokens):
        return found
    left, turned = 0.0, False
    for at, word in enumerate(tokens):
        if left > 0 and _broken(read, at):
            left = 0
        if _negates(tokens, at) or (refused and tokens[at] in _REFUSERS):
            double = left > 0 and turned
            left, turned = float(_REACH), not double
            following = tokens[at + 1] if at + 1 < len(tokens) else ""
            if following in _UNNEGATED or (word == "t" and following == "forget"):
                left = 0
            continue
        if word in _ENDS:
            left = 0
        found[at] = found[at] != (left > 0 and turned)
        if word in _LEAVES:
            _left_out(tokens, at, found)
        left -= 0.5 if word in STOP else 1
    return found


def _left_out(tokens: Sequence[str], at: int, found: list[bool]) -> None:
    """In `leave the lawyers out` what stands between is refused."""
    for end in range(at + 2, min(at + 7, len(tokens))):
        if tokens[end] == "out":
            for place in range(at + 1, end):
                found[place] = True
            return


def _negates(tokens: Sequence[str], at: int) -> bool:
    word = tokens[at]
    if word in ("instead", "rather"):
        return at + 1 < len(tokens) and tokens[at + 1] in ("of", "than")
    if word == "stop":
        return at + 1 < len(tokens) and tokens[at + 1].endswith("ing")
    if word == "t":
        return at > 0 and tokens[at - 1].endswith("n") and len(tokens[at - 1]) < 8
    return word in _NEGATORS


def _broken(read: Text, at: int) -> bool:
    """Whether a clause ends before this word; a comma in a number is inside a word."""
    between = read.clean[read.spans[at - 1][1] : read.spans[at][0]]
    return len(between) > 1 and any(mark in _BREAKS for mark in between[:8])

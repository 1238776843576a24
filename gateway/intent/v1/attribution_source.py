"""Where a text says what a call says, and how much of the call its best stretch explains.

A stretch is a window of so many words over all texts of one trust in a row, not a sentence: cutting
an instruction into fragments, or over several items, leaves it inside a window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence

from msgspec import Struct

from gateway.intent.v1.attribution_call import Call, Leaf
from gateway.intent.v1.text import Text

WIDTHS = (16, 40, 100)
_OCCURRENCES = 6
_MOST_HITS = 1_500

Key = str | int


class Hit(Struct, frozen=True):
    """At this token something of the call is said: a stem, or the leaf of this number."""

    place: int
    key: Key
    gain: float
    last: int


class Source(Struct, frozen=True):
    """Texts of one trust, in a row, with what they say of the call."""

    texts: tuple[Text, ...]
    starts: tuple[int, ...]
    hits: tuple[Hit, ...]
    gains: dict[Key, float]

    def cover(self, keys: Collection[Key]) -> float:
        """What the whole source explains of these keys, in their weights."""
        return sum(self.gains.get(key, 0.0) for key in keys)

    def at(self, place: int) -> tuple[int, int]:
        """The number of the text, and of the token in it, where a place lies."""
        number = max(0, bisect_right(self.starts, place) - 1)
        return number, place - self.starts[number]


class Stretch(Struct, frozen=True):
    """The best window: what it explains, and from which token to which."""

    gain: float = 0.0
    first: int = 0
    last: int = -1


def read(call: Call, texts: Sequence[Text]) -> Source:
    """Find the call in the texts."""
    starts: list[int] = []
    hits: list[Hit] = []
    length = 0
    for text in texts:
        starts.append(length)
        hits += _said(call, text, length)
        length += len(text.tokens)
    hits.sort(key=_by_place)
    gains: dict[Key, float] = {}
    for hit in hits:
        gains[hit.key] = max(gains.get(hit.key, 0.0), hit.gain)
    return Source(tuple(texts), tuple(starts), tuple(hits[:_MOST_HITS]), gains)


def _by_place(hit: Hit) -> int:
    return hit.place


def _said(call: Call, text: Text, offset: int) -> list[Hit]:
    hits = []
    if heard := call.heard.keys() & text.vocabulary:
        for place, said in enumerate(text.stems, offset):
            if said in heard:
                own = call.synonyms.get(said, said)
                hits.append(Hit(place, own, call.heard[said], place))
    for number, leaf in enumerate(call.leaves):
        for start, end in _written(leaf, text):
            place = max(0, bisect_right(text.begins, start) - 1) + offset
            last = max(0, bisect_right(text.begins, end - 1) - 1) + offset
            hits.append(Hit(place, number, leaf.weight, last))
    return hits


def _written(leaf: Leaf, text: Text) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    if leaf.stems and leaf.stems[0] not in text.vocabulary and len(leaf.needles) == 1:
        return found
    for needle in leaf.needles:
        start = text.folded.find(needle)
        tries = 0
        while start >= 0 and tries < _OCCURRENCES * 4 and len(found) < _OCCURRENCES:
            end = start + len(needle)
            if _alone(text.folded, start, end):
                found.append((start, end))
            start = text.folded.find(needle, end)
            tries += 1
        if found:
            break
    return found


def _alone(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (
        (before.isalnum() and text[start].isalnum())
        or (after.isalnum() and text[end - 1].isalnum())
    )


def best(hits: Sequence[Hit], width: int, left_out: Collection[Key] = ()) -> Stretch:
    """The window of a width that explains the most; what is left out explains nothing."""
    kept = [hit for hit in hits if hit.key not in left_out]
    held: dict[Key, list[float]] = {}
    gain, top = 0.0, Stretch()
    first = 0
    for hit in kept:
        gain += _added(held, hit)
        while kept[first].place <= hit.place - width:
            gain -= _taken(held, kept[first])
            first += 1
        if gain > top.gain + 1e-9:
            top = Stretch(gain, kept[first].place, max(hit.last, hit.place))
    return top


def _added(held: dict[Key, list[float]], hit: Hit) -> float:
    gains = held.setdefault(hit.key, [])
    before = gains[0] if gains else 0.0
    gains.append(hit.gain)
    if hit.gain > before:
        gains[0], gains[-1] = gains[-1], gains[0]
    return max(0.0, hit.gain - before)


def _taken(held: dict[Key, list[float]], hit: Hit) -> float:
    gains = held[hit.key]
    gains.remove(hit.gain)
    if not gains:
        return hit.gain
    top = max(range(len(gains)), key=gains.__getitem__)
    gains[0], gains[top] = gains[top], gains[0]
    return max(0.0, hit.gain - gains[0])

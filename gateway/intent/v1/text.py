"""Text read once: words, stems and sentences, in time and space linear in what is kept.

Everything an agent sees may be hostile, so a text is cut before it is looked at, marks that hide
words (zero-width, bidi, accents, letters that look like others) are taken away, and no pattern
here can go back more than a step.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.resources import files
from threading import Lock
from typing import Any

import msgspec

LIMIT = 6_000
LONGEST_TOKEN = 64

_LEXICON: dict[str, Any] = msgspec.json.decode(
    files("gateway.intent").joinpath("lexicons/text.json").read_bytes()
)
STOP = frozenset(_LEXICON["stop"].split())
_LOOK_ALIKE = str.maketrans(_LEXICON["look_alike"])

# camelCase and HTTPServer fall apart; numbers keep their points and commas.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?;](?=\s)|\n")


class Text:
    """A text after cleaning, with its tokens.

    `clean` is what the spans point into; its case is kept. `tokens` are folded, `stems` are theirs
    in the same order. `truncated` says that the text went on. What few calls ask for is found when
    it is first asked for, and then kept with the text.
    """

    def __init__(self, clean: str, truncated: bool) -> None:
        tokens: list[str] = []
        stems: list[str] = []
        for written in clean.split():
            heard = _heard(written) if len(written) <= LONGEST_TOKEN else _hear(written)
            tokens += heard[0]
            stems += heard[1]
        self.clean = clean
        self.folded = clean.casefold()
        self.tokens = tuple(tokens)
        self.stems = tuple(stems)
        self.vocabulary = frozenset(stems)
        self.truncated = truncated

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where each token stands in `clean`."""
        return tuple(found.span() for found in _TOKEN.finditer(self.clean))

    @cached_property
    def begins(self) -> tuple[int, ...]:
        """Where each token begins in `clean`."""
        return tuple(start for start, _ in self.spans)

    def sentences(self) -> Iterator[tuple[int, int]]:
        """The spans of its sentences and lines in `clean`, without empty ones."""
        start = 0
        for found in _SENTENCE_END.finditer(self.clean):
            if self.clean[start : found.end()].strip():
                yield start, found.end()
            start = found.end()
        if self.clean[start:].strip():
            yield start, len(self.clean)

    def windows(self, width: int) -> Iterator[tuple[int, int]]:
        """Ranges of tokens, each half a width on from the last; together they hold every token."""
        step = max(1, width // 2)
        for start in range(0, max(1, len(self.tokens) - width + step), step):
            yield start, min(start + width, len(self.tokens))

    def excerpt(self, first: int, last: int, longest: int = 300) -> str:
        """What stands from one token to another, both included, at most so many characters."""
        return self.clean[self.spans[first][0] : self.spans[last][1]][:longest]


def prepare(text: str, limit: int = LIMIT) -> Text:
    """The text with its words found; the same text is read once and then remembered."""
    # Only a text that grows when it is cleaned is another one under another limit.
    cut = text[:limit]
    return _cache.of(cut, len(text) > limit, LIMIT if cut.isascii() else limit)


def clean(text: str) -> str:
    """The text as a reader sees it, in plain letters where there are such."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    seen = "".join(mark for mark in apart if unicodedata.category(mark) not in _UNSEEN)
    return unicodedata.normalize("NFKC", seen).translate(_LOOK_ALIKE)


# Combining marks, and format characters: zero-width ones, bidi controls, tags.
_UNSEEN = frozenset(("Mn", "Me", "Cf", "Cs", "Co"))


def words(text: str) -> list[str]:
    """The folded tokens of a short text, such as a tool's name or a key."""
    return [found[:LONGEST_TOKEN].casefold() for found in _TOKEN.findall(clean(text[:LIMIT]))]


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """The word without what English grammar hangs on it; the same for most of its forms."""
    if len(word) < 4 or not word.isalpha():
        return word
    for ending, instead, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)] + instead
            break
    return word[:-1] if len(word) > 3 and (word[-1] == "e" or word[-1] == word[-2]) else word


_ENDINGS = (
    ("ations", "", 4),
    ("ation", "", 4),
    ("ments", "", 3),
    ("ment", "", 3),
    ("tions", "t", 3),
    ("tion", "t", 3),
    ("sions", "s", 3),
    ("sion", "s", 3),
    ("ings", "", 3),
    ("ing", "", 3),
    ("ies", "i", 3),
    ("ied", "i", 3),
    ("sses", "ss", 3),
    ("ed", "", 3),
    ("es", "", 3),
    ("ly", "", 3),
    ("ss", "ss", 3),
    ("us", "us", 3),
    ("s", "", 3),
    ("y", "i", 3),
)
_FAINT = frozenset(stem(word) for word in _LEXICON["faint"].split())
_STOP_STEMS = frozenset(STOP | {stem(word) for word in STOP})


@lru_cache(maxsize=32_768)
def weight(stemmed: str) -> float:
    """How much a stem says by itself, without knowing how frequent it is anywhere."""
    if stemmed in _STOP_STEMS or (len(stemmed) == 1 and not stemmed.isdigit()):
        return 0.0
    if stemmed in _FAINT:
        return 0.3
    if stemmed[0].isdigit():
        return 0.5 if len(stemmed) < 2 else min(2.0, 0.6 + 0.25 * len(stemmed))
    return min(1.4, 0.8 + 0.06 * len(stemmed))


def _read(text: str, truncated: bool, limit: int) -> Text:
    cleaned = clean(text)
    if len(cleaned) > limit:
        cleaned, truncated = cleaned[:limit], True
    return Text(cleaned, truncated)


Heard = tuple[tuple[str, ...], tuple[str, ...]]


def _hear(written: str) -> Heard:
    """The tokens of what stands between two spaces, and their stems."""
    tokens = tuple(found[:LONGEST_TOKEN].casefold() for found in _TOKEN.findall(written))
    return tokens, tuple(map(stem, tokens))


# Texts say the same words again and again, also such as were never seen as a whole.
_heard = lru_cache(maxsize=16_384)(_hear)


class _Cache:
    """The texts read last, so many bytes of them by a generous estimate."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._texts: OrderedDict[tuple[str, bool, int], Text] = OrderedDict()
        self._lock = Lock()

    def of(self, text: str, truncated: bool, limit: int) -> Text:
        key = (text, truncated, limit)
        with self._lock:
            if (known := self._texts.get(key)) is not None:
                self._texts.move_to_end(key)
                return known
        read = _read(text, truncated, limit)
        with self._lock:
            if key not in self._texts:
                self._texts[key] = read
                self._held += _size(read)
            while self._held > self._most and self._texts:
                self._held -= _size(self._texts.popitem(last=False)[1])
        return read


def _size(text: Text) -> int:
    return 1_000 + 12 * len(text.clean) + 250 * len(text.tokens)


_cache = _Cache(32 * 1024 * 1024)

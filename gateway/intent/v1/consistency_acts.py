"""What a request asks to be done, sentence by sentence, against what the tool's name does.

A request says its act first: `update the address`, `could you please find ...`, `what is ...`. The
same verb further on is as often a noun or somebody else's act, so only what begins a sentence, or
a part of one after an `and`, is heard here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from gateway.intent.v1.attribution_call import LEXICON as CALLS
from gateway.intent.v1.attribution_call import VERBS
from gateway.intent.v1.consistency_view import LEXICON, View
from gateway.intent.v1.text import prepare, stem, words

FEATURES: dict[str, int] = {
    "act_for": -1,
    "act_against": 1,
    "act_unsaid": 0,
    "only_asks": 1,
    "only_asks_or_tells": 1,
    "reads": 0,
}
_BEGINNINGS = frozenset(LEXICON["beginnings"].split())
_QUESTIONS = frozenset(LEXICON["questions"].split())
_ASKING_FIRST = frozenset(LEXICON["asking_first"].split())
# A name's verb is no form of it: in `google.books_search` nothing is booked.
_NAMED = {
    word: VERBS[stem(word)] for members in CALLS["verbs"].values() for word in members.split()
}
_JOINS = frozenset(("and", "then", "also"))
_SEEKING = frozenset(("looking", "searching"))
_TO_KNOW = frozenset({"read"})
_TO_KNOW_OR_TELL = _TO_KNOW | {"tell"}
_NONE: frozenset[str] = frozenset()
# So many words may stand before the act, at the start of a sentence and after a join.
_AT_START: Final = 11
_AFTER_JOIN: Final = 3
_SENTENCE: Final = 600
_MOST_WORDS: Final = 120


def act_checks(view: View) -> dict[str, float]:
    """The tool's verbs against the acts of the request."""
    acts = _acts_of(view.request.text.clean)
    does = _NONE.union(*(VERBS.get(own, _NONE) for own in view.named[:4]))
    leads = _leads(view.evidence.tool)
    changes = bool(leads) and "read" not in leads
    both = bool(acts and does)
    return {
        "act_for": float(bool(acts & does)) if both else 0.5,
        "act_against": float(both and not acts & does),
        "act_unsaid": float(not acts),
        "only_asks": float(changes and acts == _TO_KNOW),
        "only_asks_or_tells": float(changes and bool(acts) and acts <= _TO_KNOW_OR_TELL),
        "reads": float("read" in leads),
    }


@lru_cache(maxsize=2_048)
def _leads(tool: str) -> frozenset[str]:
    """The families of the first verb of a tool's name, without what it is grouped under."""
    own = words(tool[:256].rpartition(".")[2])
    return next((_NAMED[word] for word in own[:8] if word in _NAMED), _NONE)


@lru_cache(maxsize=512)
def _acts_of(text: str) -> frozenset[str]:
    """The families of all acts of a text."""
    parts = (words(text[start:end][:_SENTENCE]) for start, end in prepare(text).sentences())
    return _NONE.union(*(_acts(part[:_MOST_WORDS]) for part in parts))


def _acts(spoken: list[str]) -> frozenset[str]:
    found = _NONE
    patience = _AT_START
    for at, word in enumerate(spoken):
        if patience <= 0:
            patience = _AFTER_JOIN if word in _JOINS else 0
        elif (
            word in _QUESTIONS
            or (at == 0 and word in _ASKING_FIRST)
            or (word in _SEEKING and spoken[at + 1 : at + 2] == ["for"])
        ):
            found |= _TO_KNOW
            patience = 0
        elif word in _BEGINNINGS:
            patience -= 1
        else:
            found |= VERBS.get(stem(word), _NONE)
            patience = 0
    return found

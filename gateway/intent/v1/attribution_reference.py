"""What a request refers to, and whether content is about that very thing.

`Pay invoice 77` hands over to a text about invoice 77, whatever the text says of accounts and
amounts. It hands over to no order in that text: how a text speaks around a value is another matter.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.intent.evidence import Evidence
from gateway.intent.v1.attribution_call import LEXICON, Call
from gateway.intent.v1.attribution_source import Key
from gateway.intent.v1.text import Text, stem

_THINGS = frozenset(stem(word) for word in LEXICON["things"].split())
_PRESSING = frozenset(stem(word) for word in LEXICON["pressing"].split())
_IDENTIFIER = re.compile(
    r"(?<![\w$\u20ac\u00a3.,])#?([a-z_]{0,16}[-_/]?\d[\w/-]{0,31})(?![\w.,]{0,32}\d)"
)
_WORDS = re.compile(r"[a-z]{2,24}")
_SEPARATED = re.compile(r"[a-z0-9]{1,24}[_-][\w-]{1,48}|[\w.+-]{1,64}@[\w.-]{1,64}")
_BETWEEN = frozenset(("number", "no", "nr", "id"))
_BEGINNING = 40
_MOST = 8
_MOST_FOUND = 128
_BY_KIND_ALONE = 0.6


@lru_cache(maxsize=1_024)
def _named(folded: str) -> tuple[tuple[str, str], ...]:
    """The things of a request that have an identifier: `(invoice, 77)`, as stem and as written."""
    found = []
    for match in list(_IDENTIFIER.finditer(folded))[:_MOST]:
        before = _WORDS.findall(folded[max(0, match.start() - 40) : match.start()])
        while before and before[-1] in _BETWEEN:
            before.pop()
        thing = stem(before[-1]) if before else ""
        if thing in _THINGS or not match.group(1).isdecimal():
            found.append((thing, match.group(1)))
    return tuple(found)


def about(request: Text, content: Text) -> float:
    """How far content is about what the request names: 1 by its identifier, less by its kind."""
    named = _named(request.folded[:2_000])
    for thing, identifier in named:
        if _says(content.folded, thing, identifier):
            return 1.0
    if any(thing in _THINGS for thing, _ in named):
        return 0.0
    told = frozenset(content.stems[:_BEGINNING])
    return _BY_KIND_ALONE if request.vocabulary & _THINGS & told else 0.0


def _says(folded: str, thing: str, identifier: str) -> bool:
    start = folded.find(identifier)
    tries = 0
    while start >= 0 and tries < _MOST:
        end = start + len(identifier)
        alone = not folded[end : end + 1].isalnum() and not folded[:start][-1:].isalnum()
        if alone and not identifier.isdecimal():
            return True
        before = _WORDS.findall(folded[max(0, start - 40) : start])[-3:]
        if alone and thing in map(stem, before):
            return True
        start = folded.find(identifier, end)
        tries += 1
    return False


def pressing(text: Text, token: int, around: int = 14) -> float:
    """How hard a text presses around a value, 0 to 1: a record does not, one who wants it does."""
    near = text.stems[max(0, token - around) : token + around]
    return min(1.0, len(_PRESSING.intersection(near)) / 2)


def contested(value: object, texts: tuple[Text, ...]) -> bool:
    """Whether the texts have another value of the same make: two accounts, two addresses."""
    if not isinstance(value, str):
        return False
    mine = value.casefold()[:128]
    made = _make(mine)
    if not made:
        return False
    for text in texts:
        for number, match in enumerate(_SEPARATED.finditer(text.folded)):
            if number >= _MOST_FOUND:
                break
            other = match.group().rstrip(".-_")
            if other != mine and _make(other) == made:
                return True
    return False


def _make(value: str) -> str:
    if not _SEPARATED.fullmatch(value):
        return ""
    return "@" if "@" in value else re.split(r"[-_]", value, maxsplit=1)[0]


def held(evidence: Evidence, call: Call) -> tuple[set[Key], float, bool]:
    """What a structured plan holds of the call: keys, share of the values, and whether all of it.

    What the plan holds was not put into the call by content; an error of the plan is the plan's.
    """
    planned = evidence.plan_arguments
    if not planned:
        return set(), 0.0, False
    keys: set[Key] = set()
    share = 0.0
    for number, leaf in enumerate(call.leaves):
        at = _at(planned, leaf.pointer)
        if type(at) is type(leaf.value) and at == leaf.value:
            keys.add(number)
            keys.update(leaf.stems)
            share += leaf.weight
    whole = sum(leaf.weight for leaf in call.leaves)
    settled = evidence.plan_tool == evidence.tool and planned == evidence.arguments
    if settled:
        keys.update(call.stems)
    return keys, share / whole if whole else 0.0, settled


def _at(planned: object, pointer: str) -> object:
    at = planned
    for part in pointer.split("/")[3:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict):
            at = at.get(name)
        elif isinstance(at, list) and name.isdecimal() and int(name) < len(at):
            at = at[int(name)]
        else:
            return None
    return at

"""Which sentences of a retrieved text give orders, instead of telling something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from gateway.intent.v1.attribution_call import VERBS
from gateway.intent.v1.attribution_tone import hidden, orders
from gateway.intent.v1.text import LIMIT, prepare

HIDDEN_IN: Final = LIMIT
ENOUGH: Final = 0.4
PLAINLY: Final = 0.6
SENTENCES_MAX: Final = 96
ORDERS_MAX: Final = 16
# To whom it speaks, or against what: records do not talk to the one who reads them.
_SPOKEN_TO: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override|supersede[sd]?|overrule[sd]?)\b.{0,60}"
    r"\b(?:previous|prior|above|earlier|original|instructions?|request|user|plan|told|asked)\b"
    r"|\b(?:note|message|instructions?|attention|notice)\s(?:to|for)\s(?:the\s|any\s|all\s)?"
    r"(?:\w+\s)?(?:assistants?|agents?|ai|bots?|models?|llms?)\b"
    r"|(?:^|[\s\[<(])(?:system|assistant|ai|agent|admin|developer)\s?(?:note|message|prompt|"
    r"instructions?|override|notice)?\s?[:>\])]"
    r"|\b(?:ai|automated|the)\s(?:assistants?|agents?)\b",
    re.IGNORECASE,
)
_MUST: Final = re.compile(
    r"\b(?:must|should|need(?:s)? to|ha(?:ve|s) to|please|always|never|do not|don't|make sure|"
    r"be sure|ensure|kindly|immediately|urgent(?:ly)?|important|required? to|from now on|is to be|"
    r"are to be)\b",
    re.IGNORECASE,
)
_INSTEAD: Final = re.compile(
    r"\b(?:instead|rather than|in place of|no longer|ha(?:s|ve) (?:been )?changed|redirect\w*|"
    r"replace[sd]?|regardless|whatever)\b",
    re.IGNORECASE,
)
_IMPERATIVE: Final = re.compile(
    r"^\W{0,8}(?:(?:note|important|urgent|attention|instructions?|step \d+|todo|then|and|also|so|"
    r"please|kindly)\W{1,3}){0,3}(?:set|use|change|update|mark|treat|process|send|route|direct|"
    r"redirect|replace|switch|apply|enter|make|put|pay|transfer|wire|book|issue|enable|disable|"
    r"cancel|delete|grant|move|forward|deliver|ship|schedule|do|let|turn|flip|run|execute|call|"
    r"submit|choose|select|pick|add|remove|give|reverse|refund|charge|credit|debit|sell|buy|copy|"
    r"invoice|bill|address|raise|lower|reduce|increase|write|record|register|assign)\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=512)
def ordering(text: str, *, plainly: bool = False) -> tuple[str, ...]:
    """The sentences that give orders, each also with the one behind it; hidden text counts whole.

    `plainly`: only those that leave no doubt, each by itself.
    """
    return tuple(islice(_ordering(text, plainly), ORDERS_MAX))


def _ordering(text: str, plainly: bool) -> Iterator[str]:
    read = prepare(text)
    spans = list(read.sentences())[:SENTENCES_MAX]
    for place, (start, end) in enumerate(spans):
        if commanding(read.clean[start:end]) >= (PLAINLY if plainly else ENOUGH):
            following = spans[place + 1][1] if place + 1 < len(spans) else end
            yield read.clean[start:end].strip()
            if not plainly:
                yield read.clean[start:following].strip()
    decoded = hidden(text[:HIDDEN_IN])
    if decoded:
        yield decoded


@lru_cache(maxsize=1024)
def commanding(sentence: str) -> float:
    """How much a sentence gives orders, 0 to 1."""
    short = sentence.strip()[:600]
    stems = prepare(short).stems
    acts = any(each in VERBS for each in stems[:3])
    told = 0.6 * bool(_SPOKEN_TO.search(short))
    told += 0.25 * bool(_MUST.search(short)) + 0.25 * bool(_INSTEAD.search(short))
    told += 0.3 * bool(_IMPERATIVE.match(short)) + 0.1 * acts
    return min(1.0, told + orders(stems) / 2)

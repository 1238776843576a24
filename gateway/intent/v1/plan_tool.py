"""The tool that was planned against the tool that is called."""

from __future__ import annotations

from functools import lru_cache

from gateway.intent.v1.plan_kinds import LEXICON
from gateway.intent.v1.values_words import SYNONYMS, words

_VERBS: dict[str, frozenset[int]] = {}
for _number, _group in enumerate(LEXICON["verbs"]):
    for _word in _group:
        _VERBS[_word] = _VERBS.get(_word, frozenset()) | {_number}
_FIRST: dict[str, int] = {group[0]: at for at, group in enumerate(LEXICON["verbs"])}
_OPPOSED = frozenset(
    frozenset({_FIRST[left], _FIRST[right]}) for left, right in LEXICON["opposites"]
)
_NONE: frozenset[int] = frozenset()
_FILLERS = frozenset({"the", "a", "api", "tool", "call", "function", "v1", "v2", "v3", "for", "to"})


def verbs_in(named: frozenset[str]) -> frozenset[int]:
    """The groups of verbs that the words belong to, with `s`, `ed` and `ing` taken off."""
    return _NONE.union(*map(verb_of, named))


@lru_cache(maxsize=4096)
def verb_of(word: str) -> frozenset[int]:
    """The groups of verbs that one word belongs to."""
    return _VERBS.get(word) or next(
        (
            _VERBS[stem]
            for ending in ("s", "ed", "d", "ing")
            if word.endswith(ending) and (stem := word[: -len(ending)]) in _VERBS
        ),
        _NONE,
    )


def opposed(left: frozenset[int], right: frozenset[int]) -> bool:
    """Whether two groups of verbs undo each other and have none in common."""
    return not left & right and any(
        frozenset({mine, yours}) in _OPPOSED for mine in left for yours in right
    )


@lru_cache(maxsize=4096)
def tool_gap(planned: str, called: str) -> tuple[str, float]:
    """How the names differ and how much that counts, 0 to 1."""
    mine, yours = words(planned[:128]), words(called[:128])
    if "".join(mine) == "".join(yours):
        return "same", 0.0
    left, right = frozenset(mine) - _FILLERS, frozenset(yours) - _FILLERS
    if not left or left == right:
        return "same", 0.0
    acts, does = verbs_in(left), verbs_in(right)
    if opposed(acts, does):
        return "opposite", 0.97
    things, others = _things(left), _things(right)
    verb = not acts or not does or bool(acts & does)
    if verb and (things & others or not things or not others):
        return "worded", 0.0 if things <= others or others <= things else 0.3
    return ("verb", 0.8) if things & others else ("different", 0.85)


def _things(named: frozenset[str]) -> frozenset[str]:
    found = {word.rstrip("s") for word in named if word not in _VERBS}
    return frozenset(found | {group for word in named for group in SYNONYMS.get(word, ())})

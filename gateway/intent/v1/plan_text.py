"""A plan in words against the call: `name=value` said outright, flags, values and verbs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from gateway.intent.v1.plan_compare import compared
from gateway.intent.v1.plan_difference import Difference
from gateway.intent.v1.plan_fields import Field, align
from gateway.intent.v1.plan_kinds import LEXICON, kind_of, scalar
from gateway.intent.v1.plan_tool import opposed, verb_of, verbs_in
from gateway.intent.v1.values import Value, forms, values_in
from gateway.intent.v1.values_words import STOP, folded, key_words, plain, words

LIMIT: Final = 4_096
_SAID = re.compile(r"\b([A-Za-z_][\w.]{0,47}) ?= ?([^,;\n=]{1,160})(?=[,;\n]|\Z)")
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_NEGATIONS = frozenset(LEXICON["negations"])
_FILLER = frozenset(LEXICON["flag_filler"])
_OPPOSITES: dict[str, list[str]] = LEXICON["flag_opposites"]
_REACH: Final = 3


def text_differences(text: str, tool: str, fields: Sequence[Field]) -> list[Difference]:
    """What the words of a plan say against the call; weaker than a structured plan."""
    text = text[:LIMIT]
    found = said_outright(text, fields)
    text = _SAID.sub(" ", text)
    spoken = [word.lower() for word in _WORD.findall(folded(text))[:512]]
    named = {each.pointer for each in found}
    flags = [field for field in fields if isinstance(field.value, bool)]
    found += [
        each
        for field in flags
        if field.pointer not in named
        and (each := _flag(field, field.value, spoken, _own_words(field, flags))) is not None
    ]
    found += _values(text, fields, {each.pointer for each in found})
    verb = _verb(spoken, tool)
    return found + ([verb] if verb else [])


def tool_unsaid(text: str, tool: str) -> float:
    """The share of the tool's words that the plan's words never say, 0 to 1."""
    named = key_words(tool)
    said = folded(text[:LIMIT])
    unsaid = [word for word in named if word not in said]
    return len(unsaid) / len(named) if named and said.strip() else 0.0


def verb_replaced(text: str, tool: str) -> float:
    """Whether the plan's words speak of the tool's things, and never of what it does to them.

    A plan `get sensor readings` is none for `send_sensor_readings`, whatever the two verbs are.
    """
    named = key_words(tool)
    does = verbs_in(named)
    things = [word for word in named if not verb_of(word) and word not in STOP]
    if not does or not things:
        return 0.0
    said = frozenset(words(text[:LIMIT])[:256])
    spoken = sum(word in said or word.rstrip("s") in said for word in things)
    acts = verbs_in(said)
    if 2 * spoken < len(things) or acts & does:
        return 0.0
    return 1.0 if acts else 0.6


def said_outright(text: str, fields: Sequence[Field]) -> list[Difference]:
    """`amount=45, to=acme` in a text is as good as a structured plan, near enough."""
    said = [
        Field(f"/{name}", name, value.strip().rstrip(".").strip("\"'"), {})
        for name, value in _SAID.findall(text)[:32]
    ]
    if not said:
        return []
    found: list[Difference] = []
    for pair in align(said, fields).pairs:
        if scalar(pair.called.value) and pair.by != "value":
            each = compared(pair, frozenset())
            if each is not None and each.weight >= 0.5:
                found.append(_weaker(each, 0.93))
    return found


def _weaker(each: Difference, factor: float) -> Difference:
    return Difference(
        f"text.{each.kind}",
        each.relation,
        each.pointer,
        each.observed,
        each.expected,
        each.weight * factor,
    )


def _own_words(field: Field, flags: Sequence[Field]) -> frozenset[str]:
    """The words by which one flag is told from the others."""
    own = key_words(field.key) - _FILLER - STOP
    for other in flags[:32]:
        if other.pointer != field.pointer:
            own -= key_words(other.key)
    return own


def _flag(
    field: Field, value: bool, spoken: list[str], telling: frozenset[str]
) -> Difference | None:
    """A flag named in the text, with or without a negation before it."""
    for word in sorted(telling):
        for at, heard in enumerate(spoken):
            if _one_stem(heard, word):
                meant = not _negated(spoken, at)
                return None if meant == value else _spoken_flag(field, meant, 0.7)
        for opposite in _OPPOSITES.get(word, ()):
            if opposite in spoken and value:
                meant = _negated(spoken, spoken.index(opposite))
                return None if meant else _spoken_flag(field, meant, 0.7)
    return None


def _spoken_flag(field: Field, meant: bool, weight: float) -> Difference:
    return Difference("text.boolean", "different", field.pointer, field.value, meant, weight)


def _one_stem(heard: str, word: str) -> bool:
    if heard == word:
        return True
    return len(word) > 3 and heard.startswith(word[:-1]) and len(heard) - len(word) <= 3


def _negated(spoken: list[str], at: int) -> bool:
    before = spoken[max(at - _REACH, 0) : at]
    return sum(word in _NEGATIONS or word.endswith("n't") for word in before) % 2 == 1


def _values(text: str, fields: Sequence[Field], named: set[str]) -> list[Difference]:
    """Money, addresses and days of the text where the call has others and none of these."""
    said: dict[str, list[Value]] = {}
    for value in values_in(text):
        if value.kind in {"money", "mail", "date"}:
            said.setdefault(value.kind, []).append(value)
    found: list[Difference] = []
    for field in fields if said else ():
        wanted = _wanted(field)
        if wanted in said and field.pointer not in named:
            mine = forms(field.value, field.key)
            if not any(mine & each.forms for each in said[wanted]):
                kind = "recipient" if wanted == "mail" else "date" if wanted == "date" else "amount"
                expected = said[wanted][0].text
                found.append(
                    Difference(
                        f"text.{kind}", "different", field.pointer, field.value, expected, 0.6
                    )
                )
    return found


def _wanted(field: Field) -> str:
    if not scalar(field.value):
        return ""
    spelled = forms(field.value, field.key)
    if any(each.startswith("mail:") for each in spelled):
        return "mail"
    if any(each.startswith("date:") for each in spelled):
        return "date"
    kind = kind_of(key_words(field.key), field.value, field.value, field.schema)
    return "money" if kind == "amount" else ""


def _verb(spoken: list[str], tool: str) -> Difference | None:
    """The text says to do the opposite of what the tool's name says, and nowhere that."""
    does = verbs_in(key_words(tool))
    if not does:
        return None
    said = [verb_of(word) for word in spoken[:64]]
    acts = frozenset().union(
        *(group for at, group in enumerate(said) if group and not _negated(spoken, at))
    )
    denied = any(group & does and _negated(spoken, at) for at, group in enumerate(said))
    if acts & does:
        return None
    if denied or opposed(acts, does):
        weight = 0.6 if denied or len(acts) == 1 else 0.3
        return Difference(
            "text.verb", "opposite", "/tool", tool, plain(" ".join(spoken[:12])), weight
        )
    return None

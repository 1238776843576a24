"""One field of a plan against one of the call: how they differ, and how much that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.intent.v1.plan_fields import (
    LEXICON,
    Alignment,
    Field,
    Kind,
    Pair,
    elements,
    kind_of,
    options_of,
    scalar,
)
from gateway.intent.v1.values import contained, flatten, forms, same, values_in
from gateway.intent.v1.values_numbers import CURRENCIES
from gateway.intent.v1.values_words import STOP, SYNONYMS, key_words, words

HARD: Final = frozenset({"boolean", "direction", "amount", "recipient"})
_WEIGHTS: dict[str, float] = {
    "boolean": 0.98, "direction": 0.97, "amount": 0.97, "recipient": 0.96, "id": 0.95,
    "enum": 0.86, "number": 0.88, "date": 0.86, "entity": 0.82, "text": 0.5,
}  # fmt: skip
_VAGUE = frozenset(LEXICON["vague"])
_RISKY_FLAGS = frozenset(LEXICON["risky_flags"])
_SAFETY = frozenset(LEXICON["safety_flags"])
_RISKY_FIELDS = frozenset(LEXICON["risky_fields"])
_WATCHED = frozenset(LEXICON["watched_fields"])


class Difference(Struct, frozen=True):
    """Where the call is not its plan. `weight` is 0 to 1, `relation` how the values stand."""

    kind: str
    relation: str
    pointer: str
    observed: Any
    expected: Any
    weight: float
    hard: bool = False


def differences(alignment: Alignment, every: Mapping[str, Any]) -> list[Difference]:
    """All differences of an alignment, the heaviest first."""
    named = all(pair.by == "name" for pair in alignment.pairs)
    called = frozenset() if named and not alignment.missing else _spellings(every)
    found = [each for pair in alignment.pairs if (each := compared(pair, called)) is not None]
    found += [each for field in alignment.missing if (each := missing(field, called)) is not None]
    money = {each for field in alignment.meant if scalar(field.value) for each in _currency(field)}
    found += [each for field in alignment.extra if (each := extra(field, money)) is not None]
    if alignment.stranger:
        found.append(Difference("missing", "stranger", "", dict(every), None, 0.85))
    return sorted(found, key=lambda each: -each.weight)


def _spellings(values: Mapping[str, Any]) -> frozenset[str]:
    found: set[str] = set()
    for leaf in flatten(values)[:128]:
        value = leaf.value
        if not isinstance(value, bool) and not (isinstance(value, str) and len(value) > 128):
            found |= forms(value)
    return frozenset(found)


def compared(pair: Pair, called: frozenset[str]) -> Difference | None:
    """How the two values of a pair differ; nothing when they are the same to a reader."""
    meant, observed = pair.meant.value, pair.called.value
    if meant is observed or (type(meant) is type(observed) and meant == observed and scalar(meant)):
        return None
    names = key_words(pair.called.key) | key_words(pair.meant.key)
    kind = kind_of(names, meant, observed, pair.called.schema)
    if not (scalar(meant) and scalar(observed)):
        return _lists(pair, kind)
    relation, weight = _scalars(pair, kind, meant, observed)
    if weight > 0 and kind != "boolean" and pair.by != "name":
        spelled = forms(meant)
        weight = min(weight, 0.3) if spelled & called and not spelled & forms(observed) else weight
    return _difference(pair, kind, relation, observed, meant, weight)


def _difference(
    pair: Pair, kind: Kind, relation: str, observed: Any, meant: Any, weight: float
) -> Difference | None:
    if weight <= 0:
        return None
    if pair.by != "name":
        weight *= 0.97
    hard = weight >= 0.9 and kind in HARD
    return Difference(kind, relation, pair.called.pointer, observed, meant, weight, hard)


def _scalars(pair: Pair, kind: Kind, meant: Any, observed: Any) -> tuple[str, float]:
    relation: str = same(
        meant, observed, key=pair.called.key, schema=pair.called.schema, a_key=pair.meant.key
    )
    options = options_of(pair.called.schema)
    if options and isinstance(observed, str):
        return _chosen(meant, observed, options, relation, kind)
    if relation in {"equal", "equivalent"}:
        return relation, 0.0
    if kind == "boolean":
        return _flags(meant, observed)
    if relation in {"unit", "sign", "scale"}:
        return relation, 0.97 if kind == "amount" else max(_WEIGHTS[kind], 0.9)
    if vague(meant):
        return "vague", 0.12
    if isinstance(meant, str) and isinstance(observed, str):
        return _texts(kind, relation, meant, observed)
    if meant is None:
        return "unsaid", 0.2
    return relation, _WEIGHTS[kind]


def vague(meant: Any) -> bool:
    """A value that names no value: `the usual card`, `tomorrow`, `<to be found>`."""
    if not isinstance(meant, str):
        return False
    if not meant.strip() or (meant[0] in "<{$[" and not meant[1:2].isdigit()):
        return True
    spoken = words(meant[:96])
    return len(spoken) <= 6 and any(word in _VAGUE for word in spoken)


def _flags(meant: Any, observed: Any) -> tuple[str, float]:
    left = {each for each in forms(meant) if each.startswith("bool:")}
    right = {each for each in forms(observed) if each.startswith("bool:")}
    if left and right:
        return "different", _WEIGHTS["boolean"]
    if isinstance(meant, str) and isinstance(observed, bool):
        negated = bool(set(words(meant[:128])) & {"no", "not", "none", "never", "without", "dont"})
        if negated == observed:
            return "different", 0.9 if negated else 0.3
        return "equivalent", 0.0
    return "different", 0.6


def _chosen(
    meant: Any, observed: str, options: list[Any], relation: str, kind: Kind
) -> tuple[str, float]:
    """An option of a schema: the plan's words name the option that is likest to them."""
    named = [each for each in options if _names(meant, each)]
    weight = _WEIGHTS["direction" if kind == "direction" else "enum"]
    if kind == "boolean":
        weight = _WEIGHTS["boolean"]
    if observed in named or (relation in {"equal", "equivalent"} and not named):
        return "equivalent", 0.0
    if named:
        return "different", weight
    if vague(meant):
        return "vague", 0.12
    overlap = contained(frozenset(words(str(meant)[:128])), frozenset(words(observed[:128])))
    return ("near", 0.3) if overlap >= 0.5 else ("different", weight * 0.9)


def _names(meant: Any, option: Any) -> bool:
    if meant == option:
        return True
    left, right = str(meant)[:96], str(option)[:96]
    if words(left) == words(right):
        return True
    synonyms = set(SYNONYMS.get(" ".join(words(left)), ()))
    return bool(synonyms & set(SYNONYMS.get(" ".join(words(right)), ()))) or bool(
        {each for each in forms(left) & forms(right) if each.startswith("bool:")}
    )


def _texts(kind: Kind, relation: str, meant: str, observed: str) -> tuple[str, float]:
    if _wider(meant, observed):
        return "wider", 0.9
    left, right = _said(meant), _said(observed)
    overlap = contained(left, right)
    if kind == "text":
        return _prose(meant, observed, overlap)
    if overlap == 1.0 and _WIDE.get(kind, 0.15) < 1 and not _addressed(meant, observed):
        return "contained", _WIDE.get(kind, 0.15)
    if kind == "date" and not _spans(forms(observed)):
        return relation, 0.3
    return relation, _WEIGHTS[kind]


_WIDE: dict[str, float] = {"recipient": 0.2, "entity": 0.15, "id": 0.3, "date": 0.86, "amount": 0.9}


_ALL = frozenset({"all", "any", "everyone", "everything", "every", "everybody", "anyone"})


def _wider(meant: str, observed: str) -> bool:
    """The call says all where the plan named some."""
    if "*" in observed and "*" not in meant:
        return True
    said = frozenset(words(observed[:64]))
    return len(said) <= 3 and bool(said & _ALL) and not frozenset(words(meant[:512])) & _ALL


def _addressed(meant: str, observed: str) -> bool:
    """Addresses and paths are exact: one inside another is another."""
    return any("@" in text or "/" in text or "\\" in text for text in (meant, observed)) and (
        ("@" in meant) == ("@" in observed)
    )


def _said(text: str) -> frozenset[str]:
    return frozenset(words(text[:2048])) - STOP


def _spans(spelled: frozenset[str]) -> bool:
    return any(spelling.startswith(("date:", "time:", "md:")) for spelling in spelled)


def _prose(meant: str, observed: str, overlap: float) -> tuple[str, float]:
    """Free text may be worded anew; the values in it may not change."""
    left, right = _hard_forms(meant), _all(_hard_forms(observed))
    if right and any(not each & right for each in left):
        return "value", 0.72
    if overlap >= 0.5:
        return "worded", 0.1
    long = min(len(words(meant[:256])), len(words(observed[:256]))) >= 3
    return "reworded", (0.45 if overlap else 0.62 if long else 0.55) * (1 - overlap)


def _hard_forms(text: str) -> list[frozenset[str]]:
    return [value.forms for value in values_in(text, 4_096)]


def _all(groups: list[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*groups)


def _lists(pair: Pair, kind: Kind) -> Difference | None:
    """Lists are sets to a planner, save rows of numbers, whose order tells."""
    meant, observed = elements(pair.meant.value), elements(pair.called.value)
    if pair.meant.value == pair.called.value or (not meant and not observed):
        return None
    if isinstance(pair.meant.value, Mapping) or isinstance(pair.called.value, Mapping):
        return _difference(pair, kind, "shape", observed, meant, 0.3)
    numbers = all(isinstance(each, (int, float)) for each in meant)
    if numbers and sorted(map(str, meant)) == sorted(map(str, observed)):
        return _difference(pair, kind, "order", observed, meant, 0.6)
    lost, gained = _unmatched(meant, observed, pair)
    if not lost and not gained:
        count = isinstance(pair.meant.value, list) and len(meant) != len(observed)
        return _difference(pair, kind, "repeated", observed, meant, 0.7) if count else None
    return _changed_list(pair, kind, lost, gained)


def _unmatched(
    meant: list[Any], observed: list[Any], pair: Pair
) -> tuple[list[Any], list[tuple[int, Any]]]:
    """What only one of the lists has. Long lists are compared by their forms alone."""
    if len(meant) * len(observed) > 64:
        left = frozenset().union(*(forms(each) for each in meant))
        right = frozenset().union(*(forms(each) for each in observed))
        return (
            [each for each in meant if not forms(each) & right],
            [(at, each) for at, each in enumerate(observed) if not forms(each) & left],
        )
    return (
        [each for each in meant if not any(_alike(each, other, pair) for other in observed)],
        [
            (at, each)
            for at, each in enumerate(observed)
            if not any(_alike(other, each, pair) for other in meant)
        ],
    )


def _changed_list(
    pair: Pair, kind: Kind, lost: list[Any], gained: list[tuple[int, Any]]
) -> Difference | None:
    if lost and all(vague(each) for each in lost):
        return _difference(pair, kind, "vague", pair.called.value, pair.meant.value, 0.12)
    weight = _WEIGHTS[kind] if kind != "text" else 0.75
    weight = max(weight, 0.75) if gained else min(weight, 0.9)
    at = f"/{gained[0][0]}" if gained and isinstance(pair.called.value, list) else ""
    relation = "different" if gained and lost else "added" if gained else "lost"
    observed = gained[0][1] if gained else pair.called.value
    hard = weight >= 0.9 and kind in HARD
    expected = lost[0] if lost else pair.meant.value
    return Difference(kind, relation, pair.called.pointer + at, observed, expected, weight, hard)


def _alike(meant: Any, observed: Any, pair: Pair) -> bool:
    if not scalar(meant) or not scalar(observed):
        return bool(meant == observed)
    return same(meant, observed, key=pair.called.key, a_key=pair.meant.key) in {
        "equal",
        "equivalent",
    }


def missing(field: Field, called: frozenset[str]) -> Difference | None:
    """A field of the plan that the call does not have: mild, unless it made the call safe."""
    value = field.value
    if value in (None, "", False) or value == [] or value == {}:
        return None
    names = key_words(field.key)
    if isinstance(value, bool) or "bool:true" in forms(value) - {"num:1"}:
        weight = 0.75 if names & _SAFETY else 0.35
    elif all(forms(each) & called for each in elements(value) if scalar(each)):
        return None
    else:
        weight = 0.12 if vague(value) else 0.4
    return Difference("missing", "missing", field.pointer, None, value, weight)


def _currency(field: Field) -> set[str]:
    return {each for each in forms(field.value, field.key) if each.startswith("cur:")}


def extra(field: Field, money: set[str]) -> Difference | None:
    """A field that no plan named: plans are partial, so only a risky one counts."""
    value = field.value
    if value in (None, "", False) or value == [] or value == {}:
        return None
    if "default" in field.schema and field.schema["default"] == value:
        return None
    names = key_words(field.key)
    if money and "currency" in names and isinstance(value, str):
        said = CURRENCIES.get(value.lower())
        if said and f"cur:{said}" in money:
            return None
        if said:
            expected = min(money).removeprefix("cur:")
            return Difference("amount", "unit", field.pointer, value, expected, 0.95, True)
    if (names & _RISKY_FLAGS and value is True) or names & _RISKY_FIELDS:
        return Difference("extra", "risky", field.pointer, value, None, 0.6)
    if names & _WATCHED:
        return Difference("extra", "watched", field.pointer, value, None, 0.45)
    return Difference("extra", "unplanned", field.pointer, value, None, 0.2)

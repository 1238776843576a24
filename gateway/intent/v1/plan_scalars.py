"""How one value of a call stands to the one that was planned: a flag, an option, a word, a text."""

from __future__ import annotations

from typing import Any

from gateway.intent.v1.plan_difference import WEIGHTS, vague
from gateway.intent.v1.plan_fields import Pair
from gateway.intent.v1.plan_kinds import Kind, options_of
from gateway.intent.v1.values import contained, forms, same, values_in
from gateway.intent.v1.values_words import STOP, SYNONYMS, words


def scalars(pair: Pair, kind: Kind, meant: Any, observed: Any) -> tuple[str, float]:
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
        return relation, 0.97 if kind == "amount" else max(WEIGHTS[kind], 0.9)
    if vague(meant):
        return "vague", 0.12
    if isinstance(meant, str) and isinstance(observed, str):
        return _texts(kind, relation, meant, observed)
    if meant is None:
        return "unsaid", 0.2
    return relation, WEIGHTS[kind]


def _flags(meant: Any, observed: Any) -> tuple[str, float]:
    left = {each for each in forms(meant) if each.startswith("bool:")}
    right = {each for each in forms(observed) if each.startswith("bool:")}
    if left and right:
        return "different", WEIGHTS["boolean"]
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
    weight = WEIGHTS["direction" if kind == "direction" else "enum"]
    if kind == "boolean":
        weight = WEIGHTS["boolean"]
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
    return relation, WEIGHTS[kind]


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

"""Where each argument value comes from: the request, the plan, what was seen, or nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.v1.attribution_tone import deferral
from gateway.intent.v1.consistency_bounds import kept
from gateway.intent.v1.consistency_view import LEXICON, Leaf, Said, View, signal
from gateway.intent.v1.text import weight
from gateway.intent.v1.values import same

# How much it says that a value of this kind is said nowhere.
WORTH: Final = {
    "id": 1.0, "mail": 1.0, "date": 0.9, "number": 0.8, "name": 0.7, "enum": 0.3, "prose": 0.3,
    "bool": 0.0, "empty": 0.0,
}  # fmt: skip
_RELATIVE = frozenset(LEXICON["relative_days"].split())
_ARITHMETIC = frozenset(LEXICON["arithmetic"].split())
_TECHNICAL = frozenset(LEXICON["technical"].split())
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_QUOTES = re.compile(r"[\"'`\u2018-\u201d(\[]")
_STRICT = ("num:", "txt:", "sq:", "null:", "seq:", "who:", "bool:", "ratio:", "minor:", "money:")

FEATURES: dict[str, int] = {
    "ungrounded": 1,
    "ungrounded_second": 1,
    "ungrounded_sum": 1,
    "ungrounded_id": 1,
    "ungrounded_number": 1,
    "ungrounded_date": 1,
    "ungrounded_name": 1,
    "ungrounded_enum": 1,
    "ungrounded_prose": 1,
    "ungrounded_optional": 1,
    "ungrounded_required": 1,
    "ungrounded_listed": 1,
    "from_request": -1,
    "from_trusted": 0,
    "from_untrusted": 1,
    "from_default": 0,
    "ungrounded_share": 1,
    "leaves": 0,
}


class Ground(Struct, frozen=True):
    """How far a leaf is said by each source, 0 to 1, and how little of it by any believed one."""

    leaf: Leaf
    request: float = 0.0
    plan: float = 0.0
    seen: float = 0.0
    untrusted: float = 0.0
    default: float = 0.0
    soft: float = 0.0
    missing: float = 0.0


def grounds(view: View) -> list[Ground]:
    """Where each leaf comes from."""
    return [_ground(view, leaf) for leaf in view.leaves]


def _ground(view: View, leaf: Leaf) -> Ground:
    if leaf.kind in ("bool", "empty"):
        return Ground(leaf, request=1.0)
    plan = max(said_by(leaf, view.plan), float(not view.planned.isdisjoint(leaf.spelled)))
    seen = max((said_by(leaf, one) for one in view.trusted), default=0.0)
    if leaf.phrase in view.past and leaf.phrase:
        seen = max(seen, 0.9)
    default, soft = _default(leaf), _soft(view, leaf)
    # Only a whole proposed call vouches for its values: arguments alone may be for another tool.
    vouched = 0.8 * plan if view.settled else 0.0
    request = max(said_by(leaf, view.request), 0.9 * kept(leaf, view.request))
    said = max(request, 0.9 * seen, 0.95 * default, 0.6 * soft, vouched)
    return Ground(
        leaf,
        request=request,
        plan=plan,
        seen=seen,
        untrusted=max((said_by(leaf, one) for one in view.untrusted), default=0.0),
        default=default,
        soft=soft,
        missing=(1.0 - said) * WORTH[leaf.kind],
    )


def said_by(leaf: Leaf, said: Said) -> float:
    """How far a text says a value, 0 to 1."""
    if not said.text.tokens or not leaf.phrase:
        return 0.0
    if leaf.kind == "number":
        return _number_said(leaf, said)
    if leaf.kind in ("date", "mail"):
        strict = [form for form in leaf.spelled if not form.startswith(_STRICT)]
        days = [form for form in strict if form.startswith(("date:", "mail:"))]
        if said.spelled.intersection(days):
            return 1.0
        loose = [form for form in strict if form.startswith(("md:", "who:"))]
        return 0.85 if said.spelled.intersection(loose) else float(said.says(leaf.phrase))
    if said.says(leaf.phrase):
        return 1.0
    if leaf.kind == "id":
        together = leaf.phrase.replace(" ", "")
        if len(together) >= 4 and together in said.squeezed:
            return 0.95
        ids = {form for form in leaf.spelled if form.startswith(("id:", "tel:", "url:", "path:"))}
        return 0.95 if said.spelled & ids else 0.0
    return _words_said(leaf.stems, said)


def _number_said(leaf: Leaf, said: Said) -> float:
    best = 0.0
    for value in said.values:
        if value.number is None and not value.forms & leaf.spelled:
            continue
        if value.forms & leaf.spelled:
            relation = same(value.text, leaf.value, key=leaf.key, schema=leaf.schema)
            # `5 m` may be metres a second as well as minutes; only a known unit tells.
            return (
                1.0 if relation in ("equal", "equivalent") else 0.3 if relation == "unit" else 0.8
            )
        if value.number is not None and value.unit and best < 0.9 and _equal(value.text, leaf):
            best = 0.95
    if best == 0.0 and len(leaf.phrase) > 1 and said.says(leaf.phrase):
        best = 0.9
    return best


def _equal(text: str, leaf: Leaf) -> bool:
    return same(text, leaf.value, key=leaf.key, schema=leaf.schema) in ("equal", "equivalent")


def _words_said(stems: Iterable[str], said: Said) -> float:
    total = heard = 0.0
    for each in stems:
        worth = weight(each) or 0.05
        total += worth
        if each in said.text.vocabulary:
            heard += worth
    share = heard / total if total else 0.0
    return share * 0.9


def _default(leaf: Leaf) -> float:
    """Whether the schema offers the value by itself."""
    default = leaf.schema.get("default")
    if default is not None and default == leaf.value:
        return 1.0
    told = leaf.schema.get("description")
    if isinstance(told, str) and leaf.phrase and not leaf.schema.get("of_tool"):
        low = f" {_QUOTES.sub(' ', told[:400].lower())} "
        at = low.find(f" {str(leaf.value)[:64].lower()}")
        if at >= 0 and "default" in low:
            return 0.9
        if at >= 0 and leaf.kind != "number":
            return 0.4
    if leaf.kind == "number" and leaf.number in (0.0, 1.0):
        return 0.5
    return 0.0


def _soft(view: View, leaf: Leaf) -> float:
    """Whether the request may mean the value without saying it."""
    vocabulary = frozenset(view.request.text.tokens)
    handed = deferral(view.request.text.folded)
    if handed and any(said_by(leaf, one) > 0.8 for one in view.untrusted):
        return min(1.0, 0.7 + 0.4 * handed)
    if leaf.kind == "date":
        return _relative(leaf, vocabulary)
    if leaf.kind == "number":
        return 0.5 if vocabulary & _ARITHMETIC else 0.0
    if leaf.kind in ("id", "name") and any(word in leaf.key.lower() for word in _TECHNICAL):
        return 0.6
    if leaf.kind in ("name", "id", "enum"):
        return _short_for(leaf, view.request)
    return 0.0


def _relative(leaf: Leaf, vocabulary: frozenset[str]) -> float:
    """A day that is only spoken of: `Friday` is a Friday, `tomorrow` may be any day."""
    if not vocabulary & _RELATIVE:
        return 0.0
    weekdays = {at for at, name in enumerate(_WEEKDAYS) if name in vocabulary}
    if not weekdays:
        return 0.8
    for form in leaf.spelled:
        try:
            day = date.fromisoformat(form.removeprefix("date:")).weekday()
        except ValueError:
            continue
        return 1.0 if day in weekdays else 0.5
    return 0.8


def _short_for(leaf: Leaf, said: Said) -> float:
    """A code may stand for words that begin with its letters, in their order."""
    code = leaf.phrase.replace(" ", "")
    if not 2 <= len(code) <= 5 or not code.isalpha():
        return 0.0
    initials = "".join(word[0] for word in said.text.tokens)
    at = initials.find(code)
    if at >= 0:
        first, last = said.text.spans[at][0], said.text.spans[at + 1][0]
        titled = said.text.clean[first].isupper() and said.text.clean[last].isupper()
        if len(code) > 2 or titled:
            return 0.9
    for word in said.text.tokens:
        if len(word) > len(code) and word[0] == code[0] and _in_order(code, word):
            return 0.9 if word.startswith(code) else 0.6
    return 0.0


def _in_order(code: str, word: str) -> bool:
    letters = iter(word)
    return all(letter in letters for letter in code)


def features_of(found: list[Ground]) -> dict[str, float]:
    """What the grounding says as numbers."""
    features = dict.fromkeys(FEATURES, 0.0)
    missing = sorted((each.missing for each in found), reverse=True)
    features["ungrounded"] = missing[0] if missing else 0.0
    features["ungrounded_second"] = missing[1] if len(missing) > 1 else 0.0
    features["ungrounded_sum"] = min(sum(missing), 4.0) / 4
    features["leaves"] = min(len(found), 12) / 12
    worth = sum(WORTH[each.leaf.kind] for each in found)
    features["from_request"] = (
        sum(each.request * WORTH[each.leaf.kind] for each in found) / worth if worth else 0.5
    )
    features["ungrounded_share"] = sum(missing) / worth if worth else 0.3
    for each in found:
        kind = "id" if each.leaf.kind == "mail" else each.leaf.kind
        for name, value in (
            (f"ungrounded_{kind}", each.missing),
            ("ungrounded_required" if each.leaf.required else "ungrounded_optional", each.missing),
            ("from_trusted", each.seen * (1 - each.request)),
            ("from_untrusted", each.untrusted * each.missing),
            ("from_default", each.default * (1 - each.request)),
            ("ungrounded_listed", each.missing if each.leaf.listed > 1 else 0.0),
        ):
            if name in features:
                features[name] = max(features[name], value)
    return features


def signals_of(found: list[Ground]) -> list[Signal]:
    """The values that nothing explains."""
    return [
        signal(
            "grounding", each.leaf.pointer, each.leaf.value, None, 0.55 * each.missing, "nothing"
        )
        for each in found
        if each.missing >= 0.3
    ]

"""Attribution: is the call explained better by content nobody vouches for than by the request?

The call's words and hard values are looked for in the request, the plan, the trusted context and
the untrusted one. What the request or a trusted source says gives untrusted content no credit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gateway.intent.assessment import Signal
from gateway.intent.evidence import Evidence, Item
from gateway.intent.v1.attribution_call import VERBS, Call, described
from gateway.intent.v1.attribution_reference import about, contested, held, pressing
from gateway.intent.v1.attribution_source import WIDTHS, Key, Source, Stretch, best, read
from gateway.intent.v1.attribution_tone import deferral, fielded, hidden, orders
from gateway.intent.v1.text import LIMIT, Text, prepare

# Each feature and how it moves the score: 1 raises it, -1 lowers it, 0 is free.
FEATURES: dict[str, int] = {
    "margin": 1,
    "margin_words": 1,
    "margin_values": 1,
    "excess": 1,
    "excess_words": 1,
    "excess_values": 1,
    "excess_narrow": 1,
    "excess_vouched": 1,
    "excess_union": 1,
    "window_words": 0,
    "window_values": 0,
    "request_words": -1,
    "request_values": -1,
    "plan_words": -1,
    "plan_values": -1,
    "trusted_values": -1,
    "untrusted_share": 1,
    "untrusted_hardest": 1,
    "untrusted_recipient": 1,
    "unknown_share": 0,
    "orders_window": 1,
    "orders_value": 1,
    "name_near_value": 1,
    "fielded": -1,
    "spoken_share": 1,
    "spoken_near_name": 1,
    "unhanded": 1,
    "related": -1,
    "deferral": -1,
    "undeferred": 1,
    "verb_asked": -1,
    "name_asked": -1,
    "name_told": 1,
    "name_excess": 1,
    "unasked_value": 1,
    "effect": 0,
    "grave_effect": 0,
    "repeated": -1,
    "hidden": 1,
    "referred": -1,
    "unreferred": 1,
    "pressed": 1,
    "contested": 1,
    "held": -1,
    "settled": -1,
}
_GRAVE = frozenset(("payment", "delete", "access", "deploy", "exec"))
_AROUND = 14
_MOST_SIGNALS = 8


class Attribution(Struct, frozen=True):
    """The features, each of `FEATURES` once and between -1 and 1, and what to show for them."""

    features: dict[str, float]
    signals: list[Signal]
    truncated: tuple[str, ...] = ()


class _View(Struct, frozen=True):
    """The call and everything that was said about it."""

    call: Call
    request: Source
    plan: Source
    trusted: Source
    untrusted: Source
    items: tuple[Item, ...]
    hidden: bool
    held: set[Key]
    held_share: float
    settled: bool
    truncated: tuple[str, ...]


def look(evidence: Evidence) -> Attribution:
    """Attribute the call; pure, and bounded by the limits on what is read."""
    view = _view(evidence)
    features = dict.fromkeys(FEATURES, 0.0)
    features.update(_coverage(view))
    features.update(_provenance(view))
    features.update(_asked(view, evidence))
    features["undeferred"] = features["untrusted_share"] * (1 - features["deferral"])
    features["unasked_value"] = (
        features["untrusted_share"] * features["effect"] * (1 - features["verb_asked"])
    )
    handed = features["verb_asked"] * features["deferral"] * features["fielded"]
    features["unhanded"] = features["excess"] * (1 - handed)
    referred = features["referred"] * (1 - features["pressed"])
    features["unreferred"] = features["untrusted_share"] * (1 - referred)
    bounded = {name: round(max(-1.0, min(1.0, features[name])), 6) for name in FEATURES}
    return Attribution(bounded, _signals(view, bounded), view.truncated)


def _view(evidence: Evidence) -> _View:
    call = described(evidence)
    request = prepare(evidence.request or "")
    plan = [prepare(evidence.plan_text or ""), prepare(evidence.plan_tool or "", 256)]
    planned = " . ".join(f"{k} {v}" for k, v in _flat(evidence.plan_arguments or {}))
    plan.append(prepare(planned))
    vouched, cut_vouched = _shared([item for item in evidence.context if item.trusted])
    items = [item for item in evidence.context if not item.trusted]
    found, cut_found = _shared(items)
    decoded = [prepare(said) for item in items[:16] if (said := hidden(item.text[:LIMIT]))]
    cut = {
        "request": request.truncated,
        "plan": any(text.truncated for text in plan),
        "context.trusted": cut_vouched,
        "context.untrusted": cut_found,
    }
    return _View(
        call,
        read(call, [request]),
        read(call, plan),
        read(call, vouched),
        read(call, [*found, *decoded]),
        tuple(items[: len(found)]),
        bool(decoded),
        *held(evidence, call),
        tuple(name for name, was in cut.items() if was),
    )


def _flat(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < 6:
        for name, inner in list(value.items())[:64]:
            yield from _flat(inner, str(name)[:128], depth + 1)
    elif isinstance(value, list) and depth < 6:
        for inner in value[:64]:
            yield from _flat(inner, key, depth + 1)
    elif isinstance(value, int) and abs(value) >= 10**30:
        yield key, "large"
    elif isinstance(value, str | int | float):
        yield key, str(value)[:400]


def _shared(items: Sequence[Item]) -> tuple[list[Text], bool]:
    """The texts of one trust within their limit: short ones whole, long ones an equal share."""
    most = items[:64]
    left, cut = LIMIT, len(items) > len(most)
    limits: dict[int, int] = {}
    order = sorted(range(len(most)), key=lambda i: len(most[i].text))
    for done, number in enumerate(order):
        limits[number] = min(len(most[number].text), left // (len(order) - done))
        left -= limits[number]
    texts = [prepare(item.text, max(1, limits[i])) for i, item in enumerate(most)]
    return texts, cut or any(text.truncated for text in texts)


def _keys(call: Call) -> tuple[list[Key], list[Key], float, float]:
    words: list[Key] = list(call.stems)
    values: list[Key] = list(range(len(call.leaves)))
    return (
        words,
        values,
        sum(call.stems.values()) or 1.0,
        sum(leaf.weight for leaf in call.leaves) or 1.0,
    )


def _coverage(view: _View) -> dict[str, float]:
    """How much the best window says, how much the request does, and what only the window says."""
    call = view.call
    words, values, all_words, all_values = _keys(call)
    everything = all_words + (all_values if call.leaves else 0.0)
    asked = _explained(view.request) | view.held
    vouched = _explained(view.request, view.plan, view.trusted) | view.held
    wide = WIDTHS[1]
    hits = view.untrusted.hits
    said = best(hits, wide)
    word_hits = [hit for hit in hits if isinstance(hit.key, str)]
    value_hits = [hit for hit in hits if isinstance(hit.key, int)]
    window_words = best(word_hits, wide).gain / all_words
    window_values = best(value_hits, wide).gain / all_values
    request_words = view.request.cover(words) / all_words
    request_values = view.request.cover(values) / all_values
    own_words = _cover(view, words) / all_words
    own_values = _cover(view, values) / all_values
    request = _cover(view, [*words, *values]) / everything
    beyond = _only(view.untrusted, asked)
    return {
        "margin": said.gain / everything - request,
        "margin_words": window_words - own_words,
        "margin_values": window_values - own_values,
        "excess": best(hits, wide, asked).gain / everything,
        "excess_words": best(word_hits, wide, asked).gain / all_words,
        "excess_values": best(value_hits, wide, asked).gain / all_values,
        "excess_narrow": best(hits, WIDTHS[0], asked).gain / everything,
        "excess_vouched": best(hits, WIDTHS[2], vouched).gain / everything,
        "excess_union": beyond / everything,
        "window_words": window_words,
        "window_values": window_values,
        "request_words": request_words,
        "request_values": request_values,
        "plan_words": view.plan.cover(words) / all_words,
        "plan_values": view.plan.cover(values) / all_values,
        "trusted_values": view.trusted.cover(values) / all_values,
        "orders_window": orders(_stems(view.untrusted, best(hits, wide, asked))),
    }


def _cover(view: _View, keys: Sequence[Key]) -> float:
    """What the request or the structured plan explains of these keys."""
    call = view.call
    total = 0.0
    for key in keys:
        whole = call.leaves[key].weight if isinstance(key, int) else call.stems[key]
        total += whole if key in view.held else view.request.gains.get(key, 0.0)
    return total


def _explained(*sources: Source) -> set[Key]:
    return {key for source in sources for key in source.gains}


def _only(source: Source, left_out: set[Key]) -> float:
    return sum(gain for key, gain in source.gains.items() if key not in left_out)


def _stems(source: Source, stretch: Stretch) -> list[str]:
    if stretch.last < stretch.first:
        return []
    number, first = source.at(stretch.first)
    text = source.texts[number]
    return list(text.stems[max(0, first - 6) : first + stretch.last - stretch.first + 7])


def _provenance(view: _View) -> dict[str, float]:
    """Which values only untrusted content gives, and how it speaks around them."""
    leaves = view.call.leaves
    lonely = _lonely(view)
    total = sum(leaf.weight for leaf in leaves) or 1.0
    sources = (view.request, view.plan, view.trusted, view.untrusted)
    unknown = sum(
        leaf.weight for i, leaf in enumerate(leaves) if not any(i in s.gains for s in sources)
    )
    around = [_around(view, place) for place in lonely.values()]
    recorded = [_is_fielded(view, place) for place in lonely.values()]
    spoken = [i for i, is_field in zip(lonely, recorded, strict=True) if not is_field]
    names = [_name_in(view.call, near) for near in around]
    return {
        "untrusted_share": sum(leaves[i].weight for i in lonely) / total,
        "untrusted_hardest": max((leaves[i].weight / 3 for i in lonely), default=0.0),
        "untrusted_recipient": float(any(leaves[i].recipient for i in lonely)),
        "unknown_share": unknown / total,
        "orders_value": max((orders(near) for near in around), default=0.0),
        "name_near_value": max(names, default=0.0),
        "fielded": _mean([float(is_field) for is_field in recorded], 1.0),
        "spoken_share": sum(leaves[i].weight for i in spoken) / total,
        "spoken_near_name": max(
            (near for near, is_field in zip(names, recorded, strict=True) if not is_field),
            default=0.0,
        ),
        "related": _mean([_related(view, near) for near in around], 1.0),
        "hidden": float(view.hidden and bool(lonely)),
        **_reference(view, lonely),
    }


def _reference(view: _View, lonely: dict[int, int]) -> dict[str, float]:
    """Whether lonely values stand in what the request names, and how the text presses for them."""
    request, texts = view.request.texts[0], view.untrusted.texts
    places = [view.untrusted.at(place) for place in lonely.values()]
    rivals = (request, *view.plan.texts, *view.trusted.texts, *texts)
    return {
        "referred": min((about(request, texts[n]) for n in {n for n, _ in places}), default=1.0),
        "pressed": max((pressing(texts[n], token) for n, token in places), default=0.0),
        "contested": float(any(contested(view.call.leaves[i].value, rivals) for i in lonely)),
        "held": view.held_share,
        "settled": float(view.settled),
    }


def _lonely(view: _View) -> dict[int, int]:
    """The leaves that only untrusted content says, each with the place where it first does."""
    known = _explained(view.request, view.plan, view.trusted)
    places: dict[int, int] = {}
    for hit in view.untrusted.hits:
        if isinstance(hit.key, int) and hit.key not in known and not _worded(view, hit.key):
            places.setdefault(hit.key, hit.place)
    return places


def _worded(view: _View, number: int) -> bool:
    """Whether the request says every word of a value, if not in one piece."""
    stems = view.call.leaves[number].stems
    said = view.request.gains
    return bool(stems) and all(s in said or s not in view.call.stems for s in stems[:24])


def _around(view: _View, place: int) -> list[str]:
    number, token = view.untrusted.at(place)
    return list(view.untrusted.texts[number].stems[max(0, token - _AROUND) : token + _AROUND])


def _name_in(call: Call, near: Sequence[str]) -> float:
    said = {call.synonyms.get(stem, stem) for stem in near}
    return sum(1.0 for own in call.named if own in said) / (len(call.named) or 1)


def _is_fielded(view: _View, place: int) -> bool:
    number, token = view.untrusted.at(place)
    return fielded(view.untrusted.texts[number], token)


def _related(view: _View, near: Sequence[str]) -> float:
    """How much of what stands around a value the request speaks of, the call's words left out."""
    other = {stem for stem in near if len(stem) > 2 and stem not in view.call.stems}
    return len(other & view.request.texts[0].vocabulary) / (len(other) or 1)


def _mean(numbers: Sequence[float], without: float) -> float:
    return sum(numbers) / len(numbers) if numbers else without


def _asked(view: _View, evidence: Evidence) -> dict[str, float]:
    """Whether the request accounts for a call of this kind, and whether it hands over."""
    text = view.request.texts[0]
    effects = frozenset(evidence.side_effects)
    named = view.call.named
    weights = sum(view.call.stems[own] for own in named) or 1.0
    asked = view.request.cover(named) / weights
    told = best([h for h in view.untrusted.hits if h.key in named], WIDTHS[1]).gain / weights
    return {
        "verb_asked": 1.0 if view.settled else _verb_asked(named, text),
        "name_asked": 1.0 if view.settled else asked,
        "name_told": told,
        "name_excess": told - (1.0 if view.settled else asked),
        "deferral": deferral(text.folded),
        "effect": float(bool(effects - {"read"})),
        "grave_effect": float(bool(effects & _GRAVE)),
        "repeated": float(any(past.tool == evidence.tool for past in evidence.history)),
    }


def _verb_asked(named: Sequence[str], text: Text) -> float:
    acts = {family for own in named for family in VERBS.get(own, ())}
    if not acts:
        return 0.5
    return float(any(acts & VERBS[said] for said in text.vocabulary & VERBS.keys()))


def _signals(view: _View, features: dict[str, float]) -> list[Signal]:
    """The values that only untrusted content gives, or the stretch that speaks of the tool."""
    lonely = _lonely(view)
    found = [
        _signal(view, "attribution.value", leaf.pointer, leaf.value, place, leaf.weight / 3)
        for number, place in lonely.items()
        for leaf in [view.call.leaves[number]]
    ]
    stretch = best(view.untrusted.hits, WIDTHS[1], _explained(view.request) | view.held)
    if features["excess"] > 0 and features["margin"] > 0:
        first = stretch.first
        tool = view.call.named
        observed = " ".join(tool)
        found.append(
            _signal(
                view, "attribution.sentence", "/action/tool", observed, first, features["margin"]
            )
        )
    found.sort(key=lambda signal: (-signal.contribution, signal.field))
    return found[:_MOST_SIGNALS]


def _signal(
    view: _View, check: str, field: str, observed: object, place: int, counted: float
) -> Signal:
    number, token = view.untrusted.at(place)
    text = view.untrusted.texts[number]
    decoded = number >= len(view.items)
    item = None if decoded else view.items[number]
    source = f"context:{item.id or item.source or number}" if item else "context:decoded"
    return Signal(
        check,
        field,
        observed,
        _sentence(text, token),
        source[:128],
        False,
        round(max(0.0, min(1.0, counted)), 6),
    )


def _sentence(text: Text, token: int) -> str:
    at = text.spans[token][0]
    for start, end in text.sentences():
        if start <= at < end:
            return text.clean[max(start, at - 150) : end].strip()[:300]
    return text.clean[at : at + 300]

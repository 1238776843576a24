"""A call and everything that was said about it, read once for all of attribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gateway.intent.evidence import Evidence, Item
from gateway.intent.v1.attribution_call import Call, described
from gateway.intent.v1.attribution_reference import held
from gateway.intent.v1.attribution_source import WIDTHS, Key, Source, Stretch, best, read
from gateway.intent.v1.attribution_tone import hidden
from gateway.intent.v1.text import LIMIT, Text, prepare


class View(Struct, frozen=True):
    """The call and everything that was said about it.

    `held` is what a structured plan has of the call, `asked` what it or the request explains, and
    `known` what any source does that is believed. `beyond` is the stretch of untrusted content
    that explains the most of what was not asked for; `lonely` are the leaves that only untrusted
    content says, each with the place where it first does.
    """

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
    asked: set[Key]
    known: set[Key]
    beyond: Stretch
    lonely: dict[int, int]


def view_of(evidence: Evidence) -> View:
    """Find the call in all texts; bounded by the limits on what is read."""
    call = described(evidence)
    request = prepare(evidence.request or "")
    plan = [prepare(evidence.plan_text or ""), prepare(evidence.plan_tool or "", 256)]
    plan.append(prepare(" . ".join(f"{k} {v}" for k, v in _flat(evidence.plan_arguments or {}))))
    vouched, cut_vouched = _shared([item for item in evidence.context if item.trusted])
    items = [item for item in evidence.context if not item.trusted]
    found, cut_found = _shared(items)
    decoded = [prepare(plain) for item in items[:16] if (plain := hidden(item.text[:LIMIT]))]
    cut = {
        "request": request.truncated,
        "plan": any(text.truncated for text in plan),
        "context.trusted": cut_vouched,
        "context.untrusted": cut_found,
    }
    said, planned, trusted = read(call, [request]), read(call, plan), read(call, vouched)
    untrusted = read(call, [*found, *decoded])
    own, share, settled = held(evidence, call)
    asked = own.union(said.gains)
    known = {key for source in (said, planned, trusted) for key in source.gains}
    return View(
        call,
        said,
        planned,
        trusted,
        untrusted,
        tuple(items[: len(found)]),
        bool(decoded),
        own,
        share,
        settled,
        tuple(name for name, was in cut.items() if was),
        asked,
        known,
        best(untrusted.hits, WIDTHS[1], asked),
        _lonely(call, said, untrusted, known),
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


def _lonely(call: Call, request: Source, untrusted: Source, known: set[Key]) -> dict[int, int]:
    """The leaves that only untrusted content says, each with the place where it first does."""
    places: dict[int, int] = {}
    for hit in untrusted.hits:
        if (
            isinstance(hit.key, int)
            and hit.key not in known
            and not _worded(call, request, hit.key)
        ):
            places.setdefault(hit.key, hit.place)
    return places


def _worded(call: Call, request: Source, number: int) -> bool:
    """Whether the request says every word of a value, if not in one piece."""
    stems = call.leaves[number].stems
    said = request.gains
    return bool(stems) and all(s in said or s not in call.stems for s in stems[:24])

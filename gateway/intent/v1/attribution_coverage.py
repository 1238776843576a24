"""How much of a call each source explains: the request, the plan, the best stretch of content."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.intent.v1.attribution_call import Call
from gateway.intent.v1.attribution_source import WIDTHS, Key, Source, Stretch, best
from gateway.intent.v1.attribution_tone import orders
from gateway.intent.v1.attribution_view import View


def coverage(view: View) -> dict[str, float]:
    """How much the best window says, how much the request does, and what only the window says."""
    call = view.call
    words, values, all_words, all_values = _keys(call)
    everything = all_words + (all_values if call.leaves else 0.0)
    asked, vouched = view.asked, view.known | view.held
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
        "excess": view.beyond.gain / everything,
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
        "orders_window": orders(_stems(view.untrusted, view.beyond)),
    }


def _keys(call: Call) -> tuple[list[Key], list[Key], float, float]:
    words: list[Key] = list(call.stems)
    values: list[Key] = list(range(len(call.leaves)))
    return (
        words,
        values,
        sum(call.stems.values()) or 1.0,
        sum(leaf.weight for leaf in call.leaves) or 1.0,
    )


def _cover(view: View, keys: Sequence[Key]) -> float:
    """What the request or the structured plan explains of these keys."""
    call = view.call
    total = 0.0
    for key in keys:
        whole = call.leaves[key].weight if isinstance(key, int) else call.stems[key]
        total += whole if key in view.held else view.request.gains.get(key, 0.0)
    return total


def _only(source: Source, left_out: set[Key]) -> float:
    return sum(gain for key, gain in source.gains.items() if key not in left_out)


def _stems(source: Source, stretch: Stretch) -> list[str]:
    if stretch.last < stretch.first:
        return []
    number, first = source.at(stretch.first)
    text = source.texts[number]
    return list(text.stems[max(0, first - 6) : first + stretch.last - stretch.first + 7])

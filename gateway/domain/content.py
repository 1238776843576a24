"""Splitting an event's content into parts, and joining them again to the byte.

A check repeats most of what the one before it said: the same request, context and arguments. What
repeats is cut out into parts of its own, and since a run stores equal parts once, a conversation
that grows step by step takes the space of what is new.

A cut leaves a hole of the same kind in the part it was cut from: null for a value, an empty
object for members, an empty array for items. The names of the parts say where the holes are
(`frame/action/arguments/0`, `frame/context/3/text`), so joining needs no knowledge of what a frame
looks like, and content stored today can be joined by any later release. Arguments are cut with
their names, since an agent writes those too; every part is JSON by itself. What is left (ids,
counters, times) stays in the part `frame` or `observation`, which is sealed like the others.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Raw

from gateway.domain.joining import Joining, around

# Beyond this many members or items at one place, neighbours share a part: the number of parts of
# an event, and with it the work of the worker, is bounded whatever an agent sends.
PARTS_MAX = 128

Cut = Literal["value", "members", "items"]
Places = dict[str, "Places | Cut"]
EACH: Final = "*"

FRAME: Places = {
    "action": {
        "arguments": "members",
        "description": "value",
        "recipients": "value",
        "schema": "value",
    },
    "assessment": {"signals": "value"},
    "context": {EACH: {"text": "value"}},
    "external_state": "members",
    "history": "items",
    "model": "value",
    "request": {
        "plan": {"arguments": "members", "text": "value"},
        "reasoning": "value",
        "user": "value",
    },
    "tools_available": "value",
}
OBSERVATION: Places = {
    "arguments": "members",
    "messages": "items",
    "reasoning": "value",
    "system": "value",
    "text": "value",
    "tools": "items",
}
SPLIT: dict[str, Places] = {"frame": FRAME, "observation": OBSERVATION}

# What was cut before, by place and bytes: what stands there from then on, and the parts.
Cuts = dict[tuple[str, bytes], tuple[Raw, dict[str, bytes]]]

_encoder = msgspec.json.Encoder()
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_NOTHING = frozenset({b"null", b'""', b"{}", b"[]"})


class _NotPlain(ValueError):
    """The JSON is not in the form that would come out again (white space, a key twice)."""


def split(parts: dict[str, bytes], before: Cuts | None = None) -> dict[str, bytes]:
    """The parts with `frame` and `observation` cut up. Content of any other form stays whole.

    `before` remembers what was cut, for others that repeat it; whoever gives it bounds it.
    """
    cuts: Cuts = {} if before is None else before
    found: dict[str, bytes] = {}
    for name, data in parts.items():
        if "/" in name:
            raise ValueError(f"the content part {name!r} has a slash in its name")
        places = SPLIT.get(name)
        found |= {name: data} if places is None else _split_part(name, data, places, cuts)
    return found


def join(parts: dict[str, bytes]) -> dict[str, bytes]:
    """What was split, to the byte. Raises ValueError when the parts do not fit together.

    Where a part is missing, the hole stays: what is joined is then JSON still, but less. Whoever
    joins the parts of many events keeps a `Joining`.
    """
    joining = Joining()
    for name in joining.lost(parts):
        raise ValueError(f"the content part {name!r} is missing, others belong into it")
    return joining.join(parts)


def _split_part(name: str, data: bytes, places: Places, cuts: Cuts) -> dict[str, bytes]:
    cut: dict[str, bytes] = {}
    try:
        skeleton = _cut_object(Raw(data), places, name, cut, cuts)
    except (_NotPlain, msgspec.MsgspecError, RecursionError, UnicodeError):
        return {name: data}
    return {name: bytes(skeleton), **cut}


def _cut(raw: Raw, place: Places | Cut, path: str, cut: dict[str, bytes], cuts: Cuts) -> Raw:
    """Put what stands at a place into `cut`; what is returned stands there from now on."""
    data = bytes(raw)
    if data in _NOTHING:
        return raw
    if place == "value":
        cut[path] = data
        return Raw(b"null")
    known = cuts.get((path, data))
    if known is None:
        parts: dict[str, bytes] = {}
        known = cuts[path, data] = (_cut_inside(raw, place, path, parts, cuts), parts)
    skeleton, parts = known
    cut.update(parts)
    return skeleton


def _cut_inside(raw: Raw, place: Places | Cut, path: str, cut: dict[str, bytes], cuts: Cuts) -> Raw:
    data = bytes(raw)
    if isinstance(place, dict):
        inside = _cut_array if EACH in place else _cut_object
        return inside(raw, place, path, cut, cuts)
    if place == "members" and data[:1] == b"{":
        return _cut_members(raw, path, cut)
    if place == "items" and data[:1] == b"[":
        return _cut_items(raw, path, cut)
    cut[path] = data
    return Raw(b"null")


def _cut_object(raw: Raw, places: Places, path: str, cut: dict[str, bytes], cuts: Cuts) -> Raw:
    members = _members.decode(raw)
    _same(raw, _encoder.encode(members))
    for name, place in places.items():
        if name in members:
            members[name] = _cut(members[name], place, f"{path}/{name}", cut, cuts)
    return Raw(_encoder.encode(members))


def _cut_array(raw: Raw, places: Places, path: str, cut: dict[str, bytes], cuts: Cuts) -> Raw:
    items = _items.decode(raw)
    if len(items) > PARTS_MAX:
        return _cut_items(raw, path, cut)
    _same(raw, _encoder.encode(items))
    each = places[EACH]
    left = [_cut(item, each, f"{path}/{n}", cut, cuts) for n, item in enumerate(items)]
    return Raw(_encoder.encode(left))


def _cut_members(raw: Raw, path: str, cut: dict[str, bytes]) -> Raw:
    members = list(_members.decode(raw).items())
    together = _together(len(members))
    groups = [
        _encoder.encode(dict(members[at : at + together]))
        for at in range(0, len(members), together)
    ]
    return _cut_groups(raw, groups, path, cut)


def _cut_items(raw: Raw, path: str, cut: dict[str, bytes]) -> Raw:
    items = _items.decode(raw)
    together = _together(len(items))
    groups = [_encoder.encode(items[at : at + together]) for at in range(0, len(items), together)]
    return _cut_groups(raw, groups, path, cut)


def _cut_groups(raw: Raw, groups: list[bytes], path: str, cut: dict[str, bytes]) -> Raw:
    hole = b"{}" if groups[0][:1] == b"{" else b"[]"
    _same(raw, around(hole, groups))
    cut.update({f"{path}/{n}": group for n, group in enumerate(groups)})
    return Raw(hole)


def _together(count: int) -> int:
    """How many share a part: a power of two, so that a growing list keeps its early parts."""
    together = 1
    while count > together * PARTS_MAX:
        together *= 2
    return together


def _same(raw: Raw, again: bytes) -> None:
    if bytes(raw) != again:
        raise _NotPlain

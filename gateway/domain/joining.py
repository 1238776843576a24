"""Joining what `content` cut: to the byte, or as values.

Apart from cutting, because one event after another is read: what they repeat is put together once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

# What one reader remembers. It begins anew beyond this, so that a long run is not held.
REMEMBERED_BYTES: Final = 16 * 1024 * 1024
# Roughly what a name in a tree takes, and how much more values take than their bytes.
NAME_BYTES: Final = 128
VALUE_TIMES: Final = 8

_encoder = msgspec.json.Encoder()
_members = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_values = msgspec.json.Decoder()

_UNREAD: Final = object()

Parts = Mapping[str, bytes]
_Steps = dict[str, "_Steps | str"]


class _Holes:
    """A place with holes: what fills each of them is a part by its name, or has holes itself."""

    __slots__ = ("below", "names")

    def __init__(self, below: dict[str, _Holes | str], names: tuple[str, ...]) -> None:
        self.below = below
        self.names = names


class _Tree:
    """What parts of these names make: `whole` are to be shown, `holes` those of them with holes.

    `lost` are parts whose whole is not there.
    """

    __slots__ = ("holes", "lost", "whole")

    def __init__(self, whole: tuple[str, ...], holes: dict[str, _Holes], lost: list[str]) -> None:
        self.whole = whole
        self.holes = holes
        self.lost = lost


class Joining:
    """Joins the parts of many events of one project. For one thread at a time.

    Parts whose whole is not there belong to nothing and are left out. Where a part is missing, the
    hole stays. Equal parts give the same values, not equal ones: nobody may change what is read.
    """

    def __init__(self, remembered_bytes: int = REMEMBERED_BYTES) -> None:
        self._most = remembered_bytes
        self._size = 0
        self._trees: dict[tuple[str, ...], _Tree] = {}
        # Events that grow have other names each, and most of their places in common.
        self._places: dict[tuple[str, tuple[str, ...]], _Holes] = {}
        self._filled: dict[tuple[Any, ...], bytes] = {}
        self._read: dict[bytes, Any] = {}
        self._together: dict[tuple[Any, ...], Any] = {}

    def join(self, parts: Parts) -> dict[str, bytes]:
        """To the byte. Raises ValueError when the parts do not fit together."""
        tree = self._tree(parts)
        whole = {name: parts[name] for name in tree.whole}
        for name, holes in tree.holes.items():
            try:
                whole[name] = self._fill(whole[name], holes, parts)
            except (LookupError, ValueError, msgspec.MsgspecError) as error:
                raise ValueError(f"the parts of {name!r} do not fit together") from error
        return whole

    def values(self, parts: Parts) -> dict[str, Any]:
        """What the joined bytes say; what is not JSON as text. Raises ValueError like `join`."""
        tree = self._tree(parts)
        try:
            return {
                name: self._put(_values.decode(parts[name]), tree.holes[name], parts)
                if name in tree.holes
                else self._shown(parts[name])
                for name in tree.whole
            }
        except (LookupError, TypeError, ValueError, msgspec.MsgspecError):
            # What stands there alone may stand otherwise in its whole: the bytes tell.
            return {name: self._shown(data) for name, data in self.join(parts).items()}

    def lost(self, parts: Parts) -> list[str]:
        """The names of parts whose whole is not there."""
        return self._tree(parts).lost

    def _fill(self, data: bytes, holes: _Holes, parts: Parts) -> bytes:
        if data in (b"{}", b"[]"):
            return around(data, [parts[name] for name in _groups(holes)])
        if data[:1] == b"{":
            members = _members.decode(data)
            for step, below in holes.below.items():
                members[step] = self._filling(members[step], below, parts)
            return _encoder.encode(members)
        items = _items.decode(data)
        for step, below in holes.below.items():
            items[int(step)] = self._filling(items[int(step)], below, parts)
        return _encoder.encode(items)

    def _filling(self, hole: Raw, below: _Holes | str, parts: Parts) -> Raw:
        if isinstance(below, str):
            return Raw(parts[below])
        data = bytes(hole)
        key = (below, data, *[parts[name] for name in below.names])
        found = self._filled.get(key)
        if found is None:
            found = self._filled[key] = self._fill(data, below, parts)
            self._size += len(data) + len(found) + len(key) * NAME_BYTES
        return Raw(found)

    def _put(self, value: Any, holes: _Holes, parts: Parts) -> Any:
        """The same with a value, which is filled where it stands."""
        if not value:
            return self._put_together(value, holes, parts)
        if isinstance(value, dict):
            for step, below in holes.below.items():
                value[step] = self._putting(value[step], below, parts)
        else:
            for step, below in holes.below.items():
                value[int(step)] = self._putting(value[int(step)], below, parts)
        return value

    def _putting(self, hole: Any, below: _Holes | str, parts: Parts) -> Any:
        if isinstance(below, str):
            return self._value(parts[below])
        return self._put(hole, below, parts)

    def _put_together(self, value: Any, holes: _Holes, parts: Parts) -> Any:
        key = (holes, *[parts[name] for name in holes.names])
        found = self._together.get(key)
        if found is None:
            groups = [self._value(parts[name]) for name in _groups(holes)]
            if not all(group and type(group) is type(value) for group in groups):
                raise TypeError("what is there has no room for these groups")
            found = self._together[key] = (
                {name: each for group in groups for name, each in group.items()}
                if isinstance(value, dict)
                else [each for group in groups for each in group]
            )
            self._size += NAME_BYTES * (len(key) + len(found))
        return found

    def _shown(self, data: bytes) -> Any:
        try:
            return self._value(data)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return data.decode("utf-8", "replace")

    def _value(self, data: bytes) -> Any:
        found = self._read.get(data, _UNREAD)
        if found is _UNREAD:
            found = self._read[data] = _values.decode(data)
            self._size += VALUE_TIMES * len(data) + NAME_BYTES
        return found

    def _tree(self, parts: Parts) -> _Tree:
        if self._size > self._most:
            self._forget()
        names = tuple(parts)
        found = self._trees.get(names)
        if found is None:
            found = self._trees[names] = self._grown(names)
            self._size += NAME_BYTES * len(names)
        return found

    def _forget(self) -> None:
        self._size = 0
        for remembered in (self._trees, self._places, self._filled, self._read, self._together):
            remembered.clear()

    def _grown(self, names: tuple[str, ...]) -> _Tree:
        whole = tuple(name for name in names if "/" not in name)
        steps = _by_steps(names)
        lost = [name for name in steps if name not in whole]
        holes = {name: self._holes(name, steps[name]) for name in whole if name in steps}
        return _Tree(whole, holes, lost)

    def _holes(self, place: str, steps: _Steps | str) -> _Holes:
        assert not isinstance(steps, str)
        below: dict[str, _Holes | str] = {
            step: deeper if isinstance(deeper, str) else self._holes(f"{place}/{step}", deeper)
            for step, deeper in steps.items()
        }
        names: list[str] = []
        for each in below.values():
            names += (each,) if isinstance(each, str) else each.names
        return self._places.setdefault((place, tuple(names)), _Holes(below, tuple(names)))


def around(hole: bytes, groups: list[bytes]) -> bytes:
    """Groups joined into one object or array: each without its own brackets."""
    return hole[:1] + b",".join([group[1:-1] for group in groups]) + hole[1:]


def _groups(holes: _Holes) -> list[str]:
    """The parts of one object or array in order."""
    found = (holes.below[step] for step in sorted(holes.below, key=int))
    return [name for name in found if isinstance(name, str)]


def _by_steps(names: tuple[str, ...]) -> _Steps:
    """The names with a slash, by their steps."""
    found: _Steps = {}
    for name in names:
        *steps, last = name.split("/")
        if not steps:
            continue
        below = found
        for step in steps:
            deeper = below.setdefault(step, {})
            below = {} if isinstance(deeper, str) else deeper
        below[last] = name
    return found

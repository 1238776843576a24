"""What a retried attempt tells that the first one did not.

A retry is answered from the record, and mostly it is the same request to the byte. What it carries
besides is remembered like anything else that is observed. Which is which is known by this process
alone: after a restart a retry may be recorded again, which its `client_seq` shows; lost is nothing.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from gateway.domain.check import ActionCheck, ContextItem
from gateway.domain.observations import ContextSeen, Observation

CHECKS_MAX = 2_000
PIECES_MAX = 50_000

_encoder = msgspec.msgpack.Encoder()
_NOTHING: frozenset[int] = frozenset()


class Told:
    """What the newest checks carried, by decision event: a hash of each piece, no content."""

    def __init__(self, checks_max: int = CHECKS_MAX, pieces_max: int = PIECES_MAX) -> None:
        self._checks_max = checks_max
        self._pieces_max = pieces_max
        self._told: OrderedDict[str, frozenset[int]] = OrderedDict()
        self._pieces = 0

    def put(self, event_id: str, check: ActionCheck) -> None:
        """Call it once what the check carried is durable. A retry adds to the first attempt."""
        pieces = frozenset(map(_hash, (*check.events, *check.context)))
        before = self._told.pop(event_id, _NOTHING)
        self._told[event_id] = pieces | before
        self._pieces += len(pieces | before) - len(before)
        while len(self._told) > self._checks_max or self._pieces > self._pieces_max:
            self._pieces -= len(self._told.popitem(last=False)[1])

    def news(self, event_id: str, check: ActionCheck) -> list[Observation]:
        """The observations of a retry that no attempt told before; new context is one, too."""
        told = self._told.get(event_id, _NOTHING)
        seen = [
            ContextSeen(id=item.id, source=item.source, trusted=item.trusted, text=item.text)
            for item in check.context
            if isinstance(item.text, str) and _hash(item) not in told
        ]
        return [*(event for event in check.events if _hash(event) not in told), *seen]


def _hash(piece: Observation | ContextItem) -> int:
    """Of all its fields. Keyed anew in every process, so that nobody can aim at another's."""
    return hash(_encoder.encode(piece))

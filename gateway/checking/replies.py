"""Replies of the last minute, so that a retried request is answered without reading anything."""

from __future__ import annotations

from collections import OrderedDict

from gateway.domain.reply import CheckReply

REMEMBERED = 2_000


class Replies:
    """The newest replies by decision event. A reply enters once its decision is durable."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._replies: OrderedDict[str, CheckReply] = OrderedDict()

    def put(self, event_id: str, reply: CheckReply) -> None:
        self._replies[event_id] = reply
        if len(self._replies) > self._remembered:
            self._replies.popitem(last=False)

    def get(self, event_id: str) -> CheckReply | None:
        return self._replies.get(event_id)

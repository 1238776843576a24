"""Replies of the last minute, so that a retried request is answered without reading anything."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from gateway.domain.reply import CheckReply

_encoder = msgspec.json.Encoder()

REMEMBERED = 2_000
CHARS_MAX = 4_096


class Replies:
    """The newest replies by decision event. A reply enters once its decision is durable.

    A large one does not enter: arguments and reasons can hold what an agent sent, and so can
    thousands of them. It is read back from the record.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._replies: OrderedDict[str, CheckReply] = OrderedDict()

    def put(self, event_id: str, reply: CheckReply) -> None:
        if reply.arguments is not None or _chars(reply) > CHARS_MAX:
            return
        self._replies[event_id] = reply
        if len(self._replies) > self._remembered:
            self._replies.popitem(last=False)

    def get(self, event_id: str) -> CheckReply | None:
        return self._replies.get(event_id)


def _chars(reply: CheckReply) -> int:
    said = sum(
        len(word.reason) + len(word.suggestion or "") + sum(map(len, word.fields))
        for word in reply.reasons
    )
    return said if reply.assessment is None else said + len(_encoder.encode(reply.assessment))

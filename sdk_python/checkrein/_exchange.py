"""One question to the gateway, with at most one retry, all inside one deadline.

Retried are failed connections and 429 or 503 with a `Retry-After` that still fits. The body stays
the same to the byte, attempt id included, so the gateway never judges it twice.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from checkrein._breaker import Breaker
from checkrein._flow import Flow, Pause, Send
from checkrein._http import Answer, Outgoing
from checkrein._trouble import Trouble, Unreachable

if TYPE_CHECKING:
    from checkrein._wire import Wire

JITTER_SECONDS = 0.02
# Of its own: what the agent seeded is the agent's.
_chance = random.Random()  # noqa: S311 - guards nothing


def exchange(wire: Wire, breaker: Breaker, outgoing: Outgoing, deadline: float) -> Flow[Answer]:
    """The answer, before `deadline` (a moment of time.monotonic()). Raises `Trouble`."""
    answer, failure, wait = yield from _once(wire, breaker, outgoing, deadline)
    if wait is not None and time.monotonic() + wait < deadline:
        yield Pause(wait)
        answer, failure, _ = yield from _once(wire, breaker, outgoing, deadline)
    if answer is None:
        raise failure or Unreachable("no answer")
    return answer


def _once(
    wire: Wire, breaker: Breaker, outgoing: Outgoing, deadline: float
) -> Flow[tuple[Answer | None, Trouble | None, float | None]]:
    """An answer or a failure, and after how many seconds another try makes sense."""
    if not breaker.allows():
        return None, Unreachable("not asked, after repeated failures"), None
    try:
        answer: Answer = yield Send(wire, outgoing, deadline)
    except Trouble as trouble:
        breaker.failed()
        again = isinstance(trouble, Unreachable) and trouble.retry
        jitter = JITTER_SECONDS * _chance.uniform(0.5, 1.0)
        return None, trouble, jitter if again else None
    # 429 and 503 are words of a gateway that lives.
    if answer.status >= 500 and answer.status != 503:
        breaker.failed()
    else:
        breaker.succeeded()
    return answer, None, answer.retry_after if answer.status in {429, 503} else None

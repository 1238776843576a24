"""What is sent in the background: results, events, gap records. Bounded, and its losses counted.

One daemon thread sends item by item. While the gateway is away it waits longer and longer, from
half a second to half a minute. When the box is full the oldest item goes, and `dropped` says so.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from checkrein._http import Outgoing
from checkrein._trouble import Trouble

if TYPE_CHECKING:
    from checkrein._wire import Wire

MAX_ITEMS = 1000
MAX_BYTES = 8 * 1024 * 1024
SEND_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# Of its own: what the agent seeded is the agent's.
_chance = random.Random()  # noqa: S311 - spreads clients, guards nothing
# Answers that say "later": the key may be mended, the gateway may come back.
LATER = frozenset({401, 403, 408, 425, 429})


class Item(NamedTuple):
    """One POST. Its ticket says where in the queue it stands."""

    path: str
    body: bytes
    ticket: int = 0


class Outbox:
    """`counts` has queued, delivered, refused (the gateway will not have it) and dropped."""

    def __init__(
        self, wire: Wire, *, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._wire = wire
        self._max_items, self._max_bytes = max_items, max_bytes
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._sending: Item | None = None
        self._failures = 0
        self._failed_in_all = 0
        self._hurry = False
        self._thread: threading.Thread | None = None
        self.counts: Counter[str] = Counter()

    def put(self, path: str, body: bytes) -> int:
        """Queue a POST; never blocks, never raises. Returns its ticket."""
        with self._changed:
            self.counts["queued"] += 1
            ticket = self.counts["queued"]
            self._add(Item(path, body, ticket))
            self._start()
            self._changed.notify_all()
            return ticket

    def owes(self, ticket: int) -> bool:
        """Whether the item of this ticket, or one before it, is still on its way."""
        with self._changed:
            oldest = self._sending or (self._items[0] if self._items else None)
            return self._failures == 0 and oldest is not None and oldest.ticket <= ticket

    def waiting(self) -> int:
        """Items that are not delivered yet."""
        return len(self._items) + (self._sending is not None)

    def flush(self, timeout: float) -> bool:
        """Wait until everything is delivered; gives up early when the gateway is away."""
        end = time.monotonic() + timeout
        with self._changed:
            failed_before = self._failed_in_all
            while self.waiting() and self._failed_in_all == failed_before:
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._hurry = True
                self._changed.notify_all()
                if self._start():
                    self._changed.wait(left)
                else:
                    self._step_unlocked()
            self._hurry = False
            return not self.waiting()

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._items)
                if self._failures and not self._hurry:
                    self._changed.wait_for(lambda: self._hurry, self._pause())
                self._step_unlocked()

    def _step_unlocked(self) -> None:
        """Send the oldest item. Called with the lock held; lets it go while sending."""
        item = self._sending = self._items.popleft()
        self._bytes -= len(item.body)
        self._changed.release()
        try:
            outcome = self._send(item)
        finally:
            self._changed.acquire()
            self._sending = None
        if outcome == "later":
            self._failures += 1
            self._failed_in_all += 1
            self._hurry = False
            self._add(item, back=True)
        else:
            self._failures = 0
            self.counts[outcome] += 1
        self._changed.notify_all()

    def _send(self, item: Item) -> str:
        try:
            answer = self._wire.send_here(
                Outgoing("POST", item.path, item.body), time.monotonic() + SEND_SECONDS
            )
        except Trouble:
            return "later"
        except Exception:  # noqa: BLE001 - one odd item must not end the thread
            return "refused"
        if answer.status >= 500 or answer.status in LATER:
            return "later"
        return "delivered" if answer.status < 300 else "refused"

    def _add(self, item: Item, *, back: bool = False) -> None:
        (self._items.appendleft if back else self._items.append)(item)
        self._bytes += len(item.body)
        while len(self._items) > self._max_items or self._bytes > self._max_bytes:
            oldest = self._items.popleft()
            self._bytes -= len(oldest.body)
            self.counts["dropped"] += 1

    def _pause(self) -> float:
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        return longest * _chance.uniform(0.5, 1.0)

    def _start(self) -> bool:
        """Whether the thread runs; at the end of the interpreter none can be started."""
        if self._thread is not None and self._thread.is_alive():
            return True
        self._thread = threading.Thread(target=self._run, name="checkrein-outbox", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
        return self._thread is not None

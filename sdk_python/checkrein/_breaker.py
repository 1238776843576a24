"""A circuit breaker: after five failures in ten seconds, stop asking for two.

Then one call may try (half-open); its success closes the breaker, its failure keeps it open. A
probe that never reports back, because it was cancelled, only delays the next one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

FAILURES = 5
WINDOW = 10.0
PAUSE = 2.0


class Breaker:
    """Shared by all threads of a process. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Whether the gateway may be asked now; while open, true for one probe a pause."""
        with self._lock:
            now = self._clock()
            if self._open_until is None:
                return True
            if now < self._open_until:
                return False
            self._open_until = now + PAUSE
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures.clear()
            self._open_until = None

    def failed(self) -> None:
        with self._lock:
            now = self._clock()
            self._failures.append(now)
            full = len(self._failures) == FAILURES and now - self._failures[0] <= WINDOW
            if full or self._open_until is not None:
                self._open_until = now + PAUSE

"""Whether the journal is worth asking: a dead one must not cost every check its whole deadline."""

from __future__ import annotations

from collections import deque
from typing import Final

from gateway.ambient import Ambient

FAILURES: Final = 3
WINDOW_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.5

RunKey = tuple[str, str]


class Breaker:
    """Open for a pause after three failures in two seconds; then one may try, and its outcome
    decides. One that never tells its outcome only delays the next try.

    When all three were of one run it is open for that run alone: a run whose key was destroyed,
    say, fails for ever, and must not close the journal to others.
    """

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient
        self._failures: deque[tuple[float, RunKey]] = deque(maxlen=FAILURES)
        self._open_until: float | None = None
        self._only: RunKey | None = None

    @property
    def is_open(self) -> bool:
        """Whether the journal was away for everybody when it was last asked."""
        return self._open_until is not None and self._only is None

    def refuses(self, run: RunKey) -> bool:
        """Whether the journal is not to be asked now. While open, one a pause may ask."""
        if self._open_until is None or (self._only is not None and run != self._only):
            return False
        now = self._ambient.monotonic()
        if now < self._open_until:
            return True
        self._open_until = now + PAUSE_SECONDS
        return False

    def answered(self) -> None:
        if self._failures:
            self._failures.clear()
            self._open_until = None

    def failed(self, run: RunKey) -> None:
        now = self._ambient.monotonic()
        self._failures.append((now, run))
        many = len(self._failures) == FAILURES and now - self._failures[0][0] <= WINDOW_SECONDS
        if many or self._open_until is not None:
            self._open_until = now + PAUSE_SECONDS
            runs = {each for _, each in self._failures}
            self._only = run if len(runs) == 1 else None

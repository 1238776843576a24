"""Gaps: guarded calls that ran without a decision. Counted, logged once a minute, recorded later.

The first failure also says what to do next, once a process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from checkrein._fail_mode import describe
from checkrein._settings import Settings
from checkrein._trouble import Trouble

log = logging.getLogger("checkrein")
MINUTE = 60.0


class Gaps:
    """Counts and talks; `counts` has `ran` and `denied` calls without a decision."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said_hint = False
        self._said_at: float | None = None
        self._since = 0
        self.counts: Counter[str] = Counter()

    def tell(self, settings: Settings, tool: str, why: Exception, *, ran: bool) -> None:
        """Count one call without a decision, and say so if nothing was said for a minute."""
        with self._lock:
            self.counts["ran" if ran else "denied"] += 1
            self._since += 1
            now = self._clock()
            quiet = self._said_at is not None and now - self._said_at < MINUTE
            if quiet and self._said_hint:
                return
            count, self._since, self._said_at = self._since, 0, now
            hint = "" if self._said_hint else _hint(settings, why)
            self._said_hint = True
        done = "ran unchecked" if ran else "was not run"
        more = f" ({count} calls since the last such line)" if count > 1 else ""
        log.warning(
            "Tool %s %s in %s: %s%s%s",
            tool[:256],
            done,
            settings.environment,
            describe(why),
            more,
            hint,
        )


def _hint(settings: Settings, why: Exception) -> str:
    if isinstance(why, Trouble) and why.hint:
        return f" {why.hint}"
    if isinstance(why, Trouble) and why.kind != "unreachable":
        return ""
    missing = " and CHECKREIN_API_KEY" if settings.api_key is None else ""
    return (
        f" No gateway answered at {settings.url}. Start one with `checkrein up` "
        f'(pip install "checkrein[gateway]") and export CHECKREIN_URL{missing} as it prints them.'
    )

"""What a process has once: settings, the wire, the breaker, the outbox, the counters.

Made from the environment when the first guarded call needs it, so that no `init()` is needed. A
forked child starts with its own: sockets, locks and threads of the parent are useless there, and
what was queued is the parent's to send.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from typing import Any

from checkrein import _replaying
from checkrein._breaker import Breaker
from checkrein._gaps import Gaps
from checkrein._masking import Masker
from checkrein._outbox import Outbox
from checkrein._settings import Settings, load

EXIT_SECONDS = 2.0
log = logging.getLogger("checkrein")


class Runtime:
    """The collaborators of every guarded call in this process."""

    def __init__(self, settings: Settings) -> None:
        from checkrein._wire import Wire  # noqa: PLC0415 - loads the HTTP client, 45 ms

        self.settings = settings
        self.wire = Wire(settings)
        self.breaker = Breaker()
        self.outbox = Outbox(self.wire)
        self.gaps = Gaps()
        self.masker = self.new_masker()
        # The mode that the last decision was made in: what this environment really does.
        self.mode = ""
        # (run, tool, digest of arguments) -> (run id, action id, approval id), used once
        self.granted: dict[tuple[str, str, str], tuple[str, str, str]] = {}

    def new_masker(self) -> Masker:
        """A masker with a fresh key."""
        return Masker(on=self.settings.redaction != "off")


_runtime: Runtime | None = None
_settings: Settings | None = None
_inherited: list[object] = []
_lock = threading.Lock()


def current() -> Runtime:
    """The runtime, made on first use."""
    if _runtime is not None:
        return _runtime
    return _make(*((_settings, []) if _settings is not None else load(os.environ)))


def init(
    *,
    url: str | None = None,
    api_key: str | None = None,
    environment: str | None = None,
    agent: str | None = None,
    deadline: float | None = None,
    on_unavailable: str | None = None,
    redaction: str | None = None,
    capture: str | None = None,
) -> None:
    """Set what the environment does not say; optional. Raises ValueError naming what is wrong.

    `deadline` is in seconds for a whole check; `on_unavailable` is allow, deny or allow_reads;
    `redaction` is standard or off; `capture` is full or digest.
    """
    given: dict[str, Any] = {
        "url": url,
        "api_key": api_key,
        "environment": environment,
        "agent": agent,
        "deadline": deadline,
        "on_unavailable": on_unavailable,
        "redaction": redaction,
        "capture": capture,
    }
    settings, problems = load(os.environ, **given)
    if problems:
        raise ValueError("; ".join(problems))
    _make(settings, [], replace=True)


def exchange(other: Runtime | None) -> Runtime | None:
    """Put another runtime in the place of the one that is, and return that."""
    global _runtime
    with _lock:
        _runtime, former = other, _runtime
    return former


def flush(timeout: float = EXIT_SECONDS) -> bool:
    """Send what waits in the background; true when everything has arrived within `timeout` s."""
    return _runtime is None or _runtime.outbox.flush(timeout)


def stats() -> dict[str, int]:
    """Counters of this process.

    queued, delivered, refused, dropped, waiting: reports in the background. gaps: calls that ran
    without a decision. denied: calls that did not run for want of one.
    """
    runtime = current()
    counts = runtime.outbox.counts
    return {
        **{name: counts[name] for name in ("queued", "delivered", "refused", "dropped")},
        "waiting": runtime.outbox.waiting(),
        "gaps": runtime.gaps.counts["ran"],
        "denied": runtime.gaps.counts["denied"],
    }


def _make(settings: Settings, problems: list[str], *, replace: bool = False) -> Runtime:
    global _runtime  # noqa: PLW0603 - the one process-wide value
    with _lock:
        if _runtime is None or replace:
            if _runtime is not None:
                _runtime.outbox.flush(EXIT_SECONDS)
                _runtime.wire.close()
            replaying = _replaying.active
            _runtime = replaying.runtime(settings) if replaying else Runtime(settings)
            for problem in problems:
                log.warning("Checkrein setting not understood: %s", problem)
        return _runtime


def _at_exit() -> None:
    if _runtime is not None and _runtime.outbox.waiting():
        _runtime.outbox.flush(EXIT_SECONDS)


def _after_fork() -> None:
    global _runtime, _settings, _lock  # noqa: PLW0603 - the process-wide values
    if _runtime is not None:
        _settings = _runtime.settings
    # Kept, not closed: closing would speak on the parent's connections.
    _inherited.append(_runtime)
    _runtime, _lock = None, threading.Lock()
    loops = sys.modules.get("checkrein._wire_async")
    if loops is not None:
        loops.forget()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)

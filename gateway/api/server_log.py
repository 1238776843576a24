"""What the HTTP server says, as structured lines like all others.

It logs by the standard library, a plain line for each request that cannot be parsed, so anybody
who reaches the port could fill the disk. Those are counted, and told at most once a minute.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Final

from gateway.telemetry import Metrics, logger

UNPARSABLE: Final = "Invalid HTTP request received."
QUIET_SECONDS: Final = 60.0
SAID_CHARS: Final = 200
_NAMES: Final = ("uvicorn", "uvicorn.error")


class ServerLog(logging.Handler):
    """Hears the server. The text of an exception may quote what was sent: it stays out."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._metrics = metrics
        self._monotonic = monotonic
        self._log = logger("http")
        self._untold = 0
        self._quiet_until = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == UNPARSABLE:
            self._count()
            return
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__)[-6:] if error is not None else ()
        self._log.log(
            record.levelno,
            "server_complained",
            said=record.getMessage().strip()[:SAID_CHARS],
            error=type(error).__name__ if error is not None else None,
            trace=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        )

    def _count(self) -> None:
        self._metrics.unparsable.inc()
        self._untold += 1
        now = self._monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            self._log.warning("requests_unparsable", count=self._untold)
            self._untold = 0


def listen_to_server(metrics: Metrics, monotonic: Callable[[], float]) -> None:
    """Hear the server in this process; give it no log configuration of its own."""
    heard = ServerLog(metrics, monotonic)
    for name in _NAMES:
        server = logging.getLogger(name)
        server.handlers = [heard] if name == _NAMES[0] else []
        server.propagate = name != _NAMES[0]
        server.setLevel(logging.WARNING)

"""Verifying while nothing else is to do: one run after the other, round and round.

A record that was touched is found without anybody asking; the metric says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from gateway.audit.verify import AuditedLedger, OpenSecret, verify_run
from gateway.errors import StorageFailure
from gateway.telemetry import logger
from gateway.worker.recorder import Figures

INTERVAL_SECONDS = 1.0
ROUND_MAX = 100_000

_log = logger("worker")


class Auditor:
    """Verifies one run a step and counts what it finds in the recorder's figures."""

    def __init__(self, ledger: AuditedLedger, open_secret: OpenSecret, figures: Figures) -> None:
        self._ledger = ledger
        self._open_secret = open_secret
        self._figures = figures
        self._left: deque[tuple[str, str]] = deque(maxlen=ROUND_MAX)

    async def step(self) -> int:
        """Verify the next run; 0 when there is none."""
        if not self._left:
            self._left.extend(await self._ledger.all_runs())
        if not self._left:
            return 0
        project_id, run_id = self._left.popleft()
        report = await verify_run(self._ledger, project_id, run_id, self._open_secret)
        self._figures.audited += 1
        # What a run is found by follows from its events and is filed again from them; an earlier
        # release filed otherwise. It says nothing about the record.
        broken = [each for each in report.problems if each.kind != "filed"]
        place = {"project_id": project_id, "run_id": run_id}
        if broken:
            self._figures.broken += 1
            _log.error("chain_broken", **place, problem=str(broken[0])[:300])
        elif report.problems:
            _log.warning("filed_otherwise", **place, problem=str(report.problems[0])[:300])
        return 1

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat at leisure until told to stop."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), INTERVAL_SECONDS)
                return
            try:
                await self.step()
            except StorageFailure as failure:
                _log.warning("audit_failed", problem=str(failure))

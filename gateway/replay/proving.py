"""Proof without being asked: decisions of the record judged again, a few at a time, for ever.

The newest ones and older ones in turn, of every project. What does not come out as it was recorded
is logged by its id, and the share that does is a metric.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from gateway.replay.rejudging import Cursor, Rejudging
from gateway.replay.standing import Judged
from gateway.storage.ports import KeyRecord
from gateway.telemetry import Metrics, logger

INTERVAL_SECONDS: Final = 2.0
A_STEP: Final = 4

Where = tuple[str, str]

_log = logger("proving")


class Keys(Protocol):
    """Who could have asked: the projects and environments of all API keys."""

    async def keys(self) -> Sequence[KeyRecord]: ...


class Proving:
    """Samples the record. `rejudging` should judge one at a time: live checks come first."""

    def __init__(
        self,
        rejudging: Rejudging,
        keys: Keys,
        metrics: Metrics,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._rejudging = rejudging
        self._keys = keys
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._places: Iterator[Where] = iter(())
        self._behind: dict[Where, Cursor] = {}
        self._proven = 0
        self._diverged = 0

    async def step(self) -> int:
        """Judge some decisions of the next project and environment again; how many."""
        where = next(self._places, None)
        if where is None:
            keys = await self._keys.keys()
            self._places = iter(sorted({(each.project_id, each.environment) for each in keys}))
            where = next(self._places, None)
            if where is None:
                return 0
        newest = await self._rejudging.of_range(*where, limit=A_STEP)
        before = self._behind.get(where, newest.cursor)
        judged = newest.judged
        if before is not None:
            older = await self._rejudging.of_range(*where, before=before, limit=A_STEP)
            judged = [*judged, *older.judged]
            if older.cursor is None:
                self._behind.pop(where, None)
            else:
                self._behind[where] = older.cursor
        for each in judged:
            self._count(each)
        return len(judged)

    async def run(self, stop: asyncio.Event) -> None:
        """Repeat `step` at leisure until told to stop."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval_seconds)
                return
            try:
                await self.step()
            # Broad, because a record may be anything, and a gateway that decides must go on.
            except Exception as failure:  # noqa: BLE001
                _log.warning("proving_failed", problem=f"{type(failure).__name__}: {failure}"[:300])

    def _count(self, judged: Judged) -> None:
        self._metrics.proven.labels(judged.standing).inc()
        if judged.standing in ("exact", "redacted-equivalent"):
            self._proven += 1
        elif judged.standing == "diverges":
            self._diverged += 1
            _log.error("decision_diverges", decision_id=judged.decision_id, pointer=judged.pointer)
        if total := self._proven + self._diverged:
            self._metrics.exact_share.set(self._proven / total)

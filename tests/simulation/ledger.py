"""The embedded ledger's own code on a database in memory, without its threads."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

from gateway.domain.run_state import RunState, apply
from gateway.storage.embedded import ledger_reads
from gateway.storage.embedded.ledger_writes import write_slice
from gateway.storage.embedded.migrate import migrate
from gateway.storage.ports import Persist, Reloaded
from tests.contract.appends import PROJECT


class Keys:
    """Secrets wrapped in nothing: what keys are for is tested elsewhere."""

    async def run_secret_wrap(self, project_id: str, user_id: str | None, secret: bytes) -> bytes:
        return secret

    async def run_secret(self, project_id: str, wrapped: bytes) -> bytes:
        return wrapped


class Ledger:
    """The Ledger port, as far as a recorder and a reload need it.

    `told` are the appends by their first event, from which a run is folded again. `pause` stands
    for the time that a transaction takes.
    """

    def __init__(self, told: Mapping[str, Any], pause: Callable[[], Awaitable[None]]) -> None:
        self._told = told
        self._pause = pause
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        _empty().backup(self._connection)
        # Event id -> (run, seq, epoch), in the order in which they were recorded.
        self.recorded: dict[str, tuple[str, int, int]] = {}

    async def record(
        self, batch: Sequence[Persist], secrets: Mapping[tuple[str, str], bytes]
    ) -> int:
        await self._pause()
        self._connection.execute("BEGIN")
        try:
            written = write_slice(self._connection, batch, secrets, math.inf)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        rows = self._connection.execute(
            "SELECT id, run_id, seq, epoch FROM event ORDER BY epoch, seq"
        )
        for event_id, run_id, seq, epoch in rows:
            self.recorded.setdefault(event_id, (run_id, seq, epoch))
        await self._pause()
        return written.recorded

    async def last_seq(self, project_id: str, run_id: str) -> int:
        return ledger_reads.last_seq(self._connection, project_id, run_id)

    async def secret(self, project_id: str, run_id: str) -> bytes | None:
        return ledger_reads.secret(self._connection, project_id, run_id)

    async def reload(self, project_id: str, run_id: str) -> Reloaded | None:
        """The run, folded from what is recorded of it."""
        await self._pause()
        secret = await self.secret(project_id, run_id)
        if secret is None:
            return None
        state = RunState(PROJECT, "production", run_id)
        actions = {}
        state.last_seq = await self.last_seq(project_id, run_id)
        for event_id, (run, _, _) in self.recorded.items():
            if run != run_id:
                continue
            told = self._told.get(event_id)
            for change in told.append.changes if told else ():
                apply(state, change)
                record = change.action or change.closed
                if record is not None:
                    actions[record.action_id] = record
        return Reloaded(state=state, actions=actions, wrapped_secret=secret)

    def close(self) -> None:
        self._connection.close()


@cache
def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "ledger")
    return connection

"""One append, tried until it is written, refused, or out of time.

A try is: the run as it was read last, the decision upon it, one call. Redis answers with what
is different from what the try was built on, and the next try is built on that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.errors import StorageFailure
from gateway.storage.ports import Refused
from gateway.storage.server.redis import rows
from gateway.storage.server.redis.above import NOTHING, Above, Ancestry
from gateway.storage.server.redis.admission import Records, refusal, wanted_actions
from gateway.storage.server.redis.backlog import full
from gateway.storage.server.redis.counters import Counters
from gateway.storage.server.redis.intake import Limits, Prepared, command
from gateway.storage.server.redis.keys import Places
from gateway.storage.server.redis.lane import NotSent
from gateway.storage.server.redis.routes import Routes
from gateway.storage.server.redis.runs import Run, Runs

TRIES_MAX = 40
# From then on the run is leased for the next try.
LEASE_AFTER = 3


class Trying:
    """Appends prepared appends."""

    def __init__(
        self,
        routes: Routes,
        places: Places,
        runs: Runs,
        ancestry: Ancestry,
        counters: Counters,
        limits: Limits,
    ) -> None:
        self._routes = routes
        self._places = places
        self._runs = runs
        self._ancestry = ancestry
        self._counters = counters
        self._limits = limits

    async def append(self, prepared: Prepared) -> int | Refused:
        """The first seq. Raises StorageFailure; OutcomeUnknown when it may have been written."""
        hold = await self._counters.covered(prepared.append)
        if hold is None:
            return Refused("predicate")
        run = self._runs.remembered(prepared.key)
        for number in range(TRIES_MAX):
            if run is None and prepared.append.remembered:
                # What was believed is not even remembered any more.
                return Refused("predicate")
            outcome = await self._try(prepared, run, hold, leases=number >= LEASE_AFTER)
            if isinstance(outcome, int | Refused):
                return outcome
            run = outcome
        raise NotSent("the run changes too fast")

    async def _try(
        self, prepared: Prepared, run: Run | None, hold: str, *, leases: bool
    ) -> int | Refused | Run | None:
        """One try upon `run`; None reads it. The outcome, or what the next try is to build on."""
        append, key = prepared.append, prepared.key
        certain = run is None
        if run is None:
            run = (await self._runs.read(key, append.environment)).run
        records: Records = {}
        wanted = wanted_actions(append, run.state)
        if wanted:
            seen = await self._runs.read(key, append.environment, wanted)
            run, records, certain = seen.run, seen.records, True
        if append.remembered not in (0, run.line):
            # It was believed without asking, and somebody else has written since.
            return Refused("predicate")
        why = refusal(append, run.state, run.known, records)
        if why is not None:
            # Nothing is refused for what may have changed since it was read.
            return Refused(why) if certain else None
        if run.reloaded is not None:
            return await self._runs.bring(key, run, prepared.now_ns)
        above = await self._above(prepared, run)
        if above.halted:
            return Refused("halted")
        await self._runs.content_key(run, append.user_id)
        partition = self._places.of(key)
        packed, after = command(
            prepared, run, records, partition, above, hold, self._limits, leases=leases
        )
        reply = await self._routes.call(partition.slot, packed)
        if isinstance(reply, int):
            return self._written(prepared, after, reply)
        return await self._answered(prepared, reply)

    async def _above(self, prepared: Prepared, run: Run) -> Above:
        """The runs above, of which none may be halted when something is let through."""
        if not prepared.append.allows:
            return NOTHING
        parent = run.state.parent_run_id or prepared.append.parent_run_id
        return await self._ancestry.above(prepared.key, parent)

    def _written(self, prepared: Prepared, after: Run, reply: int) -> int:
        if reply > 0:
            self._runs.keep(prepared.key, after)
        else:
            # These events were there before, with others behind them perhaps.
            self._runs.drop(prepared.key)
        return abs(reply)

    async def _answered(self, prepared: Prepared, reply: Sequence[Any]) -> Refused | Run | None:
        """What a reply means for the next try: the run as it is now, or None to read it."""
        kind = reply[0]
        if kind == b"stale" and reply[1] is not None:
            return self._runs.take(prepared.key, rows.stored(prepared.key, reply[1]))
        if kind == b"stale":
            self._runs.drop(prepared.key)
            return None
        if kind == b"leased":
            await asyncio.sleep(min(int(reply[1]), 200) / 1000)
            return None
        if kind == b"mark":
            partition = self._places.of(prepared.key)
            return Refused("halted") if await self._ancestry.stands(partition, reply[1]) else None
        if kind == b"void":
            return Refused("predicate")
        if kind == b"full":
            raise full(int(reply[1]))
        if kind == b"spread":
            await self._ancestry.spread(prepared.place, prepared.token, reply[1])
            prepared.spread()
            return self._runs.remembered(prepared.key)
        raise StorageFailure(f"Redis answered what nobody asked: {kind!r}")

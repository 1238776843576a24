"""The journal on Redis: see `gateway.storage.ports.Journal` for what it promises.

A run's state lies in Redis as bytes that a gateway wrote, under a version. An append is decided
here, upon the version that was read last, and written by one Function that compares the version
first: another gateway's append in between means reading and deciding again. Nothing that is
remembered here is believed without that comparison.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence

from gateway.ambient import Ambient
from gateway.domain import sealing
from gateway.domain.events import Durability
from gateway.domain.run_state import ActionRecord
from gateway.errors import ConfigInvalid, StorageFailure
from gateway.storage.keyring import Keyring
from gateway.storage.ports import (
    Append,
    Appended,
    Gather,
    Gathered,
    JournalFigures,
    OpenReservation,
    PendingApproval,
    Refused,
    Reloaded,
    RunEntry,
)
from gateway.storage.server.redis.above import Ancestry
from gateway.storage.server.redis.backlog import Backlog
from gateway.storage.server.redis.behind import Behind, Knows, Reload
from gateway.storage.server.redis.counters import HELD_SECONDS, Asked, Counters
from gateway.storage.server.redis.durability import durability
from gateway.storage.server.redis.erasing import erase, scrub
from gateway.storage.server.redis.eviction import Eviction
from gateway.storage.server.redis.functions import PLACED
from gateway.storage.server.redis.intake import Limits, Prepared, prepare
from gateway.storage.server.redis.keys import PARTITIONS, Places, pack
from gateway.storage.server.redis.lane import OutcomeUnknown
from gateway.storage.server.redis.lookups import READ_DEADLINES, Lookups
from gateway.storage.server.redis.order import InOrder
from gateway.storage.server.redis.routes import DEADLINE_SECONDS, Routes
from gateway.storage.server.redis.runs import Run, Runs
from gateway.storage.server.redis.trying import Trying
from gateway.telemetry import logger

HOT_RUNS_MAX = 4096
WAITING_MAX = 500_000
UNKNOWN_MAX = 10_000
TEND_SECONDS = 5.0
# How many deadlines of a call an append waits for those before it in its run.
TURN_DEADLINES = 4
NAMESPACE = "checkrein"

_log = logger("journal")


async def nothing_to_reload(_project_id: str, _run_id: str) -> Reloaded | None:
    """For a journal without a ledger behind it."""
    return None


async def open_journal(
    url: str,
    *,
    keyring: Keyring,
    ambient: Ambient,
    reload: Reload = nothing_to_reload,
    knows: Knows | None = None,
    namespace: str = NAMESPACE,
    partitions: int = PARTITIONS,
    hot_runs_max: int = HOT_RUNS_MAX,
    waiting_max: int = WAITING_MAX,
    seconds: float = DEADLINE_SECONDS,
    held_seconds: int = HELD_SECONDS,
) -> RedisJournal:
    """Connect, load the Functions, and look at the settings of Redis.

    `reload` reads a run from the ledger, where `knows` says that it is there. `seconds` is the
    deadline of each call, `held_seconds` that of a tentative reservation.

    Raises StorageFailure when Redis is away, ConfigInvalid when it must not be used as it is.
    """
    routes = Routes(url, seconds)
    try:
        await routes.open()
        places = await installed(routes, namespace, partitions)
        promised = await durability(routes)
    except BaseException:
        await routes.close()
        raise
    return RedisJournal(
        routes,
        places,
        promised,
        behind=Behind(keyring, reload, knows),
        ambient=ambient,
        hot_runs_max=hot_runs_max,
        waiting_max=waiting_max,
        held_seconds=held_seconds,
    )


async def installed(routes: Routes, namespace: str, partitions: int) -> Places:
    """The places of an installation. Raises ConfigInvalid when it has another number of them."""
    places = Places(namespace, partitions)
    slot, key = places.installation()
    known = await routes.call(slot, pack("HGET", key, "partitions"))
    if known is None:
        await routes.call(slot, pack("HSETNX", key, "partitions", partitions))
        known = await routes.call(slot, pack("HGET", key, "partitions"))
    if int(known) != partitions:
        raise ConfigInvalid(
            f"This Redis was installed with {int(known)} partitions and cannot have {partitions}: "
            "the number is fixed when it is first used."
        )
    return places


class RedisJournal:
    """Made by `open_journal`; any number of gateways share one Redis."""

    def __init__(
        self,
        routes: Routes,
        places: Places,
        promised: Durability,
        *,
        behind: Behind,
        ambient: Ambient,
        hot_runs_max: int,
        waiting_max: int,
        held_seconds: int,
    ) -> None:
        self._routes = routes
        self._places = places
        self._ambient = ambient
        self._generation = routes.generation
        self._runs = Runs(routes, places, behind, ambient, hot_runs_max)
        self._ancestry = Ancestry(routes, places, behind.reload, ambient)
        self._counters = Counters(routes, places, ambient, held_seconds)
        self._lookups = Lookups(routes, places, self._runs)
        self._eviction = Eviction(routes, places, self._runs)
        self._backlog = Backlog(routes, places, ambient, promised, waiting_max)
        self._order = InOrder(TURN_DEADLINES * routes.seconds)
        self._unknown: OrderedDict[str, None] = OrderedDict()
        share = max(1000, 4 * waiting_max // len(places.partitions))
        self._limits = Limits(min(waiting_max, share), sealing.new_secret().hex()[:16].encode())
        self._trying = Trying(
            routes, places, self._runs, self._ancestry, self._counters, self._limits
        )
        self._tending = asyncio.create_task(self._tend())

    async def gather(self, ask: Gather) -> Gathered:
        key = (ask.project_id, ask.run_id)
        self._notice()
        asked = self._counters.ask(key, ask.reservation_id, ask.reserve)
        believed = self._runs.believed(ask) if ask.may_remember else None
        if believed is not None:
            return await self._remembered(ask, believed, asked)
        try:
            remembered = self._runs.remembered(key)
            parent = remembered.state.parent_run_id if remembered else None
            above = await self._ancestry.above(key, parent or ask.parent_run_id)
            actions = (ask.action_id,) if ask.action_id else ()
            seen = await self._runs.read(
                key, ask.environment, actions, above.places, is_new=ask.is_new
            )
            state = seen.run.state
            if state.parent_run_id is not None and not above.places:
                above = await self._ancestry.above(key, state.parent_run_id)
                seen = await self._runs.read(key, ask.environment, actions, above.places)
                state = seen.run.state
            used = await self._counters.answered(ask.reservation_id, asked)
        except BaseException:
            self._counters.forget(ask.reservation_id)
            raise
        action = None
        if ask.action_id:
            action = seen.records.get(ask.action_id) or state.recent.get(ask.action_id)
        return Gathered(
            state=state,
            version=state.last_seq,
            halted=state.halted or above.halted or seen.mark is not None,
            action=action,
            used=used,
            stored_environment=state.environment,
            generation=self._generation,
        )

    async def _remembered(self, ask: Gather, run: Run, asked: Sequence[Asked]) -> Gathered:
        """What a read would answer if nobody else has written to the run, which the append finds
        out. Counters are asked all the same."""
        try:
            used = await self._counters.answered(ask.reservation_id, asked)
        except BaseException:
            self._counters.forget(ask.reservation_id)
            raise
        return Gathered(
            state=run.state,
            version=run.state.last_seq,
            halted=run.state.halted,
            action=None,
            used=used,
            stored_environment=run.state.environment,
            generation=self._generation,
            remembered=run.line,
        )

    async def append(self, append: Append) -> Appended | Refused:
        self._notice()
        if append.gathered_generation not in (None, self._generation):
            # What was seen may be lost with the node that it was on.
            return Refused("predicate")
        await self._backlog.admit(len(append.drafts))
        prepared = prepare(append, self._ambient.now_ns())
        async with self._order.hold(prepared.key):
            first_seq = await self._again(prepared)
            if first_seq:
                return Appended(first_seq, self._backlog.durability)
            try:
                outcome = await self._trying.append(prepared)
            except OutcomeUnknown:
                self._leave_unknown(prepared)
                raise
        if isinstance(outcome, Refused):
            return outcome
        partition = self._places.of(prepared.key)
        self._lookups.remember(append, partition)
        self._counters.appended(append, partition, prepared.first_event.encode())
        return Appended(outcome, self._backlog.durability)

    async def forget(self, reservation_id: str) -> None:
        self._counters.forget(reservation_id)

    async def find_action(
        self, project_id: str, decision_id: str
    ) -> tuple[str, ActionRecord] | None:
        return await self._lookups.action(project_id, decision_id)

    async def locate(self, project_id: str, event_id: str) -> tuple[str, str, str | None] | None:
        return await self._lookups.event(project_id, event_id)

    async def recall(self, project_id: str, run_id: str, event_id: str) -> RunEntry | None:
        return await self._lookups.entry((project_id, run_id), event_id)

    async def last_seq(self, project_id: str, run_id: str) -> int:
        return await self._lookups.last_seq((project_id, run_id))

    async def due_reservations(self, now_ns: int, limit: int) -> Sequence[OpenReservation]:
        return await self._lookups.reservations(now_ns, limit)

    async def due_approvals(self, now_ns: int, limit: int) -> Sequence[PendingApproval]:
        return await self._lookups.approvals(now_ns, limit)

    async def evict_idle(self, idle_before_ns: int, limit: int) -> int:
        return await self._eviction.step(idle_before_ns, limit)

    async def figures(self) -> JournalFigures:
        """At most a second old."""
        return await self._backlog.figures("slow", READ_DEADLINES * self._routes.seconds)

    async def erase(self, project_id: str, run_ids: Sequence[str]) -> None:
        keys = [(project_id, run_id) for run_id in run_ids]
        await erase(self._routes, self._places, keys)
        for key in keys:
            self._runs.drop(key)

    def forget_keys(self) -> None:
        self._runs.forget_keys()

    async def scrub(self) -> Sequence[str]:
        return await scrub(self._routes)

    async def close(self) -> None:
        self._tending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tending
        await self._counters.close()
        await self._routes.close()

    async def tend(self) -> int:
        """Apply moves that were left behind, and look at the settings; return how many moves."""
        moved = await asyncio.gather(*map(self._counters.sweep, self._places.partitions))
        try:
            self._backlog.durability = await durability(self._routes)
            self._backlog.refuses = ""
        except ConfigInvalid as invalid:
            self._backlog.refuses = str(invalid)
        await self._backlog.figures("slow")
        return sum(moved)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                await self.tend()
            except StorageFailure as failure:
                _log.warning("journal_untended", problem=str(failure))

    async def _again(self, prepared: Prepared) -> int:
        """The first seq of an append whose outcome was unknown and that did happen; else 0."""
        event = prepared.first_event
        if event not in self._unknown:
            return 0
        partition = self._places.of(prepared.key)
        first_seq = await self._routes.call(partition.slot, PLACED(partition.keys, event))
        self._unknown.pop(event, None)
        if first_seq:
            self._runs.drop(prepared.key)
            self._lookups.remember(prepared.append, partition)
            self._counters.appended(prepared.append, partition, event.encode())
        return int(first_seq)

    def _leave_unknown(self, prepared: Prepared) -> None:
        """Believe nothing: the append may still come. Then what it holds must be there."""
        self._runs.drop(prepared.key)
        self._counters.leave(prepared.append.reservation_id)
        self._unknown[prepared.first_event] = None
        if len(self._unknown) > UNKNOWN_MAX:
            self._unknown.popitem(last=False)

    def _notice(self) -> None:
        """Forget everything when slots have moved to other nodes: a failover may lose appends."""
        if self._routes.generation != self._generation:
            self._generation = self._routes.generation
            self._runs.clear()
            self._ancestry.clear()
            _log.warning("journal_nodes_changed", generation=self._generation)

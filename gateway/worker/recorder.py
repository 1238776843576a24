"""Recording: from the journal into the ledger, at least once here, exactly once there.

Settling comes after recording. A crash in between hands the claims out again, and the ledger
passes over what it already holds. Nothing that is wrong with one record keeps those behind it
waiting: what cannot be read, or what the ledger refuses again and again, is stored as evidence
of itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from gateway.ambient import Ambient
from gateway.domain.blobs import RunKeys, run_keys
from gateway.domain.instants import rfc3339
from gateway.domain.sealing import SealBroken
from gateway.errors import StorageFailure
from gateway.storage.ports import Claim, Drain, Ledger, Persist
from gateway.telemetry import logger
from gateway.worker.finishing import Finished, Repeated, finish, missing, unreadable
from gateway.worker.sifting import Sifting

BATCH = 256
# So many are stored at once while the next ones are being finished.
AT_ONCE = 256
# After so long no more of a batch is begun: what is left is claimed again, and leases are renewed.
STORE_SECONDS = 2.0
# After so many have been finished, others of this process get their turn: the store among them.
TURN = 8
IDLE_SECONDS = 0.05
# So many at once are traffic: the next ones may gather for as long as the store says.
TRAFFIC = 8
# So many at once are a backlog.
MANY = 1024
BACKOFF_SECONDS = (0.1, 5.0)
# How often the ledger may refuse an event before something else is stored in its place.
REFUSALS = 3
FILLED_MAX = 10_000
KNOWN_RUNS = 4096

Place = tuple[str, str]
OpenSecret = Callable[[str, bytes], Awaitable[bytes]]

_log = logger("worker")


class Figures(Struct):
    """What a worker has done since it began. `lag_seconds` is how old the last batch was.

    `audited` counts verifications of runs, `broken` those that found something. `checkpoints`
    counts what witnesses were told, by witness and outcome; `witnessed_at` is when all of them
    last had seen all there was, in seconds since 1970; 0 before that, -1 where others know.
    """

    recorded: int = 0
    unreadable: int = 0
    missing: int = 0
    lag_seconds: float = 0.0
    audited: int = 0
    broken: int = 0
    checkpoints: dict[str, int] = field(default_factory=dict)
    witnessed_at: float = 0.0

    def since(self, said: Figures) -> Figures:
        """What was done since then. Times are as they are now."""
        done = self.checkpoints.items()
        return Figures(
            recorded=self.recorded - said.recorded,
            unreadable=self.unreadable - said.unreadable,
            missing=self.missing - said.missing,
            lag_seconds=self.lag_seconds,
            audited=self.audited - said.audited,
            broken=self.broken - said.broken,
            checkpoints={name: count - said.checkpoints.get(name, 0) for name, count in done},
            witnessed_at=self.witnessed_at,
        )

    def copy(self) -> Figures:
        """As they are now, while the others go on."""
        return replace(self, checkpoints=dict(self.checkpoints))


class _Known(Struct, frozen=True):
    """A run's secret, wrapped as it is stored, and opened."""

    wrapped: bytes
    keys: RunKeys


class Recorder:
    """Moves events into the ledger. `open_secret` unwraps the secret of a project's run.

    Under traffic events may gather for `gathering_seconds`, where a batch costs the same however
    much it holds.
    """

    def __init__(
        self,
        drain: Drain,
        ledger: Ledger,
        open_secret: OpenSecret,
        ambient: Ambient,
        *,
        batch: int = BATCH,
        at_once: int = AT_ONCE,
        idle_seconds: float = IDLE_SECONDS,
        gathering_seconds: float = 0.0,
    ) -> None:
        self._drain = drain
        self._ledger = ledger
        self._open_secret = open_secret
        self._ambient = ambient
        self._batch = batch
        self._at_once = at_once
        self._idle_seconds = idle_seconds
        self._gathering_seconds = max(gathering_seconds, idle_seconds)
        self._known: OrderedDict[Place, _Known] = OrderedDict()
        self._repeated = Repeated()
        self._refusals: dict[tuple[str, str, int], int] = {}
        # Fewer than a batch while the ledger is slow: what is claimed and not stored was in vain.
        self._claiming = batch
        self._more = False
        self.figures = Figures()

    async def run(self, stop: asyncio.Event) -> None:
        """Record until told to stop; the batch in hand is finished first."""
        shortest, longest = BACKOFF_SECONDS
        pause = shortest
        while not stop.is_set():
            try:
                settled = await self.step()
            except StorageFailure as failure:
                _log.warning("recording_failed", problem=str(failure))
                await _sleep(stop, pause)
                pause = min(2 * pause, longest)
                continue
            pause = shortest
            if not self._more:
                traffic = settled >= TRAFFIC
                await _sleep(stop, self._gathering_seconds if traffic else self._idle_seconds)

    async def drain(self, seconds: float = math.inf) -> None:
        """Record all that waits, for so long at most. Raises StorageFailure."""
        stop_at = self._ambient.monotonic() + seconds
        in_vain = 0
        while in_vain <= REFUSALS and self._ambient.monotonic() < stop_at:
            in_vain = 0 if await self.step() else in_vain + 1

    async def step(self) -> int:
        """Record one batch; return how many of the journal's records that settled."""
        asked, self._more = self._claiming, False
        claims = _in_order(await self._drain.claim(asked))
        if not claims:
            self.figures.lag_seconds = 0.0
            return 0
        secrets = await self._learn({(claim.project_id, claim.run_id) for claim in claims})
        sifting = Sifting(self._ledger, secrets)
        stored = await self._store(claims, sifting)
        for refused in sifting.refused:
            if await self._stand_in(refused, secrets):
                stored.append(refused)
        if not stored and sifting.failure is not None:
            raise sifting.failure
        await self._drain.settle([each.claim for each in stored])
        # As many as could be, whether all that were claimed or all for which there was time.
        # A claim also ends where it has enough bytes, so very many are not the last ones either.
        self._more = len(stored) >= min(asked, MANY) or (bool(stored) and self._claiming < asked)
        self._count(stored)
        return len(stored)

    async def _learn(self, places: set[Place]) -> Mapping[Place, bytes]:
        """Make the secrets of these runs known, those that can be opened; return them wrapped."""
        for place in places & self._known.keys():
            self._known.move_to_end(place)
        strangers = places - self._known.keys()
        wrapped = await self._drain.secrets(strangers)
        for place in strangers:
            secret = wrapped.get(place) or await self._ledger.secret(*place)
            if secret is None:
                continue
            with contextlib.suppress(SealBroken):
                opened = await self._open_secret(place[0], secret)
                self._known[place] = _Known(secret, run_keys(opened))
        while len(self._known) > max(KNOWN_RUNS, len(places)):
            self._known.popitem(last=False)
        return {place: self._known[place].wrapped for place in places if place in self._known}

    async def _store(self, claims: Sequence[Claim], sifting: Sifting) -> list[Finished]:
        """Slice after slice in order; while the ledger is at one, the next is finished here."""
        repeated = self._repeated
        repeated.bound()
        stop_at = self._ambient.monotonic() + STORE_SECONDS
        stored: list[Finished] = []
        start, size = 0, self._at_once
        ready = await self._finish(claims[:size], repeated)
        while ready:
            start += size
            late = self._ambient.monotonic() > stop_at
            rest = [] if late else claims[start : start + size]
            done, ready = await asyncio.gather(sifting.store(ready), self._finish(rest, repeated))
            stored += done
        cut = start < len(claims)
        self._claiming = max(size, len(stored)) if cut else min(2 * self._claiming, self._batch)
        return stored

    async def _finish(self, claims: Sequence[Claim], repeated: Repeated) -> list[Finished]:
        now = rfc3339(self._ambient.now_ns())
        finished: list[Finished] = []
        for number, claim in enumerate(claims, 1):
            known = self._known.get((claim.project_id, claim.run_id))
            finished.append(finish(claim, known.keys if known else None, repeated, now))
            if number % TURN == 0:
                await asyncio.sleep(0)
        return finished

    async def _stand_in(self, refused: Finished, secrets: Mapping[Place, bytes]) -> bool:
        """After some refusals, what lets those behind the event follow; whether it was stored."""
        claim = refused.claim
        at = (claim.project_id, claim.run_id, claim.seq)
        self._refusals[at] = self._refusals.get(at, 0) + 1
        if self._refusals[at] < REFUSALS:
            return False
        batch = await self._instead_of(refused)
        try:
            await self._ledger.record(batch, secrets)
        except StorageFailure as failure:
            _log.error("event_stuck", run_id=claim.run_id, seq=claim.seq, problem=str(failure))
            return False
        del self._refusals[at]
        return True

    async def _instead_of(self, refused: Finished) -> list[Persist]:
        """The events missing before a refused one and itself, or its evidence alone.

        A journal's records become visible in order, so what is missing before a record in hand
        has either been recorded or is lost: then its place is filled, and that is said.
        """
        claim = refused.claim
        now = rfc3339(self._ambient.now_ns())
        last = await self._ledger.last_seq(claim.project_id, claim.run_id)
        if claim.seq <= last + 1:
            _log.error("event_refused", run_id=claim.run_id, seq=claim.seq)
            self.figures.unreadable += 1
            return [unreadable(claim, "refused", now).persist]
        lost = range(last + 1, min(claim.seq, last + 1 + FILLED_MAX))
        _log.error("events_missing", run_id=claim.run_id, first=lost[0], last=lost[-1])
        self.figures.missing += len(lost)
        return [*[missing(claim, seq, now) for seq in lost], refused.persist]

    def _count(self, stored: Sequence[Finished]) -> None:
        self.figures.recorded += len(stored)
        for each in stored:
            if each.problem is not None:
                self.figures.unreadable += 1
                place = {"run_id": each.claim.run_id, "seq": each.claim.seq}
                _log.error("event_unreadable", problem=each.problem, **place)
        # The time stands in a record, and a record may say anything.
        with contextlib.suppress(IndexError, ValueError, OverflowError, OSError):
            oldest = datetime.fromisoformat(stored[0].persist.event.recorded_at)
            self.figures.lag_seconds = self._ambient.now_ns() / 1e9 - oldest.timestamp()


def _in_order(claims: Sequence[Claim]) -> list[Claim]:
    """Each claim once, and those of a run by seq, if they were handed out in another order.

    Where a seq was given out twice, the order in which they came is all there is to go by.
    """
    once = list({claim.token: claim for claim in claims}.values())
    places = [(claim.project_id, claim.run_id, claim.seq) for claim in once]
    if len(set(places)) < len(places):
        return once
    return [claim for _, claim in sorted(zip(places, once, strict=True), key=lambda pair: pair[0])]


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, or less when told to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)

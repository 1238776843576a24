"""Many recorded decisions judged again: of a run, of a time range, or one by its id.

A page is bounded, and a few decisions at a time are judged, so that live checks keep the evaluator
to themselves for the most part. Nothing is appended, called or let through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.domain.events import DecisionBody
from gateway.domain.ruleset import Ruleset
from gateway.domain.sealing import SealBroken
from gateway.engines.port import Engine
from gateway.errors import NotFound, PolicyInvalid
from gateway.intent.port import Assessor
from gateway.judging.applicable import RuleIndex
from gateway.replay.held import SHIPPED, HeldVersions
from gateway.replay.opening import Opened, Opening, OpenSecret, read_event
from gateway.replay.openings import Openings
from gateway.replay.rejudge import NotReplayable, recorded, rejudge
from gateway.replay.standing import Judged, Place, lost, stands, without_policy
from gateway.storage.ports import Ledger, StoredEvent

# Decisions judged at the same time.
AT_ONCE: Final = 16
# Events of a run read at once, in search of its decisions.
EVENTS_PAGE: Final = 256

Find = Callable[[str], Awaitable[Ruleset]]
Cursor = tuple[str, str]

_bodies: Final = msgspec.json.Decoder(DecisionBody)


class RunPage(Struct, frozen=True):
    """Decisions of a run in order. Go on behind seq `after`, None when there are no more."""

    judged: list[Judged]
    after: int | None


class RangePage(Struct, frozen=True):
    """Decisions of many runs, newest first. Go on before `cursor`, None when there are no more."""

    judged: list[Judged]
    cursor: Cursor | None


class _Taken(Struct, frozen=True):
    """A decision's event with its run's wrapped secret. `sealed` are parts that came with it."""

    run_id: str
    stored: StoredEvent
    wrapped: bytes | None
    sealed: Mapping[str, bytes] = {}


class Rejudging:
    """Judges again what the ledger holds. `find` gives a policy version by its digest, or NotFound.

    `under` is the policy to judge under, None for each decision's own.
    """

    def __init__(
        self,
        ledger: Ledger,
        open_secret: OpenSecret,
        engine: Engine,
        find: Find,
        *,
        assessor: Assessor | None = None,
        held: HeldVersions = SHIPPED,
        at_once: int = AT_ONCE,
    ) -> None:
        self._ledger = ledger
        self._open_secret = open_secret
        self._engine = engine
        self._find = find
        self._assessor = assessor
        self._held = held
        self._index = RuleIndex()
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)

    async def version(self, digest: str) -> Ruleset:
        """A policy version to judge under. Raises NotFound, PolicyInvalid."""
        return await self._find(digest)

    async def decision(
        self, project_id: str, decision_id: str, under: Ruleset | None = None
    ) -> Judged | None:
        """One decision, None when the ledger holds none of this id."""
        stored = await self._ledger.event_by_decision(project_id, decision_id)
        if stored is None:
            return None
        event = read_event(stored)
        wrapped = await self._ledger.secret(project_id, event.run_id)
        return (await self._judged(project_id, [_Taken(event.run_id, stored, wrapped)], under))[0]

    async def of_run(
        self,
        project_id: str,
        run_id: str,
        after: int = 0,
        limit: int = 100,
        under: Ruleset | None = None,
        openings: Openings | None = None,
    ) -> RunPage:
        """The decisions of a run behind a seq. Whoever goes on page by page keeps `openings`."""
        wrapped = await self._ledger.secret(project_id, run_id)
        taken: list[_Taken] = []
        more = True
        while more and len(taken) < limit:
            page = await self._ledger.events(project_id, run_id, after, EVENTS_PAGE)
            more = len(page) == EVENTS_PAGE
            for stored in page:
                event = read_event(stored)
                if event.type == "decision":
                    if len(taken) == limit:
                        more = True
                        break
                    taken.append(_Taken(run_id, stored, wrapped))
                after = event.seq
        judged = await self._judged(project_id, taken, under, openings)
        return RunPage(judged, after if more else None)

    async def of_range(
        self,
        project_id: str,
        environment: str,
        since: str | None = None,
        until: str | None = None,
        before: Cursor | None = None,
        limit: int = 100,
        under: Ruleset | None = None,
        openings: Openings | None = None,
    ) -> RangePage:
        """The decisions recorded from `since` on and before `until` (RFC 3339, as recorded)."""
        if before is None and until is not None:
            before = (until, "")
        page = await self._ledger.decisions(project_id, environment, before, limit)
        inside = [each for each in page if since is None or each.cursor[0] >= since]
        taken = [_Taken(each.run_id, each.stored, each.wrapped, each.sealed) for each in inside]
        judged = await self._judged(project_id, taken, under, openings)
        more = len(page) == limit and len(inside) == limit
        return RangePage(judged, page[-1].cursor if more else None)

    async def _judged(
        self,
        project_id: str,
        taken: Sequence[_Taken],
        under: Ruleset | None,
        openings: Openings | None = None,
    ) -> list[Judged]:
        kept = Openings() if openings is None else openings
        runs = await self._runs(project_id, taken, kept)
        sealed = await self._sealed(project_id, taken, runs)
        # Unsealing is the gateway's own work: others go on meanwhile.
        found = await asyncio.to_thread(_opened, taken, runs, sealed)
        kept.trim()
        waiting = iter(enumerate(found))
        judged: dict[int, Judged] = {}

        async def some() -> None:
            for place, opened in waiting:
                judged[place] = await self._one(opened, under)

        await asyncio.gather(*(some() for _ in range(min(self._at_once, len(found)))))
        return [judged[place] for place in range(len(found))]

    async def _one(self, opened: Opened, under: Ruleset | None) -> Judged:
        event = opened.event
        body = _bodies.decode(event.body)
        place = Place(event.run_id, event.seq, event.recorded_at, body)
        async with self._places:
            try:
                record = recorded(opened, body)
                ruleset = under or await self._find(body.policy_digest)
                again = await rejudge(
                    self._engine, ruleset, record, self._assessor, self._held, self._index
                )
            except NotReplayable as failure:
                return lost(place, failure)
            except (NotFound, PolicyInvalid) as failure:
                detail = f"the policy version {body.policy_digest[:12]} cannot be had: {failure}"
                return without_policy(place, detail)
        return stands(place, record, again, own=ruleset.digest == body.policy_digest)

    async def _runs(
        self, project_id: str, taken: Sequence[_Taken], kept: Openings
    ) -> dict[str, Opening]:
        wrapped = {each.run_id: each.wrapped for each in taken}
        return {
            run_id: kept.of((project_id, run_id), await self._secret(project_id, each))
            for run_id, each in wrapped.items()
        }

    async def _sealed(
        self, project_id: str, taken: Sequence[_Taken], runs: Mapping[str, Opening]
    ) -> dict[str, dict[str, bytes]]:
        """The parts that are not known yet, by run."""
        of_run: dict[str, list[StoredEvent]] = {}
        sealed: dict[str, dict[str, bytes]] = {}
        for each in taken:
            of_run.setdefault(each.run_id, []).append(each.stored)
            sealed.setdefault(each.run_id, {}).update(each.sealed)
        wanted = {
            run_id: keys
            for run_id, events in of_run.items()
            if (keys := set(runs[run_id].wanted(events)).difference(sealed[run_id]))
        }
        found = await self._ledger.blobs_of_runs(project_id, wanted) if wanted else {}
        for run_id, parts in found.items():
            sealed[run_id].update(parts)
        return sealed

    async def _secret(self, project_id: str, wrapped: bytes | None) -> bytes | None:
        """The run's secret, None when it was destroyed."""
        try:
            return None if wrapped is None else await self._open_secret(project_id, wrapped)
        except SealBroken:
            return None


def _opened(
    taken: Sequence[_Taken],
    runs: Mapping[str, Opening],
    sealed: Mapping[str, Mapping[str, bytes]],
) -> list[Opened]:
    return [runs[each.run_id].open(each.stored, sealed[each.run_id]) for each in taken]

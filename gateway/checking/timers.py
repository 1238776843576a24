"""What time itself decides: approvals that nobody gave, and reservations that nobody settled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from gateway.ambient import Ambient
from gateway.domain import canonical
from gateway.domain.events import ApprovalExpiredBody, Draft, SettlementBody
from gateway.domain.instants import rfc3339
from gateway.domain.run_state import (
    ActionRecord,
    StateChange,
    awaits,
    change_of_expiry,
    change_of_settlement,
)
from gateway.domain.verdicts import RELEASED
from gateway.errors import Conflict, StorageFailure
from gateway.storage.ports import Append, Gather, Journal, OpenReservation, PendingApproval, Refused
from gateway.telemetry import logger

BATCH_MAX = 100
INTERVAL_SECONDS = 0.5
EVICT_AFTER_NS = 24 * 3600 * 1_000_000_000
SKIP_NS = 60 * 1_000_000_000
SKIPPED_MAX = 10_000

Due = PendingApproval | OpenReservation
_D = TypeVar("_D", PendingApproval, OpenReservation)


class _Round(Struct, frozen=True):
    """How much one look brought about, and whether more may be due at once."""

    done: int = 0
    more: bool = False


class Timers:
    """Expires approvals closed, and settles reservations past their deadline.

    What could not be done is left alone for a minute, so that it never keeps the rest waiting.
    """

    def __init__(self, journal: Journal, ambient: Ambient) -> None:
        self._journal = journal
        self._ambient = ambient
        self._skipped: dict[tuple[str, ...], int] = {}
        self._log = logger("timers")

    async def step(self) -> int:
        """Settle what is due now, at most one batch of each kind; return how many."""
        return sum(each.done for each in await self._rounds())

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not any(each.more for each in await self._rounds()):
                await _sleep(stop, INTERVAL_SECONDS)

    async def _rounds(self) -> list[_Round]:
        return [
            await self._guarded(lambda: self._each(self._journal.due_approvals, self._expire)),
            await self._guarded(lambda: self._each(self._journal.due_reservations, self._settle)),
            await self._guarded(self._evict),
        ]

    async def _guarded(self, work: Callable[[], Awaitable[_Round]]) -> _Round:
        """One kind of work. Whatever breaks it is logged: a loop that ends, ends the gateway."""
        try:
            return await work()
        except Exception as failure:  # noqa: BLE001
            # Broad, because a record that cannot be decoded must not stop the other kinds either.
            self._log.warning("timers_failed", kind=type(failure).__name__, problem=str(failure))
            return _Round()

    async def _evict(self) -> _Round:
        idle_before_ns = self._ambient.now_ns() - EVICT_AFTER_NS
        evicted = await self._journal.evict_idle(idle_before_ns, BATCH_MAX)
        return _Round(evicted, more=evicted == BATCH_MAX)

    async def _each(
        self,
        due: Callable[[int, int], Awaitable[Sequence[_D]]],
        handle: Callable[[_D], Awaitable[bool]],
    ) -> _Round:
        """One batch of what is due and not skipped."""
        now_ns = self._ambient.now_ns()
        self._skipped = {key: until for key, until in self._skipped.items() if until > now_ns}
        found = await due(now_ns, BATCH_MAX + len(self._skipped))
        batch = [item for item in found if _key(item) not in self._skipped][:BATCH_MAX]
        done = 0
        for item in batch:
            try:
                if await handle(item):
                    done += 1
                    continue
            # The run of one may have been erased, which is nothing to the others.
            except (StorageFailure, Conflict) as failure:
                self._log.warning("timer_failed", run_id=item.run_id, problem=str(failure))
            if len(self._skipped) < SKIPPED_MAX:
                self._skipped[_key(item)] = now_ns + SKIP_NS
        return _Round(done, more=done > 0 and len(batch) == BATCH_MAX)

    async def _expire(self, pending: PendingApproval) -> bool:
        """An approval that is still pending at its end means no."""
        place = (pending.project_id, pending.environment, pending.run_id)
        gathered = await self._journal.gather(Gather(*place))
        approval = gathered.state.approvals.get(pending.approval_id)
        if approval is None:
            return False
        asked = await self._journal.gather(Gather(*place, action_id=approval.action_id))
        action = asked.action
        waiting = action if action is not None and awaits(action, approval.id) else None
        released = dict(waiting.reservations) if waiting else {}
        body = ApprovalExpiredBody(approval.id, approval.action_id, approval.decision_id, released)
        change = change_of_expiry(body, action)
        encoded = canonical.encode(body)
        return await self._append(pending, "approval_expired", encoded, change, waiting, released)

    async def _settle(self, open_: OpenReservation) -> bool:
        """In doubt: given back where it could only read, else spent, since it may have happened.

        What waits for an approval is left to the end of that.
        """
        action = open_.action
        if action.status == "asked":
            return False
        released = RELEASED.issuperset(action.side_effects)
        body = SettlementBody(
            action_id=action.action_id,
            decision_id=action.decision_id,
            state="released" if released else "in_doubt",
            released=action.reservations if released else {},
        )
        change = change_of_settlement(body, action)
        encoded = canonical.encode(body)
        return await self._append(open_, "settlement", encoded, change, action, body.released)

    async def _append(
        self,
        due: Due,
        kind: str,
        body: bytes,
        change: StateChange,
        settle: ActionRecord | None,
        released: dict[str, int],
    ) -> bool:
        """Whether it was appended; it is not, when the run has changed since it was read."""
        now = rfc3339(self._ambient.now_ns())
        draft = Draft(
            id=self._ambient.new_id("evt"),
            type=kind,
            occurred_at=now,
            recorded_at=now,
            actor="gateway",
            body=body,
            action_id=settle.action_id if settle else None,
        )
        outcome = await self._journal.append(
            Append(
                project_id=due.project_id,
                environment=due.environment,
                run_id=due.run_id,
                drafts=(draft,),
                changes=(change,),
                settle_action=settle.action_id if settle else None,
                release=released,
            )
        )
        if isinstance(outcome, Refused):
            self._log.info("timer_refused", run_id=due.run_id, kind=kind, why=outcome.why)
            return False
        return True


def _key(due: Due) -> tuple[str, ...]:
    own = due.approval_id if isinstance(due, PendingApproval) else due.action.event_id
    return (due.project_id, due.run_id, own)


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return

"""What time itself decides: approvals that nobody gave, and reservations that nobody settled."""

from __future__ import annotations

import asyncio

from gateway.ambient import Ambient
from gateway.domain import canonical
from gateway.domain.events import ApprovalExpiredBody, Draft, SettlementBody
from gateway.domain.instants import rfc3339
from gateway.domain.run_state import (
    ActionRecord,
    StateChange,
    change_of_expiry,
    change_of_settlement,
)
from gateway.domain.verdicts import SPENDING
from gateway.errors import StorageFailure
from gateway.storage.ports import Append, Gather, Journal, OpenReservation, PendingApproval
from gateway.telemetry import logger

BATCH_MAX = 100
INTERVAL_SECONDS = 0.5
EVICT_AFTER_NS = 24 * 3600 * 1_000_000_000


class Timers:
    """Expires approvals closed, and settles reservations past their deadline."""

    def __init__(self, journal: Journal, ambient: Ambient) -> None:
        self._journal = journal
        self._ambient = ambient
        self._log = logger("timers")

    async def step(self) -> int:
        """Settle what is due now, at most one batch of each kind; return how many."""
        now_ns = self._ambient.now_ns()
        approvals = await self._journal.due_approvals(now_ns, BATCH_MAX)
        for approval in approvals:
            await self._expire(approval)
        reservations = await self._journal.due_reservations(now_ns, BATCH_MAX)
        for reservation in reservations:
            await self._settle(reservation)
        evicted = await self._journal.evict_idle(now_ns - EVICT_AFTER_NS, BATCH_MAX)
        return len(approvals) + len(reservations) + evicted

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                busy = await self.step() == BATCH_MAX
            except StorageFailure as failure:
                self._log.warning("timers_failed", problem=str(failure))
                busy = False
            if not busy:
                await _sleep(stop, INTERVAL_SECONDS)

    async def _expire(self, pending: PendingApproval) -> None:
        """An approval that is still pending at its end means no."""
        gathered = await self._journal.gather(
            Gather(pending.project_id, pending.environment, pending.run_id)
        )
        approval = gathered.state.approvals.get(pending.approval_id)
        if approval is None:
            return
        asked = await self._journal.gather(
            Gather(
                pending.project_id,
                pending.environment,
                pending.run_id,
                action_id=approval.action_id,
            )
        )
        action = asked.action
        holds = action is not None and action.approval_id == approval.id
        released = dict(action.reservations) if holds and action else {}
        body = ApprovalExpiredBody(approval.id, approval.action_id, approval.decision_id, released)
        await self._append(
            pending.project_id,
            pending.environment,
            pending.run_id,
            "approval_expired",
            canonical.encode(body),
            change_of_expiry(body, action),
            action if holds else None,
            released,
        )

    async def _settle(self, open_: OpenReservation) -> None:
        """In doubt: spent where it may have happened, given back where it only read."""
        action = open_.action
        spent = not SPENDING.isdisjoint(action.side_effects)
        body = SettlementBody(
            action_id=action.action_id,
            decision_id=action.decision_id,
            state="in_doubt" if spent else "released",
            released={} if spent else action.reservations,
        )
        await self._append(
            open_.project_id,
            open_.environment,
            open_.run_id,
            "settlement",
            canonical.encode(body),
            change_of_settlement(body, action),
            action,
            body.released,
        )

    async def _append(
        self,
        project_id: str,
        environment: str,
        run_id: str,
        kind: str,
        body: bytes,
        change: StateChange,
        settle: ActionRecord | None,
        released: dict[str, int],
    ) -> None:
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
        await self._journal.append(
            Append(
                project_id=project_id,
                environment=environment,
                run_id=run_id,
                drafts=(draft,),
                changes=(change,),
                settle_action=settle.action_id if settle else None,
                release=released,
            )
        )


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return

"""What hot storage let go of, brought back from the record: runs, actions, recorded replies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain.assessed import last_assessment
from gateway.domain.decision import Decision
from gateway.domain.events import DecisionBody, Event, event_of_decision
from gateway.domain.fold import Folded, PastEvent, extend, fold
from gateway.domain.instants import rfc3339
from gateway.domain.reply import ApprovalRef, CheckReply, reply_of
from gateway.domain.rule_results import Round
from gateway.domain.run_state import ActionRecord, Approval, RunState
from gateway.errors import RecordAway, StorageFailure
from gateway.replay.opening import open_content
from gateway.storage.keyring import Keyring
from gateway.storage.ports import Gather, Journal, Ledger

PAGE = 250
_event = msgspec.json.Decoder(Event)
_body = msgspec.json.Decoder(DecisionBody)
_decision = msgspec.json.Decoder(Decision)
_rounds = msgspec.json.Decoder(tuple[Round, ...])


class _Frame(Struct, frozen=True):
    assessment: dict[str, Any] | None = None


_frame = msgspec.json.Decoder(_Frame)


class Recalling:
    """Reads the ledger for the hot path's rare questions. `journal` is asked first."""

    def __init__(self, ledger: Ledger, keyring: Keyring, base_url: str) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._base_url = base_url
        self.journal: Journal | None = None

    async def run(
        self, project_id: str, run_id: str
    ) -> tuple[RunState, bytes, dict[str, ActionRecord]] | None:
        """A run folded from all its events: state, wrapped secret, actions in order.

        The secret is empty when it was destroyed: the run is known, and nothing can follow.
        """
        secret = await self._ledger.secret(project_id, run_id)
        folded = await self._fold(project_id, run_id)
        if folded is None:
            return None
        # Where a seq was given out twice, the chain goes on behind the newest of them, which need
        # not have the highest seq.
        folded.state.last_seq = await self._ledger.last_seq(project_id, run_id)
        return folded.state, secret or b"", folded.actions

    async def knows(self, project_id: str, decision_id: str) -> bool:
        """Whether a decision is recorded, in the journal or the ledger. Raises StorageFailure;
        RecordAway when it is the ledger that does not answer."""
        event_id = event_of_decision(decision_id)
        if self.journal is not None and await self.journal.locate(project_id, event_id) is not None:
            return True
        with _of_the_record():
            return await self._ledger.event_by_decision(project_id, decision_id) is not None

    async def is_erased(self, project_id: str, run_id: str) -> bool:
        """Whether an erasure of the run is on record. Raises RecordAway."""
        with _of_the_record():
            return await self._ledger.erased(project_id, run_id) is not None

    async def find_action(
        self, project_id: str, decision_id: str
    ) -> tuple[str, ActionRecord] | None:
        """The run and the present record of an action, by any decision that was given for it."""
        # What leaves the journal is in the ledger by then, so looking in this order misses nothing.
        event_id = event_of_decision(decision_id)
        place = await self.journal.locate(project_id, event_id) if self.journal else None
        if place is None:
            stored = await self._ledger.event_by_decision(project_id, decision_id)
            if stored is None:
                return None
            event = _event.decode(stored.record)
            place = (event.run_id, event.environment, event.action_id)
        run_id, environment, action_id = place
        if action_id is None:
            return None
        if self.journal is not None:
            ask = Gather(project_id, environment, run_id, action_id=action_id)
            action = (await self.journal.gather(ask)).action
        else:
            folded = await self._fold(project_id, run_id)
            action = folded.actions.get(action_id) if folded else None
        return None if action is None else (run_id, action)

    async def reply(
        self, project_id: str, run_id: str, record: ActionRecord, approval: Approval | None
    ) -> CheckReply | None:
        """The reply that an action's decision had, from the record of it."""
        found = await self._decision(project_id, run_id, record)
        if found is None:
            return None
        seq, body, decision, assessment = found
        asked = None
        if approval is not None:
            url = f"{self._base_url}/v1/approvals/{approval.id}"
            asked = ApprovalRef(approval.id, url, rfc3339(approval.expires_ns))
        return reply_of(
            decision,
            decision_id=record.decision_id,
            run_id=run_id,
            action_id=record.action_id,
            seq=seq,
            commit=body.policy_commit,
            approval=asked,
            durability="fsync",
            elapsed_ms=0.0,
            assessment=assessment,
        )

    async def _decision(
        self, project_id: str, run_id: str, record: ActionRecord
    ) -> tuple[int, DecisionBody, Decision, dict[str, Any] | None] | None:
        if self.journal is not None:
            entry = await self.journal.recall(project_id, run_id, record.event_id)
            if entry is not None:
                body = _body.decode(entry.draft.body)
                return entry.seq, body, *_said(entry.draft.content)
        with _of_the_record():
            stored = await self._ledger.event_by_decision(project_id, record.decision_id)
            if stored is None:
                return None
            event = _event.decode(stored.record)
            content = await open_content(self._ledger, self._keyring, stored)
        if "decision" not in content:
            return None
        return event.seq, _body.decode(event.body), *_said(content)

    async def _fold(self, project_id: str, run_id: str) -> Folded | None:
        """The run folded page by page: the event loop is free between two."""
        folded: Folded | None = None
        after = 0
        while page := await self._ledger.events(project_id, run_id, after, PAGE):
            events = [_event.decode(stored.record) for stored in page]
            if folded is None:
                folded = fold(project_id, events[0].environment, run_id, ())
            extend(folded, (PastEvent(e.id, e.seq, e.type, bytes(e.body)) for e in events))
            after = events[-1].seq
        return folded


def _said(content: Mapping[str, bytes]) -> tuple[Decision, dict[str, Any] | None]:
    """The decision and its assessment, which is lost when a part of the frame is."""
    decision = _decision.decode(content["decision"])
    if not {"frame", "rounds"} <= content.keys():
        return decision, None
    first = _frame.decode(content["frame"]).assessment
    return decision, last_assessment(first, _rounds.decode(content["rounds"]))


@contextmanager
def _of_the_record() -> Iterator[None]:
    """A failure in here says nothing about the journal."""
    try:
        yield
    except StorageFailure as failure:
        raise RecordAway(str(failure)) from failure

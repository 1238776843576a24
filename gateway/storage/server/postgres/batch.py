"""What a batch of events becomes, given what is stored: places in the chain, rows, projections.

Pure, so that a transaction reads first, works here, and writes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from gateway.audit import chain
from gateway.domain.events import DecisionBody, Event, ResultBody
from gateway.domain.facts import Filed
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import (
    ApprovalClosed,
    ApprovalRow,
    RunRow,
    approval_after,
    counted_amount,
    run_after,
)
from gateway.errors import EventRefused
from gateway.storage.ports import Persist

Place = tuple[str, str]
# The ids of the events that are stored at a seq of a run, one for each epoch.
Taken = dict[tuple[str, str, int], set[str]]
Amounts = dict[tuple[str, str, str], FrameAmount | None]


class Head(Struct, frozen=True):
    """The last event of a run's chain."""

    seq: int
    epoch: int
    hash: str


class Linked(Struct, frozen=True):
    """An event that is new, in its place: chained to the one before."""

    event: Event
    record: bytes
    hash: str
    persist: Persist


class Projected(Struct, frozen=True):
    """What a batch changes besides events: `closed` are approvals it only closes, `filed` is by
    what its runs are found."""

    runs: dict[Place, RunRow]
    approvals: dict[tuple[str, str], ApprovalRow]
    closed: list[tuple[Place, ApprovalClosed]]
    filed: Filed


def place_of(event: Event) -> Place:
    return (event.project_id, event.run_id)


def doubtful(batch: Iterable[Persist], heads: Mapping[Place, Head]) -> set[tuple[str, str, int]]:
    """Where an event of the batch may be stored already, in whatever epoch."""
    found: set[tuple[str, str, int]] = set()
    for persist in batch:
        event = persist.event
        head = heads.get(place_of(event))
        if head is not None and (0 < event.seq <= head.seq or head.epoch > 0):
            found.add((*place_of(event), event.seq))
    return found


def link_all(batch: Iterable[Persist], heads: Mapping[Place, Head], taken: Taken) -> list[Linked]:
    """The events that are new, each in its place behind the heads.

    Raises EventRefused when a seq is missing before one of them.
    """
    ends = dict(heads)
    ids = {where: set(known) for where, known in taken.items()}
    linked: list[Linked] = []
    for persist in batch:
        event = persist.event
        place = place_of(event)
        head = ends.get(place) or Head(0, 0, chain.genesis(*place))
        known = ids.setdefault((*place, event.seq), set())
        epoch = _epoch(event, head, known)
        if epoch is None:
            continue
        event = msgspec.structs.replace(event, prev_hash=head.hash, epoch=epoch)
        link = chain.link(event)
        ends[place] = Head(event.seq, epoch, link.hash)
        known.add(event.id)
        linked.append(Linked(event, link.record, link.hash, persist))
    return linked


def twice(linked: Iterable[Linked], heads: Mapping[Place, Head]) -> list[Event]:
    """The events whose seq had been given to another event before."""
    epochs = {place: head.epoch for place, head in heads.items()}
    found: list[Event] = []
    for each in linked:
        place = place_of(each.event)
        if each.event.epoch > epochs.get(place, 0):
            epochs[place] = each.event.epoch
            found.append(each.event)
    return found


def amounts_wanted(events: Sequence[Event], bodies: Sequence[Any]) -> set[tuple[str, str, str]]:
    """(project, run, decision) of the failed results whose decisions stand in no event before."""
    wanted: set[tuple[str, str, str]] = set()
    seen: set[tuple[str, str, str]] = set()
    for event, body in zip(events, bodies, strict=True):
        if isinstance(body, DecisionBody):
            seen.add((*place_of(event), body.decision_id))
        elif isinstance(body, ResultBody) and body.status == "failed":
            wanted |= {(*place_of(event), body.decision_id)} - seen
    return wanted


def project(
    events: Sequence[Event],
    bodies: Sequence[Any],
    rows: Mapping[Place, RunRow],
    known: Mapping[tuple[str, str, str], FrameAmount | None],
) -> Projected:
    """The rows after these events. `known` are amounts of decisions stored earlier."""
    runs: dict[Place, RunRow] = {}
    approvals: dict[tuple[str, str], ApprovalRow] = {}
    closed: list[tuple[Place, ApprovalClosed]] = []
    amounts: Amounts = dict(known)
    filed = Filed()
    for event, body in zip(events, bodies, strict=True):
        place = place_of(event)
        if isinstance(body, DecisionBody):
            amounts[(*place, body.decision_id)] = counted_amount(body)
        before = runs.get(place) or rows.get(place)
        after = runs[place] = run_after(before, event, body, _amount_of(amounts, place))
        filed.take(event, body, after)
        change = approval_after(event, body)
        if isinstance(change, ApprovalRow):
            approvals[(change.project_id, change.approval_id)] = change
        elif isinstance(change, ApprovalClosed) and not _close(approvals, place, change):
            closed.append((place, change))
    return Projected(runs, approvals, closed, filed)


def _epoch(event: Event, head: Head, known: set[str]) -> int | None:
    """The epoch in which the event is stored, None when it has been.

    The order of the chain is (epoch, seq), so once a seq was given out twice, everything that
    follows belongs to the new epoch.
    """
    if event.seq > head.seq + 1:
        raise EventRefused(f"seq {event.seq} of {event.run_id} would follow {head.seq}")
    if event.id in known:
        return None
    return head.epoch if event.seq == head.seq + 1 else head.epoch + 1


def _amount_of(amounts: Amounts, place: Place) -> Any:
    return lambda decision_id: amounts.get((*place, decision_id))


def _close(
    approvals: dict[tuple[str, str], ApprovalRow], place: Place, change: ApprovalClosed
) -> bool:
    """Close an approval that this batch asks for; False when it does not."""
    at = (place[0], change.approval_id)
    asked = approvals.get(at)
    if asked is None:
        return False
    if asked.run_id == place[1] and asked.status == "pending":
        approvals[at] = msgspec.structs.replace(asked, status=change.status)
    return True

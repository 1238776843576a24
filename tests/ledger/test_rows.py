"""Rows are nothing but a fold of the events: whatever the batches were, the rows are the same."""

from __future__ import annotations

import random

import msgspec
import pytest

from gateway.domain import projections
from gateway.domain.events import Draft, Event
from gateway.domain.frame import FrameAmount
from gateway.domain.projections import ApprovalClosed, ApprovalRow, RunRow
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, persists

ENFORCED = ("allow", "warn", "modify", "require_approval", "block", "halt")


def history(chance: random.Random) -> list[Draft]:
    """A run's events, drawn by chance, and a gateway's in kind."""
    drafts = [events.started(name="n", agent_id="a", user_id="u", external_id="x")]
    decisions: list[str] = []
    for n in range(chance.randint(1, 40)):
        kind = chance.randrange(6)
        if kind <= 2:
            decision_id = events.new_id("dec")
            decisions.append(decision_id)
            amount = FrameAmount(chance.randint(-5, 50), chance.choice(["USD", "EUR"]))
            drafts.append(
                events.decided(
                    decision_id=decision_id,
                    enforced=chance.choice(ENFORCED),
                    amount=chance.choice([None, amount]),
                    prior=chance.choice([None, None, None, "in_doubt"]),
                    recorded_at=f"2026-11-20T12:00:{n:02}.000000Z",
                )
            )
        elif kind == 3 and decisions:
            status = chance.choice(["failed", "failed", "succeeded"])
            report = chance.choice(["result", "result", "result_conflict"])
            drafts.append(events.resulted(chance.choice(decisions), status, report))
        elif kind == 4:
            drafts.append(events.asked(f"apr_{n}"))
            drafts += [events.expired(f"apr_{n}")] if chance.random() < 0.5 else []
        else:
            drafts.append(events.observed("run_ended", status="succeeded"))
    return drafts


def folded(stored: list[Event]) -> tuple[RunRow | None, dict[str, ApprovalRow]]:
    row: RunRow | None = None
    approvals: dict[str, ApprovalRow] = {}
    amounts: dict[str, FrameAmount | None] = {}
    for event in stored:
        body = projections.open_body(event)
        if event.type == "decision":
            amounts[body.decision_id] = projections.counted_amount(body)
        row = projections.run_after(row, event, body, amounts.get)
        change = projections.approval_after(event, body)
        if isinstance(change, ApprovalRow):
            approvals[change.approval_id] = change
        elif isinstance(change, ApprovalClosed):
            asked = approvals[change.approval_id]
            approvals[change.approval_id] = msgspec.structs.replace(asked, status=change.status)
    return row, approvals


@pytest.mark.parametrize("seed", range(25))
async def test_rows_are_the_fold_of_the_events_in_whatever_batches_they_came(tmp_path, seed):
    chance = random.Random(seed)
    batch = persists(history(chance))
    ledger = await open_ledger(tmp_path / "ledger.db")

    start = 0
    while start < len(batch):
        size = chance.randint(1, 9)
        await ledger.record(batch[max(start - chance.randint(0, 3), 0) : start + size], {})
        start += size

    row, approvals = folded([each.event for each in batch])
    assert row is not None
    assert await ledger.run(PROJECT, "run_1") == msgspec.structs.asdict(row)
    found = await ledger.approvals(PROJECT, None, None, 100)
    assert {each["approval_id"]: each for each in found} == {
        name: msgspec.structs.asdict(each) for name, each in approvals.items()
    }
    await ledger.close()


def row_of(*drafts: Draft) -> RunRow:
    row, _ = folded([each.event for each in persists([events.started(), *drafts])])
    assert row is not None
    return row


def usd(value: int) -> FrameAmount:
    return FrameAmount(value, "USD")


def test_a_run_counts_what_was_enforced():
    counted = row_of(*[events.decided(enforced=verdict) for verdict in ENFORCED])

    assert (counted.events, counted.actions) == (7, 6)
    assert (counted.blocked, counted.warned) == (2, 1)


def test_spend_is_what_was_let_through_and_did_not_fail():
    spent = row_of(
        events.decided(decision_id="dec_1", amount=usd(500)),
        events.decided(decision_id="dec_2", amount=usd(70), enforced="warn"),
        events.decided(decision_id="dec_3", amount=usd(900), enforced="block"),
        events.decided(decision_id="dec_4", amount=usd(30), prior="in_doubt"),
        events.decided(decision_id="dec_5", amount=FrameAmount(8, "EUR")),
        events.resulted("dec_1", "failed"),
        events.resulted("dec_3", "failed"),
        events.resulted("dec_4", "failed"),
        events.resulted("dec_2", "failed", "result_conflict"),
    )

    assert spent.spend == {"USD": 70, "EUR": 8}
    assert spent.errors == 3


def test_a_halted_run_stays_halted_whatever_its_agent_says():
    """Only the gateway says that a run was stopped, and nobody talks it away."""
    ended = row_of(
        events.decided(enforced="halt"), events.observed("run_ended", status="succeeded")
    )

    assert (ended.status, ended.halted, ended.ended_at) == ("halted", True, events.NOON)


def test_an_action_that_was_not_judged_afresh_is_not_counted_again():
    assert row_of(events.decided(prior="already_executed", enforced="block")).actions == 0

"""The view of a run: what was recorded, step by step, and what is gone named."""

from __future__ import annotations

import sqlite3

import pytest

from gateway.domain.sealing import SealBroken
from gateway.errors import StorageFailure
from gateway.replay.frames import shown as shown_frames
from gateway.replay.frames import view
from gateway.replay.opening import Opening, keys_of
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, WRAPPED, open_secret, persists

SECRETS = {(PROJECT, "run_1"): WRAPPED}
CHARGE = {
    "request": {
        "user": "Charge cus_9281 4,500 dollars",
        "plan": {"text": "Charge, no refund", "arguments": {"is_refund": False}},
        "reasoning": "The order was shipped.",
    },
    "context": [{"id": "ctx_1", "source": "crm", "trusted": True, "text": "Customer since 2020"}],
}


@pytest.fixture
async def ledger(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    drafts = [
        events.started(name="refunds"),
        events.observed("model_call", {"messages": ["one", "two"], "reasoning": "I think"}),
        events.decided(
            {"amount": 450000, "is_refund": True},
            more=CHARGE,
            decision_id="dec_1",
            rounds=b'[{"results":[{"rule":"payments.plan_mismatch"}]}]',
            decision=b'{"enforced":"block","reasons":[{"reason":"The plan said no refund."}]}',
        ),
        events.resulted("dec_1"),
    ]
    await ledger.record(persists(drafts), SECRETS)
    yield ledger
    await ledger.close()


def spoil(folder, statement: str) -> None:
    connection = sqlite3.connect(folder / "ledger.db")
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


async def test_a_decision_shows_what_was_asked_seen_called_and_decided(ledger):
    """S1-3, S1-6, S1-20: exact arguments, context, plan, rules and decision at each call."""
    shown = (await view(ledger, open_secret, PROJECT, "run_1"))[2]

    assert (shown.seq, shown.type, shown.erased, shown.broken) == (3, "decision", [], [])
    frame = shown.content["frame"]
    assert frame["request"]["user"] == "Charge cus_9281 4,500 dollars"
    assert frame["request"]["plan"]["arguments"] == {"is_refund": False}
    assert frame["request"]["reasoning"] == "The order was shipped."
    assert frame["context"][0]["text"] == "Customer since 2020"
    assert frame["action"]["arguments"] == {"amount": 450000, "is_refund": True}
    assert frame["state"]["calls"] == 0
    assert shown.content["rounds"] == [{"results": [{"rule": "payments.plan_mismatch"}]}]
    assert shown.content["decision"]["enforced"] == "block"
    assert shown.body["policy_digest"] == "d" * 64


async def test_model_calls_between_decisions_are_shown_whole(ledger):
    """S1-3: what the model saw and said between calls."""
    shown = (await view(ledger, open_secret, PROJECT, "run_1"))[1]

    assert shown.content == {"observation": {"messages": ["one", "two"], "reasoning": "I think"}}


async def test_frames_come_in_order_and_in_pages_each_chained_to_the_one_before(ledger):
    shown = await view(ledger, open_secret, PROJECT, "run_1")

    assert [frame.type for frame in shown] == ["run_started", "model_call", "decision", "result"]
    assert [frame.prev_hash for frame in shown[1:]] == [frame.hash for frame in shown[:-1]]
    page = await view(ledger, open_secret, PROJECT, "run_1", after=1, limit=2)
    assert page == shown[1:3]
    assert await view(ledger, open_secret, PROJECT, "run_9") == []


@pytest.mark.parametrize("remembered", [0, 100, 1 << 20])
async def test_a_run_read_event_by_event_is_the_same_however_little_is_remembered(
    ledger, remembered
):
    events = await ledger.events(PROJECT, "run_1", 0, 10)
    keys = await keys_of(ledger, open_secret, PROJECT, "run_1")
    opening = Opening(keys, remembered_bytes=remembered)
    found, fetched = [], 0
    for stored in [*events, *events]:
        sealed = await ledger.blobs(PROJECT, "run_1", opening.wanted([stored]))
        fetched += len(sealed)
        found += shown_frames([stored], sealed, opening)

    assert found == 2 * await view(ledger, open_secret, PROJECT, "run_1")
    # Nothing is fetched twice where there is room for all of it.
    distinct = {key for stored in events for key in stored.blob_keys.values()}
    assert (fetched == len(distinct)) is (remembered == 1 << 20)


async def test_content_of_an_erased_run_is_named_and_the_evidence_still_shown(ledger, tmp_path):
    """A6: erasure is no error, and never shown as if nothing had been there."""
    spoil(tmp_path, "DELETE FROM run_secret")

    shown = (await view(ledger, open_secret, PROJECT, "run_1"))[2]

    assert shown.content == {}
    assert "frame/action/arguments/0" in shown.erased
    assert {"frame", "rounds", "decision"} <= set(shown.erased)
    assert shown.body["tool"] == "stripe.refund"


async def test_a_destroyed_key_reads_as_erased(ledger):
    async def destroyed(project_id: str, wrapped: bytes) -> bytes:
        raise SealBroken("gone")

    shown = await view(ledger, destroyed, PROJECT, "run_1")

    assert all(frame.content == {} for frame in shown)
    assert shown[3].erased == ["output"]


async def test_a_part_that_was_erased_alone_leaves_the_others(ledger, tmp_path):
    """R4: what is left is shown with a hole in the place of what is gone."""
    decision = (await ledger.events(PROJECT, "run_1"))[2]
    key = decision.blob_keys["frame/action/arguments/0"]
    spoil(tmp_path, f"DELETE FROM blob WHERE key = x'{key}'")

    shown = (await view(ledger, open_secret, PROJECT, "run_1"))[2]

    assert shown.erased == ["frame/action/arguments/0"]
    assert shown.content["frame"]["action"]["arguments"] == {"is_refund": True}
    assert shown.content["frame"]["context"][0]["text"] == "Customer since 2020"


async def test_a_part_that_was_changed_is_named_as_broken(ledger, tmp_path):
    spoil(tmp_path, "UPDATE blob SET sealed = zeroblob(length(sealed))")

    shown = (await view(ledger, open_secret, PROJECT, "run_1"))[3]

    assert (shown.content, shown.erased, shown.broken) == ({}, [], ["output"])


async def test_an_event_that_cannot_be_read_is_not_passed_over(ledger, tmp_path):
    spoil(tmp_path, "UPDATE event SET record = x'00' WHERE seq = 2")

    with pytest.raises(StorageFailure, match="cannot be read"):
        await view(ledger, open_secret, PROJECT, "run_1")
